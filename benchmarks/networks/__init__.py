"""Networks used by metrics: weights, recipes and training."""
