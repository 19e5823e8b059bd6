"""Training: a step, the loop, a session in a run directory, checkpoints, translations."""
