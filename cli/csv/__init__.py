"""CSV files and their jobs."""
