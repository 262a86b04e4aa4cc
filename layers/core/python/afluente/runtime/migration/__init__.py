"""Composition of the migration wing, for the functions that use it."""
