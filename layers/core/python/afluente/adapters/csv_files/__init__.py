"""CSV files: how to read one, what a first look at it tells, and its rows as points."""
