"""Small factories and strategies of what the legacy service's tables hold."""

from typing import Any

from hypothesis import strategies as st

from afluente.domain.constraints import RATE_NAMES
from afluente.migration.domain.mapping import BOUNDS
from afluente.migration.domain.thresholds import (
    AlertThresholds,
    DeltaThresholds,
    LatestReading,
    Sensor,
    SensorThresholds,
)

DEVICE = "0f9c2f0e-7d3b-4d8b-9a62-6d1b7f3c9e01"
UUID = "5a7d4c3e-1111-4222-8333-944455556666"

_ALERT = {*AlertThresholds.__struct_fields__} - {"row_id", "severity", "active", "updated_at"}
_DELTA = set(RATE_NAMES)


def a_sensor(sensor_id: int = 42, **fields: Any) -> Sensor:
    defaults: dict[str, Any] = {"uuid": UUID, "device_uuid": DEVICE, "sensor_type": "temperature"}
    return Sensor(sensor_id=sensor_id, **(defaults | fields))


def an_alert(row_id: int = 1, **fields: Any) -> AlertThresholds:
    return AlertThresholds(row_id=row_id, **fields)


def a_delta(row_id: int = 2, **fields: Any) -> DeltaThresholds:
    return DeltaThresholds(row_id=row_id, **fields)


def thresholds(
    sensor_id: int = 42, *, updated_at: float = 0.0, latest: LatestReading | None = None, **fields: Any
) -> SensorThresholds:
    """Thresholds by the names of their columns, of either table: `thresholds(physical_max=9, abs_delta=1)`."""
    alert = {name: fields.pop(name) for name in _ALERT if name in fields}
    delta = {name: fields.pop(name) for name in _DELTA if name in fields}
    return SensorThresholds(
        sensor=a_sensor(sensor_id, **fields),
        alerts=(an_alert(2 * sensor_id, updated_at=updated_at, **alert),) if alert else (),
        deltas=(a_delta(2 * sensor_id + 1, updated_at=updated_at, **delta),) if delta else (),
        latest=latest,
    )


# Few numbers, so that bounds and readings meet; and any, the ones that tables should not hold included.
_near = st.integers(min_value=-4, max_value=4).map(float)
readings = st.one_of(_near, st.floats(allow_nan=False, allow_infinity=False))
_bounds = st.none() | _near | st.floats()
_deltas = st.none() | st.integers(min_value=0, max_value=4).map(float) | st.floats()
_updates = st.integers(min_value=0, max_value=3).map(float)
_severities = st.none() | st.sampled_from(["low", " Major ", "critical", "alert", "warning", "", "panic"])

alert_rows = st.builds(
    AlertThresholds,
    row_id=st.integers(min_value=1, max_value=9),
    **dict.fromkeys(BOUNDS, _bounds),
    severity=_severities,
    consecutive_violations=st.none() | st.integers(min_value=-1, max_value=5),
    cooldown_seconds=st.none() | st.integers(min_value=-1, max_value=600).map(float) | st.floats(),
    active=st.booleans(),
    updated_at=_updates,
)
delta_rows = st.builds(
    DeltaThresholds,
    row_id=st.integers(min_value=1, max_value=9),
    **dict.fromkeys(RATE_NAMES, _deltas),
    severity=_severities,
    active=st.booleans(),
    updated_at=_updates,
)
all_thresholds = st.builds(
    SensorThresholds,
    sensor=st.builds(
        a_sensor,
        st.integers(min_value=1, max_value=10**9),
        uuid=st.none() | st.just(UUID),
        device_uuid=st.none() | st.just(DEVICE),
        sensor_type=st.none() | st.sampled_from(["temperature", "", "a/b"]),
    ),
    alerts=st.lists(alert_rows, max_size=3).map(tuple),
    deltas=st.lists(delta_rows, max_size=3).map(tuple),
)
