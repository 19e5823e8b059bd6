"""The graph of jobs that makes a preset."""
