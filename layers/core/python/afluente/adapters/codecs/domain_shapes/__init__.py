"""Measurements in the words of a domain."""
