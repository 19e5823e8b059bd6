"""From files to batches: the tasks, their pictures, and the order of training pictures."""
