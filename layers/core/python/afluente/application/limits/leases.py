"""Leases: the arithmetic by which containers share the bucket of a subject; docs/adr/0016-limits-are-leases.md.

A container leases tokens of the bucket with one conditional write and spends them by itself, so that few requests write
at all. Tokens that are leased and not spent count as still in the bucket: all containers together allow at most
burst + rate * w in any w seconds.
"""

import math
from collections.abc import Mapping, Sequence

import msgspec

from afluente.application.limits.rules import (
    DAY,
    DAY_SECONDS,
    POINTS,
    REQUESTS,
    Rule,
    by_dimension,
    rules_by_dimension,
)
from afluente.application.limits.stage_limits import CsvLimits, Limits

SHARE = 10
"""Divisor of the free tokens that bounds a lease: at most a tenth of them."""


class Hold(msgspec.Struct, frozen=True, array_like=True):
    """The unspent tokens of a container's lease, as the other containers know them, until its end in Unix seconds."""

    requests: float
    points: float
    until: float


class SharedBucket(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The state of a subject that all containers share.

    Attributes:
        version: increases by one with each lease; 0 if nothing is stored.
        at: time of this state, in Unix seconds.
        requests, points: free tokens; None for a full bucket.
        day: days since 1970.
        day_points: points of that day that are spent or leased.
        holds: holds by the names of their containers.
    """

    version: int = 0
    at: float = 0.0
    requests: float | None = None
    points: float | None = None
    day: int = 0
    day_points: float = 0.0
    holds: dict[str, Hold] = {}

    def expires_at(self, limits: Limits | CsvLimits) -> float:
        """The time from which it equals an empty `SharedBucket()`, in Unix seconds."""
        full = max((rule.size / rule.rate for rule in rules_by_dimension(limits)[:DAY] if rule), default=0.0)
        last = max(self.at, *(hold.until for hold in self.holds.values())) if self.holds else self.at
        return max(last + full, (self.day + 1) * DAY_SECONDS if self.day_points else 0.0)


class Shortage(msgspec.Struct, frozen=True):
    """A need that gets no tokens now.

    Attributes:
        index: of its dimension.
        seconds: until it may get them.
        is_contended: True if too many write the bucket at once; else the need exceeds the free tokens.
    """

    index: int
    seconds: float
    is_contended: bool = False


class Leased(msgspec.Struct, frozen=True):
    """A lease: the bucket after it, and by dimension the tokens held from now on and those for the request at hand."""

    bucket: SharedBucket
    held: tuple[float, float, float]
    fresh: tuple[float, float, float]


def refilled(bucket: SharedBucket, limits: Limits | CsvLimits, now: float) -> SharedBucket:
    """The bucket at `now`: refilled for the time since `at`, without the leases that have ended."""
    rules, holds, at = rules_by_dimension(limits), bucket.holds, bucket.at
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
    """The container that leases.

    Attributes:
        name: of the container.
        left: unspent tokens of its last lease, by dimension.
        day: day of its last lease, in days since 1970.
    """

    name: str
    left: tuple[float, float, float]
    day: int


def lease(
    bucket: SharedBucket,
    limits: Limits | CsvLimits,
    lessee: Lessee,
    *,
    need: Sequence[float],
    wanted: Sequence[float],
    until: float,
) -> Leased | Shortage:
    """Lease tokens: the need of a request, and at most a tenth of the rest.

    Args:
        bucket: the result of `refilled`.
        limits: of the subject.
        lessee: the container; unspent tokens of its last lease return to the bucket, as far as its hold is known there.
        need: of the request, by dimension.
        wanted: tokens beyond it that are of use, by dimension.
        until: end of the lease, in Unix seconds.
    """
    rules = rules_by_dimension(limits)
    daily = rules[DAY]
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
        daily.size - bucket.day_points if daily else None,
    ]
    held, fresh = [0.0, 0.0, 0.0], [0.0, 0.0, 0.0]
    for index, rule in enumerate(rules):
        available = free[index]
        if rule is None or available is None:
            continue
        if back[index] >= need[index] > 0 or (back[index] and not need[index]):
            held[index] = back[index]
            continue
        available += back[index]
        if need[index] and available < need[index]:
            seconds = (need[index] - available) / rule.rate if rule.rate else (bucket.day + 1) * DAY_SECONDS - bucket.at
            return Shortage(index, seconds)
        fresh[index] = need[index]
        held[index] = float(math.floor(max(0.0, min(wanted[index], (available - need[index]) / SHARE))))
        free[index] = available - fresh[index] - held[index]
    day_points = bucket.day_points + held[DAY] + fresh[DAY] - back[DAY] if daily else bucket.day_points
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
    return Leased(leased, by_dimension(held), by_dimension(fresh))


def _held(holds: Mapping[str, Hold]) -> tuple[float, float]:
    return sum(hold.requests for hold in holds.values()), sum(hold.points for hold in holds.values())


def _filled(free: float | None, rule: Rule | None, held: float, seconds: float) -> float | None:
    if rule is None:
        return None
    room = max(0.0, rule.size - held)
    return room if free is None else min(free + rule.rate * seconds, room)
