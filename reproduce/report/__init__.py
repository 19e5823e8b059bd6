"""A preset's report: one page, and its PDF, of everything that its results folder holds."""
