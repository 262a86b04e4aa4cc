"""Constraints: documents, scopes, look-up, changes and their history."""
