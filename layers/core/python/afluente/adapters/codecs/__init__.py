"""Codecs: bytes to records and back, without I/O."""
