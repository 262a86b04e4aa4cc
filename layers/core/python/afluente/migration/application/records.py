"""Records of the migration: hashes of both sides of each sensor when they were last equivalent, and the last run.

A side has changed if its hash has, whatever its times say: a write of the same values is no change.
"""

from collections.abc import Mapping
from enum import StrEnum
from hashlib import blake2b
from typing import Any

import msgspec

from afluente.domain.constraints import RATE_NAMES, Baseline, StreamConfig, ValueConstraints
from afluente.migration.domain.thresholds import SensorThresholds

NOTHING_THERE = ""
"""The hash of a side that has nothing of the sensor."""

MAX_NAMED = 50
"""The most sensors that a run or a pass names."""

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
    """The change that a run makes, or would make, to a sensor."""

    MIGRATE = "migrate"
    UPDATE = "update"
    REMOVE = "remove"
    UNCHANGED = "unchanged"
    NOTHING = "nothing"
    CONFLICT = "conflict"
    IMPOSSIBLE = "impossible"


class Status(StrEnum):
    """The status of a sensor."""

    MIGRATED = "migrated"
    ROLLED_BACK = "rolled_back"


class Origin(StrEnum):
    """The origin of a sensor's constraints."""

    LEGACY_TABLES = "old_tables"
    CONSTRAINTS = "constraints"
    BEFORE = "before"


class SensorRecord(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The record of a sensor.

    Attributes:
        sensor_id: of the sensor.
        uuid, device_uuid: its UUID, and that of its device.
        scope: of its constraints.
        status: of the sensor.
        origin: `old_tables`: written from the legacy tables; `constraints`: changed by hand later, and the legacy
            tables followed; `before`: older than the migration, and equivalent to the thresholds.
        constraints_hash: of its constraints, when both sides were last equivalent; empty if there were none.
        rows_hash: of its rows in force, then.
        version: of the constraints, then; 0 if there were none.
        baseline: the reading that was written with them.
        run_id: of the run that wrote this record.
        prospect: of that run.
        written_at: in Unix seconds.
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
    """A sensor that a run did not move, and the reasons."""

    sensor_id: int
    prospect: Prospect
    reasons: tuple[str, ...]


class RunProgress(msgspec.Struct, frozen=True, kw_only=True):
    """The progress of a run.

    Attributes:
        run_id: of the run.
        choice: the selection and the options of the run; another choice is another run.
        started_at: in Unix seconds.
        after: the last sensor that is done; None before the first.
        counts: sensors by prospect.
        passed_over: the first of the sensors that it could not move.
        directory_writes: entries of the sensor directory that it wrote.
        finished_at: in Unix seconds; None before the end.
        version: the number of saves.
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
        """The number of sensors that are done."""
        return sum(self.counts.values())


class KeptConflict(msgspec.Struct, frozen=True, kw_only=True):
    """The losing side of a sensor of which both sides were changed differently, kept so that no work is lost.

    Attributes:
        sensor_id: of the sensor.
        scope: of its constraints.
        at: the time at which it was found, in Unix seconds.
        winner: the side that won.
        reason: why it won.
        lost: the values of the other side: the constraints, or the rows in force by table; null if it had none.
    """

    sensor_id: int
    scope: str
    at: float
    winner: Origin
    reason: str
    lost: Any = None


class SyncPass(msgspec.Struct, frozen=True, kw_only=True):
    """The counts of a pass of dual write.

    Attributes:
        started_at, finished_at: in Unix seconds.
        sensors: that it looked at.
        to_constraints, to_tables: changes carried over, by direction.
        settled: sensors of which both sides were changed alike.
        conflicts: sensors of which both sides were changed differently.
        impossible: changed thresholds that contradict each other; both sides stay as they are.
        rejected: changed constraints that the legacy tables cannot hold; both sides stay as they are. `not_taken` on
            the wire.
        postponed: sensors that changed again while they were carried over; the next pass does that.
        without_record: sensors that no run has moved.
        notes: sentences on conflicts, contradictions and values that did not fit; the first of them. `told` on the
            wire.
    """

    started_at: float
    finished_at: float = 0.0
    sensors: int = 0
    to_constraints: int = 0
    to_tables: int = 0
    settled: int = 0
    conflicts: int = 0
    impossible: int = 0
    rejected: int = msgspec.field(default=0, name="not_taken")
    postponed: int = 0
    without_record: int = 0
    notes: tuple[str, ...] = msgspec.field(default=(), name="told")

    @property
    def changes(self) -> int:
        """The number of changes carried over."""
        return self.to_constraints + self.to_tables


class DualWriteSwitch(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The switch of dual write.

    Attributes:
        is_on: whether passes carry changes over.
        switched_at: in Unix seconds; None before the first time.
        last_pass: the last pass.
    """

    is_on: bool = False
    switched_at: float | None = None
    last_pass: SyncPass | None = None


def hash_of_constraints(config: StreamConfig | None) -> str:
    """A hash of constraints; the same before and after they were stored."""
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
    """A hash of a sensor and its rows in force, without ids and times of rows."""
    if thresholds is None:
        return NOTHING_THERE
    sensor = thresholds.sensor
    return _hash(sensor.uuid, sensor.device_uuid, sensor.sensor_type, *_rows_in_force(thresholds))


def is_in_force(expected: SensorThresholds, found: SensorThresholds) -> bool:
    """True if the rows in force of a sensor have the expected values."""
    return _rows_in_force(expected) == _rows_in_force(found)


def _rows_in_force(thresholds: SensorThresholds) -> list[object]:
    alert, delta = thresholds.alert, thresholds.delta
    return [
        [_number(getattr(alert, name)) for name in _OF_ALERTS] if alert else None,
        [_number(getattr(delta, name)) for name in _OF_DELTAS] if delta else None,
    ]


def _number(value: object) -> object:
    # 1 and 1.0 are the same number, so are 0.0 and -0.0; NaN and infinities, which JSON does not have, have names.
    return repr(float(value) + 0.0) if isinstance(value, int | float) else value


def _hash(*parts: object) -> str:
    return blake2b(msgspec.json.encode(parts, order="sorted"), digest_size=16).hexdigest()
