"""Accounts: the tokens of a subject that a container has leased and may spend without asking the store."""

import math
from collections.abc import Sequence

import msgspec

from afluente.application.limits.decisions import Demand, Spent
from afluente.application.limits.leases import Leased, SharedBucket, Shortage
from afluente.application.limits.rules import (
    DAY,
    DAY_SECONDS,
    POINTS,
    REQUESTS,
    Rule,
    Subject,
    by_dimension,
    rules_by_dimension,
)
from afluente.application.limits.stage_limits import CsvLimits, Limits

LEASE_SECONDS = 60.0
LONGEST_LEASE_SECONDS = 900.0
"""A lease that is not used up in time is followed by one of twice the time: a rare sender writes rarely."""

CLOCK_SECONDS = 2.0
"""Assumed difference between the clocks of two containers: the holder stops spending a lease so much earlier."""

_FIRST_LEASE = (10, 1_000, 10_000)
_LARGEST_LEASE = 1e12
_SHORTEST_REST, _LONGEST_REST = 0.05, 1.0


class _KnownShortage(msgspec.Struct, frozen=True):
    """A shortage as a container remembers it.

    Attributes:
        needed: the need that was refused; a smaller one is tried.
        until: end of the memory, in Unix seconds.
        ready: time from which there may be tokens, in Unix seconds.
        is_contended: as of the shortage.
    """

    needed: float
    until: float
    ready: float
    is_contended: bool


