"""The trial of constraints beside the legacy thresholds: its settings, counts, differences and events.

A source that is on trial is classified by both; one in the canary gets the classes of its constraints, any other those
of its thresholds. A *step* is a share of sources for a time: counts are kept by step, and
`afluente.migration.application.canary` decides on the next one by them.
"""

from bisect import bisect_left
from enum import StrEnum
from functools import lru_cache
from hashlib import blake2b
from typing import Any

import msgspec

from afluente.domain.constraints import Baseline
from afluente.domain.evaluation import Classification
from afluente.migration.domain.legacy_service import LEGACY_DOMAIN

ADDED_MS_BOUNDS = (0.0, 0.5, 1.0, 2.0, 3.0, 4.0, 5.0, 7.5, 10.0, 15.0, 20.0, 30.0, 50.0, 100.0, 250.0, 1000.0)
"""The upper bound of each bucket of `TrialCounts.added_ms`, in milliseconds; the last bucket is open above."""

_BUCKETS = len(ADDED_MS_BOUNDS)
_NONE_ADDED = (0,) * _BUCKETS
_HASH_VALUES = 10_000


class Phase(StrEnum):
    """The phase of the canary."""

    IDLE = "idle"
    RUNNING = "running"
    HELD = "held"
    ROLLED_BACK = "rolled_back"
    COMPLETE = "complete"


SHARED_PHASES = frozenset({Phase.RUNNING, Phase.HELD, Phase.COMPLETE})
"""The phases in which a share of the sources is in the canary; in the others none is."""


class Gates(msgspec.Struct, frozen=True, kw_only=True):
    """The limits of a step: those that roll it back, and those that it has to reach before the next step.

    Attributes:
        max_error_rate: of the compared points, the part whose classification by constraints failed.
        max_added_p95_ms: the time that constraints add, in 95 of 100 invocations.
        max_differences: points with a difference.
        min_seconds: the shortest time of a step.
        min_points: the fewest points of the canary in a step.
    """

    max_error_rate: float = 0.01
    max_added_p95_ms: float = 5.0
    max_differences: int = 0
    min_seconds: float = 600.0
    min_points: int = 1000


class TrialSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The settings of shadow and canary.

    Attributes:
        version: the number of changes so far.
        step: the key of the counts; it grows, and no number is used twice.
        step_began_at: in Unix seconds.
        shadow: whether all sources are on trial, or those in the canary alone.
        phase: of the canary.
        share: of 100 sources, those in the canary.
        include: sources that are in the canary whatever the share is.
        exclude: sources that never are.
        steps: the shares, one after the other.
        gates: of each step.
    """

    version: int = 0
    step: int = 0
    step_began_at: float = 0.0
    shadow: bool = False
    phase: Phase = Phase.IDLE
    share: int = 0
    include: frozenset[str] = frozenset()
    exclude: frozenset[str] = frozenset()
    steps: tuple[int, ...] = (10, 50, 100)
    gates: Gates = Gates()

    def in_canary(self, source_id: str) -> bool:
        """True if a source is in the canary; the same in every classifier, and no source leaves as the share grows."""
        if self.phase not in SHARED_PHASES or source_id in self.exclude:
            return False
        return source_id in self.include or _place_of(source_id) * 100 < self.share * _HASH_VALUES

    def on_trial(self, source_id: str) -> bool:
        """True if a source is classified by thresholds and constraints."""
        return self.shadow or self.in_canary(source_id)

    def changed(self, **changes: Any) -> "TrialSettings":
        """The settings that follow these."""
        return msgspec.structs.replace(self, version=self.version + 1, **changes)

    def in_next_step(self, now: float, **changes: Any) -> "TrialSettings":
        """The settings that follow these, with counters that begin at 0."""
        return self.changed(step=self.step + 1, step_began_at=now, **changes)


class TrialCounts(msgspec.Struct, frozen=True, kw_only=True):
    """The counts of a step, or of an invocation.

    Attributes:
        points: of the canary; streams that stay with their thresholds are left out.
        compared: points that were on trial, errors included.
        errors: points whose classification by constraints failed; the classes of their thresholds were delivered.
        differences: points with a difference.
        invocations: those with compared points.
        added_ms: invocations by the time that constraints added, in buckets of `ADDED_MS_BOUNDS`.
    """

    points: int = 0
    compared: int = 0
    errors: int = 0
    differences: int = 0
    invocations: int = 0
    added_ms: tuple[int, ...] = _NONE_ADDED

    def plus(self, other: "TrialCounts") -> "TrialCounts":
        """The sum of both."""
        return TrialCounts(
            points=self.points + other.points,
            compared=self.compared + other.compared,
            errors=self.errors + other.errors,
            differences=self.differences + other.differences,
            invocations=self.invocations + other.invocations,
            added_ms=tuple(map(sum, zip(self.added_ms, other.added_ms, strict=True))),
        )

    def minus(self, earlier: "TrialCounts") -> "TrialCounts":
        """The counts since an earlier total."""
        return TrialCounts(
            points=self.points - earlier.points,
            compared=self.compared - earlier.compared,
            errors=self.errors - earlier.errors,
            differences=self.differences - earlier.differences,
            invocations=self.invocations - earlier.invocations,
            added_ms=tuple(now - before for now, before in zip(self.added_ms, earlier.added_ms, strict=True)),
        )

    @property
    def error_rate(self) -> float:
        """The part of the compared points that are errors; 0 without any."""
        return self.errors / self.compared if self.compared else 0.0

    def p95(self) -> float | None:
        """The 95th percentile of the added milliseconds, rounded up to a bound; None without invocations."""
        if not self.invocations:
            return None
        rank = -(-self.invocations * 95 // 100)
        seen = 0
        for bound, number in zip(ADDED_MS_BOUNDS, self.added_ms, strict=True):
            seen += number
            if seen >= rank:
                return bound
        return ADDED_MS_BOUNDS[-1]

    def slower_than(self, milliseconds: float) -> int:
        """The number of invocations that added more, those in the same bucket included."""
        within = sum(bound <= milliseconds for bound in ADDED_MS_BOUNDS)
        return sum(self.added_ms[within:])


def added(milliseconds: float) -> tuple[int, ...]:
    """`TrialCounts.added_ms` of one invocation; a negative time counts as none."""
    bucket = min(bisect_left(ADDED_MS_BOUNDS, milliseconds), _BUCKETS - 1)
    return tuple(int(place == bucket) for place in range(_BUCKETS))


class DifferenceCause(StrEnum):
    """The reason of a difference: the first that applies."""

    THRESHOLDS_DIFFER = "thresholds_differ"
    """The constraints are not equivalent to the thresholds."""

    NO_CONSTRAINTS = "no_constraints"
    """The stream has thresholds and no constraints, or constraints and no thresholds."""

    VALUE_ZONE = "value_zone"
    """By equivalent bounds, the value was in another zone."""

    RATE = "rate"
    """By equivalent bounds, the change was too fast for one side alone."""

    ALARM = "alarm"
    """The classes are the same, the alarms are not."""


class PointDifference(msgspec.Struct, frozen=True, kw_only=True):
    """A point with different classes or alarms by thresholds and by constraints.

    Attributes:
        stream: its key, as text.
        cause: the reason.
        legacy_class: by the thresholds; `old` on the wire.
        constraints_class: by the constraints; `new` on the wire.
        value, timestamp, point_id: of the point.
        baseline: the reading that its change was measured against; None if there was none.
    """

    stream: str
    cause: DifferenceCause
    legacy_class: Classification = msgspec.field(name="old")
    constraints_class: Classification = msgspec.field(name="new")
    value: float
    timestamp: float
    point_id: str
    baseline: Baseline | None = None


class NotedDifference(msgspec.Struct, frozen=True):
    """The differences of one stream and cause: their number, and the first of them."""

    count: int
    example: PointDifference


class EventKind(StrEnum):
    """The kind of a change of the trial."""

    SHADOW_ON = "shadow_on"
    SHADOW_OFF = "shadow_off"
    STARTED = "started"
    ADVANCED = "advanced"
    COMPLETED = "completed"
    HELD = "held"
    RESUMED = "resumed"
    ROLLED_BACK = "rolled_back"
    SET = "set"


class TrialEvent(msgspec.Struct, frozen=True, kw_only=True):
    """A change of the settings, with the figures that led to it.

    Attributes:
        at: in Unix seconds.
        kind: of the change.
        by: its author, `classifier` or `cli`.
        why: the reason, in a sentence.
        version: of the settings after it.
        step: that ended with it, or went on.
        share_before, share: of 100 sources, those in the canary before and after it.
        phase: after it.
        counts: of the step.
        seconds: the time that the step had taken.
    """

    at: float
    kind: EventKind
    by: str
    why: str
    version: int
    step: int
    share_before: int
    share: int
    phase: Phase
    counts: TrialCounts = TrialCounts()
    seconds: float = 0.0


@lru_cache(maxsize=50_000)
def _place_of(source_id: str) -> int:
    """A source's place among all: a number from 0, evenly distributed and independent of the shard."""
    digest = blake2b(f"{LEGACY_DOMAIN}/{source_id}".encode(), digest_size=8, person=b"canary").digest()
    return int.from_bytes(digest, "big") % _HASH_VALUES
