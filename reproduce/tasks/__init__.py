"""From files to batches: where pictures come from, how they are read, and in which order."""
