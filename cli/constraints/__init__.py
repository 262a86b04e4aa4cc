"""Constraints of a deployment, and files of them."""
