"""Metrics of pictures and the preference study, independent of the methods."""
