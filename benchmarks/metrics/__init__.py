"""Metrics of translations: arrays in, numbers with intervals out."""
