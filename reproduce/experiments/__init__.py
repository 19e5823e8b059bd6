"""The experiments: presets, runs and ablations, and their paths."""
