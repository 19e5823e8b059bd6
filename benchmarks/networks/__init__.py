"""Networks that measure: their weights, recipes and training."""
