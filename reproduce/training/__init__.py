"""Training: a step, the loop, a session in a folder, checkpoints, translations."""
