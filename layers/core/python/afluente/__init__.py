"""Afluente: classify and deliver measurements, exactly once in effect."""
