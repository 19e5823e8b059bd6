"""A preset's report on everything in its results folder: one HTML page and its PDF."""
