"""Retry backoff of messages."""

MAX_BACKOFF_SECONDS = 60


def backoff_seconds(tries: int) -> int:
    """Seconds until a message is retried: 1, 2, 4, … 60, by how often it was tried."""
    return min(1 << min(tries - 1, 10), MAX_BACKOFF_SECONDS)
