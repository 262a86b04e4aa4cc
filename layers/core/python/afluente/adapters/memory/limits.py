"""In-memory twin of the port of limits."""

from threading import Lock

from afluente.application.limits.leases import SharedBucket


class MemoryLimits:
    """Shared buckets by subject; none expires.

    Attributes:
        buckets: by subject.
        expires_at: the time from which each may be deleted.
        loads, saves: numbers of calls.
    """

    def __init__(self) -> None:
        self.buckets: dict[str, SharedBucket] = {}
        self.expires_at: dict[str, float] = {}
        self.loads = 0
        self.saves = 0
        self._saving = Lock()

    def load(self, subject: str) -> SharedBucket:
        self.loads += 1
        return self.buckets.get(subject, SharedBucket())

    def save(self, subject: str, bucket: SharedBucket, *, expires_at: float) -> SharedBucket | None:
        self.saves += 1
        with self._saving:
            stored = self.buckets.get(subject, SharedBucket())
            if stored.version != bucket.version - 1:
                return stored
            self.buckets[subject], self.expires_at[subject] = bucket, expires_at
        return None
