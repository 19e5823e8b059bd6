"""The papers' claims as code: statements, raw values, statistics, verdicts, one table."""
