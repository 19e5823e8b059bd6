"""A harness to measure translations by any method, beside the papers' numbers."""
