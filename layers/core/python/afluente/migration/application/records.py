"""What is remembered of moving: of each sensor what both sides held when they were last the same, and of the last run.

Whether a side has changed is told by a hash of what it holds, not by times: a write that says the same is no change.
"""

from collections.abc import Mapping
from enum import StrEnum
from hashlib import blake2b
from typing import Any

import msgspec

from afluente.domain.constraints import RATE_NAMES, Baseline, StreamConfig, ValueConstraints
from afluente.migration.domain.thresholds import SensorThresholds

NOTHING_THERE = ""
"""The hash of a side that holds nothing of the sensor."""

MAX_TOLD = 50
"""How many of the sensors that were passed over a run remembers by name."""

_OF_ALERTS = (
    "physical_min",
    "physical_max",
    "threshold_min",
    "threshold_max",
    "warning_min",
    "warning_max",
    "severity",
    "consecutive_violations",
    "cooldown_seconds",
)
_OF_DELTAS = (*RATE_NAMES, "severity")


class Prospect(StrEnum):
    """What becomes of a sensor."""

    MIGRATE = "migrate"
    UPDATE = "update"
    REMOVE = "remove"
    UNCHANGED = "unchanged"
    NOTHING = "nothing"
    CONFLICT = "conflict"
    IMPOSSIBLE = "impossible"


class Status(StrEnum):
    """Where a sensor stands."""

    MIGRATED = "migrated"
    ROLLED_BACK = "rolled_back"


class Origin(StrEnum):
    """Where the constraints of a sensor come from."""

    OLD_TABLES = "old_tables"
    CONSTRAINTS = "constraints"
    BEFORE = "before"


class SensorRecord(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is remembered of a sensor.

    Attributes:
        sensor_id: which.
        uuid, device_uuid: its other name, and its device's.
        scope: of its constraints.
        status: where it stands.
        origin: `old_tables`: they were written from there; `constraints`: they were changed by hand later, and the old
            tables followed; `before`: they were there already, and judge as the old tables do.
        constraints_hash: of its constraints, when both sides were last the same; empty where there were none.
        rows_hash: of its rows in force, then.
        version: of the constraints, then; 0 where there were none.
        baseline: the reading that was written with them.
        run_id: of the run that wrote this.
        prospect: what that run did.
        written_at: when, in Unix seconds.
    """

    sensor_id: int
    uuid: str | None = None
    device_uuid: str | None = None
    scope: str
    status: Status
    origin: Origin
    constraints_hash: str
    rows_hash: str
    version: int = 0
    baseline: Baseline | None = None
    run_id: str = ""
    prospect: Prospect = Prospect.UNCHANGED
    written_at: float = 0.0


class PassedOver(msgspec.Struct, frozen=True):
    """A sensor that a run left as it is, and why."""

    sensor_id: int
    prospect: Prospect
    reasons: tuple[str, ...]


class RunProgress(msgspec.Struct, frozen=True, kw_only=True):
    """How far a run got.

    Attributes:
        run_id: of the run.
        choice: which sensors it is for and how it writes them; another choice is another run.
        started_at: in Unix seconds.
        after: the last sensor that is done; None before the first.
        counts: how many sensors had which prospect.
        passed_over: the first of those that it could not move.
        directory_writes: how many entries of the sensor directory it wrote.
        finished_at: when it was through, in Unix seconds.
        version: how often this was saved.
    """

    run_id: str
    choice: str
    started_at: float
    after: int | None = None
    counts: Mapping[Prospect, int] = {}
    passed_over: tuple[PassedOver, ...] = ()
    directory_writes: int = 0
    finished_at: float | None = None
    version: int = 0

    @property
    def sensors(self) -> int:
        """How many sensors are done."""
        return sum(self.counts.values())


class KeptConflict(msgspec.Struct, frozen=True, kw_only=True):
    """Both sides of a sensor were changed, and differently: what lost, so that nobody's work is gone.

    Attributes:
        sensor_id: of the sensor.
        scope: of its constraints.
        at: when it was found, in Unix seconds.
        winner: the side that won.
        reason: why it won.
        lost: what the other side held: the constraints, or the rows in force by table; null where it held nothing.
    """

    sensor_id: int
    scope: str
    at: float
    winner: Origin
    reason: str
    lost: Any = None


class SyncPass(msgspec.Struct, frozen=True, kw_only=True):
    """How a pass of dual write went.

    Attributes:
        started_at, finished_at: in Unix seconds.
        sensors: how many it looked at.
        to_constraints, to_tables: how many changes went which way.
        settled: both sides were changed, to the same.
        conflicts: both sides were changed, and differently.
        impossible: thresholds that were changed and contradict each other; they stay where they are.
        not_taken: constraints that were changed and that the old tables cannot hold; both sides stay as they are.
        postponed: changed again while they were carried over; the next pass sees to them.
        without_record: sensors that no run has moved.
        told: what people have to know: conflicts, contradictions, what had no room; the first of them.
    """

    started_at: float
    finished_at: float = 0.0
    sensors: int = 0
    to_constraints: int = 0
    to_tables: int = 0
    settled: int = 0
    conflicts: int = 0
    impossible: int = 0
    not_taken: int = 0
    postponed: int = 0
    without_record: int = 0
    told: tuple[str, ...] = ()

    @property
    def changes(self) -> int:
        """How many changes it carried over."""
        return self.to_constraints + self.to_tables


class DualWrite(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The switch of dual write.

    Attributes:
        is_on: whether passes carry changes over.
        switched_at: when it was switched, in Unix seconds.
        last_pass: how the last pass went.
    """

    is_on: bool = False
    switched_at: float | None = None
    last_pass: SyncPass | None = None


def hash_of_constraints(config: StreamConfig | None) -> str:
    """What tells constraints from others; the same before and after they were stored."""
    if config is None:
        return NOTHING_THERE
    values, rates = config.value_constraints, config.rate_constraints
    return _hash(
        config.stream_id,
        config.stream_type,
        config.source_id,
        [_number(getattr(values, name)) for name in ValueConstraints.__struct_fields__],
        [_number(getattr(rates, name)) for name in RATE_NAMES],
        rates.severity,
        config.consecutive_violations_required,
        _number(config.cooldown_seconds),
        config.metadata,
    )


def hash_of_rows(thresholds: SensorThresholds | None) -> str:
    """What tells the rows in force of a sensor, and the sensor itself, from others; not their ids and times."""
    if thresholds is None:
        return NOTHING_THERE
    sensor = thresholds.sensor
    return _hash(sensor.uuid, sensor.device_uuid, sensor.sensor_type, *_rows_in_force(thresholds))


def is_in_force(expected: SensorThresholds, found: SensorThresholds) -> bool:
    """Whether the rows in force of a sensor say what they were expected to."""
    return _rows_in_force(expected) == _rows_in_force(found)


def _rows_in_force(thresholds: SensorThresholds) -> list[object]:
    alert, delta = thresholds.alert, thresholds.delta
    return [
        [_number(getattr(alert, name)) for name in _OF_ALERTS] if alert else None,
        [_number(getattr(delta, name)) for name in _OF_DELTAS] if delta else None,
    ]


def _number(value: object) -> object:
    # 1 and 1.0 are the same number, so are 0.0 and -0.0; NaN and infinities, which JSON has not, have names.
    return repr(float(value) + 0.0) if isinstance(value, int | float) else value


def _hash(*parts: object) -> str:
    return blake2b(msgspec.json.encode(parts, order="sorted"), digest_size=16).hexdigest()
