"""Leases: how containers share the bucket of a subject, as arithmetic; docs/adr/0016-limits-are-leases.md.

A container leases tokens of the bucket with one conditional write and spends them by itself, so that few requests write
at all. What is leased and not spent counts as still in the bucket: so over all containers no more than burst + rate * w
come through in any w seconds.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Protocol

import msgspec

from afluente.application.limits.limits import DAY, DAY_SECONDS, POINTS, REQUESTS, Limits, Rule, of_each, rules_of

SHARE = 10
"""A lease is at most so great a part of what is free."""


class Hold(msgspec.Struct, frozen=True, array_like=True):
    """What a container has leased and not spent, as far as others know; in Unix seconds until when."""

    requests: float
    points: float
    until: float


class SharedBucket(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What all containers know of a subject.

    Attributes:
        version: one more with each lease; 0 where nothing is stored.
        at: when it was so, in Unix seconds.
        requests, points: that are free; None for as many as there can be.
        day: days since 1970.
        day_points: of that day that are taken or leased.
        holds: what containers hold, by their names.
    """

    version: int = 0
    at: float = 0.0
    requests: float | None = None
    points: float | None = None
    day: int = 0
    day_points: float = 0.0
    holds: dict[str, Hold] = {}

    def forgotten_at(self, limits: Limits) -> float:
        """From when on it is as if nothing were stored, in Unix seconds."""
        full = max((rule.size / rule.rate for rule in rules_of(limits)[:DAY] if rule), default=0.0)
        last = max(self.at, *(hold.until for hold in self.holds.values())) if self.holds else self.at
        return max(last + full, (self.day + 1) * DAY_SECONDS if self.day_points else 0.0)


class LimitStore(Protocol):
    """Where the shared buckets are."""

    def load(self, subject: str) -> SharedBucket:
        """The bucket of a subject, the newest there is; an empty `SharedBucket()` where nothing is stored.

        Raises:
            UnavailableError: the store does not answer.
        """
        ...

    def save(self, subject: str, bucket: SharedBucket, *, forgotten_at: float) -> SharedBucket | None:
        """Replace the bucket of a subject, if what is stored is of the version before.

        Args:
            subject: whose.
            bucket: its version is one more than the one it was made from.
            forgotten_at: from when on it may be deleted, in Unix seconds.

        Returns:
            None where it is saved; what is stored where another writer was faster.

        Raises:
            UnavailableError: the store does not answer; it may have saved the bucket all the same.
        """
        ...


class Short(msgspec.Struct, frozen=True):
    """A lease that cannot be had: the dimension, and the seconds until it could."""

    index: int
    seconds: float


class Leased(msgspec.Struct, frozen=True):
    """A lease: the bucket without it, and by dimension what is held now and what is for the request at hand alone."""

    bucket: SharedBucket
    held: tuple[float, float, float]
    fresh: tuple[float, float, float]


def refilled(bucket: SharedBucket, limits: Limits, now: float) -> SharedBucket:
    """The bucket at `now`: filled for the time that has gone by, without the leases that ended."""
    rules, holds, at = rules_of(limits), bucket.holds, bucket.at
    free: list[float | None] = [bucket.requests, bucket.points]
    end = max(now, at)
    for moment in (*sorted({hold.until for hold in holds.values() if at < hold.until < end}), end):
        held = _held(holds)
        for index in (REQUESTS, POINTS):
            free[index] = _filled(free[index], rules[index], held[index], moment - at)
        at = moment
        holds = {name: hold for name, hold in holds.items() if hold.until > moment}
    day = max(int(end // DAY_SECONDS), bucket.day)
    return SharedBucket(
        version=bucket.version,
        at=end,
        requests=free[REQUESTS],
        points=free[POINTS],
        day=day,
        day_points=bucket.day_points if day == bucket.day else 0.0,
        holds=holds,
    )


class Lessee(msgspec.Struct, frozen=True):
    """Who asks for a lease.

    Attributes:
        name: of the container.
        left: what it has of its last lease, by dimension.
        day: the day that the last of them is of.
    """

    name: str
    left: tuple[float, float, float]
    day: int


def lease(
    bucket: SharedBucket,
    limits: Limits,
    lessee: Lessee,
    *,
    need: Sequence[float],
    wanted: Sequence[float],
    until: float,
) -> Leased | Short:
    """Lease tokens: what a request needs, and of the rest at most a tenth.

    Args:
        bucket: as `refilled` gives it.
        limits: of the subject.
        lessee: who asks; what is left of its last lease is taken back where others still know of it.
        need: of the request, by dimension.
        wanted: how much more is of use.
        until: when the lease ends, in Unix seconds.
    """
    rules = rules_of(limits)
    of_a_day = rules[DAY]
    mine = bucket.holds.get(lessee.name)
    known = (mine.requests, mine.points) if mine else (0.0, 0.0)
    back = [
        min(lessee.left[REQUESTS], known[REQUESTS]),
        min(lessee.left[POINTS], known[POINTS]),
        lessee.left[DAY] if lessee.day == bucket.day else 0.0,
    ]
    free: list[float | None] = [
        bucket.requests,
        bucket.points,
        of_a_day.size - bucket.day_points if of_a_day else None,
    ]
    held, fresh = [0.0, 0.0, 0.0], [0.0, 0.0, 0.0]
    for index, rule in enumerate(rules):
        there = free[index]
        if rule is None or there is None:
            continue
        if back[index] >= need[index] > 0 or (back[index] and not need[index]):
            held[index] = back[index]
            continue
        there += back[index]
        if need[index] and there < need[index]:
            seconds = (need[index] - there) / rule.rate if rule.rate else (bucket.day + 1) * DAY_SECONDS - bucket.at
            return Short(index, seconds)
        fresh[index] = need[index]
        held[index] = float(math.floor(max(0.0, min(wanted[index], (there - need[index]) / SHARE))))
        free[index] = there - fresh[index] - held[index]
    day_points = bucket.day_points + held[DAY] + fresh[DAY] - back[DAY] if of_a_day else bucket.day_points
    holds = {name: hold for name, hold in bucket.holds.items() if name != lessee.name}
    if held[REQUESTS] or held[POINTS]:
        holds[lessee.name] = Hold(held[REQUESTS], held[POINTS], until)
    leased = SharedBucket(
        version=bucket.version + 1,
        at=bucket.at,
        requests=free[REQUESTS],
        points=free[POINTS],
        day=bucket.day,
        day_points=day_points,
        holds=holds,
    )
    return Leased(leased, of_each(held), of_each(fresh))


def _held(holds: Mapping[str, Hold]) -> tuple[float, float]:
    return sum(hold.requests for hold in holds.values()), sum(hold.points for hold in holds.values())


def _filled(free: float | None, rule: Rule | None, held: float, seconds: float) -> float | None:
    if rule is None:
        return None
    room = max(0.0, rule.size - held)
    return room if free is None else min(free + rule.rate * seconds, room)
