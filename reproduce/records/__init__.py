"""Records, one per measurement, and the code that made them."""
