"""The twin in memory of the shared buckets."""

from threading import Lock

from afluente.application.limits.leases import SharedBucket


class MemoryLimits:
    """Keeps buckets, and forgets none.

    Attributes:
        buckets: by subject.
        forgotten_at: when each might be forgotten.
        loads, saves: how often it was asked.
    """

    def __init__(self) -> None:
        self.buckets: dict[str, SharedBucket] = {}
        self.forgotten_at: dict[str, float] = {}
        self.loads = 0
        self.saves = 0
        self._saving = Lock()

    def load(self, subject: str) -> SharedBucket:
        self.loads += 1
        return self.buckets.get(subject, SharedBucket())

    def save(self, subject: str, bucket: SharedBucket, *, forgotten_at: float) -> SharedBucket | None:
        self.saves += 1
        with self._saving:
            there = self.buckets.get(subject, SharedBucket())
            if there.version != bucket.version - 1:
                return there
            self.buckets[subject], self.forgotten_at[subject] = bucket, forgotten_at
        return None
