"""Constraints: bounds of a stream's values, and of their change.

A constraint that cannot hold is refused when it is written, so that classification never meets one.
"""

import sys
from enum import StrEnum
from math import isfinite
from typing import Any, NamedTuple

import msgspec

from afluente.domain.faults import Fault, FaultCode, FaultyError
from afluente.domain.stream_keys import MISSING_SOURCE, part_faults


class Severity(StrEnum):
    """Severity of a violation; `critical` is the gravest."""

    WARNING = "warning"
    ALERT = "alert"
    CRITICAL = "critical"

    @property
    def rank(self) -> int:
        """0 for the mildest."""
        return _SEVERITIES.index(self)


_SEVERITIES = tuple(Severity)


class ValueConstraints(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """Bounds of a value, in the stream's unit; a side left out is open.

    `min_value`/`max_value` are the hard limits: beyond them a value cannot be true. Beyond `alert_*` it is an alert,
    beyond `warning_*` a warning. Every bound itself is allowed: only `v < min` and `v > max` violate.

    Raises:
        FaultyError: a bound is not finite, a minimum is above its maximum, or a band lies outside the hard limits.
    """

    min_value: float | None = None
    max_value: float | None = None
    warning_min: float | None = None
    warning_max: float | None = None
    alert_min: float | None = None
    alert_max: float | None = None

    def __post_init__(self) -> None:
        faults = [*_finite_faults(self)]
        for low, high in (
            ("min_value", "max_value"),
            ("warning_min", "warning_max"),
            ("alert_min", "alert_max"),
        ):
            faults += _order_faults(self, low, high)
        if not faults:
            for low in ("warning_min", "alert_min"):
                faults += _order_faults(self, "min_value", low) + _order_faults(self, low, "max_value")
            for high in ("warning_max", "alert_max"):
                faults += _order_faults(self, "min_value", high) + _order_faults(self, high, "max_value")
        if faults:
            raise FaultyError(tuple(faults))


class RateConstraints(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """Bounds of the change of a value against the stream's baseline; one left out is open.

    Attributes:
        abs_delta: |v - v0|, in the stream's unit.
        rel_delta: |v - v0| / |v0| · 100, in percent.
        abs_slope: |v - v0| / dt, in units a second.
        rel_slope: |v - v0| / |v0| · 100 / dt, in percent a second.
        severity: the severity of a violation.

    Raises:
        FaultyError: a bound is negative or not finite.
    """

    abs_delta: float | None = None
    rel_delta: float | None = None
    abs_slope: float | None = None
    rel_slope: float | None = None
    severity: Severity = Severity.WARNING

    def __post_init__(self) -> None:
        faults = [*_finite_faults(self)]
        for name in RATE_NAMES:
            bound = getattr(self, name)
            if bound is not None and bound < 0:
                message = f"is {bound:g}; a change is never less than 0, so no value could satisfy it"
                faults.append(Fault(FaultCode.IMPOSSIBLE, f"rate_constraints.{name}", message))
        if faults:
            raise FaultyError(tuple(faults))


RATE_NAMES = ("abs_delta", "rel_delta", "abs_slope", "rel_slope")


class RateViolation(msgspec.Struct, frozen=True):
    """A change that was too fast: the limit, and the change observed, both in the constraint's unit."""

    limit: float
    observed: float


class StreamConfig(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True, forbid_unknown_fields=True):
    """The constraints of one stream, or of a template for many.

    Attributes:
        stream_id: the stream; None in a template.
        stream_type: the type of the stream.
        source_id: the source of the stream.
        value_constraints: bounds of the value.
        rate_constraints: bounds of its change.
        consecutive_violations_required: violating points in a row that raise the alarm, and normal ones that clear it;
            from 1.
        cooldown_seconds: between two raises of the alarm, by data time; from 0.
        metadata: anything else.

    Raises:
        FaultyError: a field is not as described above.
    """

    stream_id: str | None = None
    stream_type: str | None = None
    source_id: str = MISSING_SOURCE
    value_constraints: ValueConstraints = msgspec.field(default_factory=ValueConstraints)
    rate_constraints: RateConstraints = msgspec.field(default_factory=RateConstraints)
    consecutive_violations_required: int = 3
    cooldown_seconds: float = 300
    metadata: dict[str, Any] = {}

    def __post_init__(self) -> None:
        faults = [*part_faults("source_id", self.source_id)]
        for name in ("stream_id", "stream_type"):
            value = getattr(self, name)
            if value is not None:
                faults += part_faults(name, value)
        if self.consecutive_violations_required < 1:
            message = "must be 1 or more: no point raises an alarm that needs none"
            faults.append(Fault(FaultCode.OUT_OF_RANGE, "consecutive_violations_required", message))
        if not 0 <= self.cooldown_seconds <= sys.float_info.max:
            faults.append(Fault(FaultCode.OUT_OF_RANGE, "cooldown_seconds", "must be 0 or more seconds"))
        if faults:
            raise FaultyError(tuple(faults))


class Baseline(NamedTuple):
    """A stream's last reading within hard limits from before afluente knew it; its time in Unix seconds."""

    timestamp: float
    value: float


class VersionedConfig(msgspec.Struct, frozen=True):
    """Constraints as they are stored.

    Attributes:
        config: the constraints.
        version: of them; each scope has its own count.
        baseline: the stream's last reading from before it was known.
        key: the scope that a look-up found them under: a stream, a type or a domain; None outside of a look-up.
    """

    config: StreamConfig
    version: int
    baseline: Baseline | None = None
    key: str | None = None


def no_normal_value(values: ValueConstraints) -> tuple[Fault, ...]:
    """Faults of bands that leave no value normal: two of them have none in common.

    Such constraints can be read, since earlier releases accepted them; writing them is refused.
    """
    # Each band is known to lie within the hard limits, its minimum not above its maximum.
    return (*_order_faults(values, "warning_min", "alert_max"), *_order_faults(values, "alert_min", "warning_max"))


def _order_faults(values: ValueConstraints, low: str, high: str) -> list[Fault]:
    lower, upper = getattr(values, low), getattr(values, high)
    # A bound that is not finite has its own fault.
    if lower is None or upper is None or not lower > upper:
        return []
    message = f"{low} {_rendered(lower)} is above {high} {_rendered(upper)}; lower the one or raise the other"
    return [Fault(FaultCode.IMPOSSIBLE, f"value_constraints.{low}", message)]


def _rendered(bound: float) -> str:
    # All the digits of a double that people write, and no trailing zeros: 1000000 is not above 1e+06.
    return f"{bound:.15g}"


def _finite_faults(constraints: ValueConstraints | RateConstraints) -> list[Fault]:
    table = "value_constraints" if isinstance(constraints, ValueConstraints) else "rate_constraints"
    return [
        Fault(FaultCode.NOT_FINITE, f"{table}.{name}", "must be a finite number; leave it out for no bound")
        for name in constraints.__struct_fields__
        if name != "severity" and getattr(constraints, name) is not None and not isfinite(getattr(constraints, name))
    ]
