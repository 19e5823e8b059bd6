"""A harness to measure translations by any method, in common layouts, beside the papers'
numbers."""
