"""What a training step, a translation and a measurement cost, and against which limit."""
