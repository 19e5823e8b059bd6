"""The papers' claims as code: statements, statistics, verdicts, and their table."""
