"""Token buckets: rates with a second of burst. The time is passed in, in seconds that only go forward."""

from dataclasses import dataclass, field

_MOST_BUCKETS = 10_000


@dataclass(slots=True)
class TokenBucket:
    """A rate of units a second, of which those of one second may come at once.

    Attributes:
        rate: units a second.
        level: units that may be taken now; below zero after a charge that was known only afterwards.
        updated_at: time of `level`.
    """

    rate: float
    level: float
    updated_at: float

    def holds(self, amount: float, now: float) -> bool:
        """True if so many units may be taken; of an amount above a whole second's, once the bucket is full."""
        self.level = min(self.rate, self.level + (now - self.updated_at) * self.rate)
        self.updated_at = now
        return self.level >= min(amount, self.rate)

    def charge(self, amount: float) -> None:
        """Take units, whether there are so many or not."""
        self.level -= amount

    def is_full(self, now: float) -> bool:
        """True if it is as good as new."""
        return self.level + (now - self.updated_at) * self.rate >= self.rate


@dataclass(slots=True)
class KeyedBuckets:
    """A token bucket for each key, made when the key is first seen and dropped when it is full again.

    Attributes:
        rate: units a second of each.
    """

    rate: float
    _buckets: dict[str, TokenBucket] = field(default_factory=dict)
    _next_sweep: int = _MOST_BUCKETS

    def of(self, key: str, now: float) -> TokenBucket:
        """The bucket of a key."""
        bucket = self._buckets.get(key)
        if bucket is None:
            self._sweep(now)
            bucket = self._buckets[key] = TokenBucket(self.rate, self.rate, now)
        return bucket

    def take(self, key: str, amount: float, now: float) -> bool:
        """Take units from the bucket of a key if it holds them."""
        bucket = self.of(key, now)
        if not bucket.holds(amount, now):
            return False
        bucket.charge(amount)
        return True

    def __len__(self) -> int:
        return len(self._buckets)

    def _sweep(self, now: float) -> None:
        if len(self._buckets) < self._next_sweep:
            return
        self._buckets = {key: bucket for key, bucket in self._buckets.items() if not bucket.is_full(now)}
        self._next_sweep = max(_MOST_BUCKETS, 2 * len(self._buckets))
