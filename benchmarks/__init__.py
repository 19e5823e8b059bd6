"""Measures pictures; knows nothing of the methods that made them."""