class Account:
    """The tokens that a container has of one subject.

    Tokens are of two kinds. Held ones are known to the other containers: the shared bucket is not refilled in their
    place. Credit was leased for a request that was throttled by another limit: the shared bucket is refilled in its
    place, so it melts at the same rate.

    Attributes:
        subject: the name of the shared bucket.
        bucket: the shared bucket as this container left it; None if another writer has replaced it.
        wanted: tokens to lease beyond the need of the request at hand, by dimension.
        seconds: duration of the next lease.
        day: day of the last lease, in days since 1970.
    """

    def __init__(self, subject: str) -> None:
        self.subject = subject
        self.bucket: SharedBucket | None = None
        self.wanted: list[float] = list(_FIRST_LEASE)
        self.seconds = LEASE_SECONDS
        self.day = 0
        self._lease = 0
        self._until = 0.0
        self._granted = [0.0, 0.0, 0.0]
        self._held = [0.0, 0.0, 0.0]
        self._credit = [0.0, 0.0, 0.0]
        self._credit_at = 0.0
        self._shortages: dict[int, _KnownShortage] = {}
        self._seen: tuple[SharedBucket, float] | None = None

    def covers(self, demand: Demand, now: float) -> bool:
        """True if a request can be paid from the account."""
        return self.uncovered(demand, now) is None

    def uncovered(self, demand: Demand, now: float) -> int | None:
        """The first dimension whose need cannot be paid from the account; None if all can."""
        rules, held, credit = rules_by_dimension(demand.limits), self._usable(now), self.credit_at(demand.limits, now)
        return next(
            (
                index
                for index, (rule, needed) in enumerate(zip(rules, demand.need, strict=True))
                if rule is not None and needed > held[index] + credit[index]
            ),
            None,
        )

    def known_shortage(self, demand: Demand, now: float) -> Shortage | None:
        """A shortage that was found a moment ago and applies to every request that needs as much."""
        for index, known in self._shortages.items():
            if now < known.until and demand.need[index] >= known.needed:
                return Shortage(index, known.ready - now, known.is_contended)
        return None

    def note_shortage(self, shortage: Shortage, bucket: SharedBucket | None, demand: Demand, now: float) -> None:
        """Record a shortage, and the shared bucket as far as it is known."""
        rest = min(max(shortage.seconds, _SHORTEST_REST), _LONGEST_REST)
        self._shortages[shortage.index] = _KnownShortage(
            demand.need[shortage.index], now + rest, now + shortage.seconds, shortage.is_contended
        )
        if bucket is not None:
            self._seen = (bucket, now)

    def note_lease(self, leased: Leased, now: float, until: float) -> None:
        """Record a lease that the store has accepted."""
        bucket = leased.bucket
        self.bucket, self._seen = bucket, (bucket, now)
        self._lease += 1
        self._until = until - CLOCK_SECONDS
        self.day = bucket.day
        self._shortages.clear()
        self._held = [*leased.held[:DAY], leased.held[DAY] + leased.fresh[DAY]]
        self._granted = list(self._held)
        for index in (REQUESTS, POINTS):
            self._credit[index] += leased.fresh[index]

    def adapt(self, demand: Demand, now: float) -> None:
        """Adapt the next lease to the last one: more if it was used up, less and for longer if it was not."""
        # Files are rare and large: a container that holds bytes for the next one takes them from the others.
        if not self._lease or demand.kind is Subject.CSV:
            return
        if now >= self._until:
            self.seconds = min(2 * self.seconds, LONGEST_LEASE_SECONDS)
            for index in (REQUESTS, POINTS):
                self.wanted[index] = max(1.0, 2 * (self._granted[index] - self._held[index]))
            return
        usable = self._usable(now)
        for index, needed in enumerate(demand.need):
            if needed > usable[index]:
                self.wanted[index] = min(2 * max(self.wanted[index], needed), _LARGEST_LEASE)

    def unspent(self, now: float) -> tuple[float, float, float]:
        """Tokens that are returned with the next lease, by dimension."""
        return by_dimension(self._usable(now))

    def credit_at(self, limits: Limits | CsvLimits, now: float) -> Sequence[float]:
        """The remaining credit, by dimension."""
        if now > self._credit_at:
            for index, rule in enumerate(rules_by_dimension(limits)):
                melted = rule.rate * (now - self._credit_at) if rule else math.inf
                self._credit[index] = max(0.0, self._credit[index] - melted)
            self._credit_at = now
        return self._credit

    def spend(self, demand: Demand, now: float) -> Spent:
        """Spend the need of a request: the credit first, since it melts."""
        rules = rules_by_dimension(demand.limits)
        held, credit = [0.0, 0.0, 0.0], [0.0, 0.0, 0.0]
        for index, (rule, needed) in enumerate(zip(rules, demand.need, strict=True)):
            if rule is None:
                continue
            credit[index] = min(self._credit[index], needed)
            held[index] = needed - credit[index]
            self._credit[index] -= credit[index]
            self._held[index] -= held[index]
        return Spent(
            self.subject, rules, self._lease, int(now // DAY_SECONDS), by_dimension(held), by_dimension(credit)
        )

    def release(self, spent: Spent, at: float, now: float) -> None:
        """Return tokens that were spent at `at`: as held ones within the same lease, as credit after it."""
        is_same_lease = spent.lease == self._lease
        for index, rule in enumerate(spent.rules):
            if rule is None:
                continue
            if index == DAY:
                self._held[index] += spent.held[index] if spent.day == self.day else 0.0
                continue
            melting = spent.credit[index] + (0.0 if is_same_lease else spent.held[index])
            self._credit[index] += max(0.0, melting - rule.rate * max(0.0, now - at))
            self._held[index] += spent.held[index] if is_same_lease else 0.0

    def remaining(self, index: int, rule: Rule, now: float) -> float:
        """An upper bound of the tokens left of a limit, in the account and in the shared bucket."""
        own = self._usable(now)[index] + self._credit[index]
        if self._seen is None:
            return rule.size
        bucket, at = self._seen
        if index == DAY:
            is_today = bucket.day == int(now // DAY_SECONDS)
            return own + rule.size - (bucket.day_points if is_today else 0.0)
        free = bucket.requests if index == REQUESTS else bucket.points
        return own + (rule.size if free is None else free + rule.rate * max(0.0, now - at))

    def _usable(self, now: float) -> list[float]:
        held = self._held
        requests, points = (held[REQUESTS], held[POINTS]) if now < self._until else (0.0, 0.0)
        return [requests, points, held[DAY] if self.day == int(now // DAY_SECONDS) else 0.0]
