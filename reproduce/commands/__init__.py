"""The commands of ``python -m reproduce``."""
