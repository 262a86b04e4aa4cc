"""Ingest: the points of a request become packs on the queue, or quarantined records."""
