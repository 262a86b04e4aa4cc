"""Sending measurements from a file: readers make points of it, a transport takes them to the service."""
