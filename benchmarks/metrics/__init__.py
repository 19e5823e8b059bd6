"""Metrics of translations: they take arrays and return values with confidence intervals."""
