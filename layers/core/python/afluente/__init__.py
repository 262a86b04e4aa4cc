"""Afluente: classify and deliver measurements, exactly once in effect."""

__version__ = "0.1.0"
