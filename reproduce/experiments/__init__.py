"""What is tried: presets, runs, ablations, and where they live."""
