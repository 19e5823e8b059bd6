"""From records to tables and verdicts."""
