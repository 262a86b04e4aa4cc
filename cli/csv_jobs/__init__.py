"""CSV files for the service, and the jobs that read them there."""
