"""Measure trained runs, and record the scores."""
