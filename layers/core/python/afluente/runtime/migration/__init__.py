"""Composition of what the functions take from the migration wing."""
