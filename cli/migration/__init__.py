"""Commands and rendering of the migration wing."""
