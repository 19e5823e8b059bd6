"""From trained runs to records."""
