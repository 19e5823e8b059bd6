"""Tables and verdicts, computed from records."""
