"""Records: one a measurement, and which code made it."""
