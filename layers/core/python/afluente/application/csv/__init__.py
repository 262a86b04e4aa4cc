"""CSV: jobs, their reports, and the loading of files."""
