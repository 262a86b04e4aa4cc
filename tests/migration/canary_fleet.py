"""Devices of a legacy service in a canary: their thresholds, readings and expected classes."""

import secrets
import uuid
from collections.abc import Sequence
from typing import NamedTuple

from afluente.domain.datapoints import DataPoint
from afluente.migration.adapters.sql.engine import legacy_engine
from afluente.migration.application.trial import Phase, TrialSettings
from afluente.migration.domain.mapping import class_of, to_constraints
from afluente.migration.domain.rules import evaluate
from afluente.migration.domain.thresholds import LatestReading, SensorThresholds
from tests.factories import NOW
from tests.migration.legacy_service import LegacyService, create_tables, fill
from tests.migration.thresholds import thresholds
from tests.stack import LocalStack

SENSORS_A_DEVICE = 4

_VALUES = (50.0, 57.5, 80.0, 85.0, 90.0, 95.0, 101.0, 50.0)
"""Values of every class and on every bound; the change to the last is too fast."""

_SECONDS_BETWEEN = 10.0

Measurement = tuple[str, float]
"""A stream and a time."""


class Request(NamedTuple):
    """Points of one device, and the class that has to come of each."""

    points: Sequence[DataPoint]
    expected: dict[Measurement, str]

    @property
    def source(self) -> str:
        return f"{self.points[0].domain}/{self.points[0].source_id}"


class CanaryFleet:
    """Devices of ids that nobody else has, of which exactly each step's share is in the canary.

    Args:
        devices: how many; a multiple of 20.
    """

    def __init__(self, devices: int = 40) -> None:
        self.devices = [*_new_ids(devices // 10, 0, 10), *_new_ids(devices * 4 // 10, 10, 50)]
        self.devices += _new_ids(devices // 2, 50, 100)
        first_id = secrets.randbelow(1_000_000_000)
        self._sensors = {
            device: [
                _a_sensor(first_id + SENSORS_A_DEVICE * place + number, device) for number in range(SENSORS_A_DEVICE)
            ]
            for place, device in enumerate(self.devices)
        }
        self._latest: dict[str, LatestReading] = {}
        self._round = 0

    @property
    def sensors(self) -> list[SensorThresholds]:
        return [sensor for sensors in self._sensors.values() for sensor in sensors]

    def in_canary(self, share: int) -> set[str]:
        """The sources (`domain/source_id`) in the canary at a share."""
        settings = _running(share)
        return {f"iot/{device}" for device in self.devices if settings.in_canary(device)}

    def fill(self, url: str, *others: SensorThresholds) -> None:
        """Write the thresholds into a database, beside those of other sensors."""
        engine = legacy_engine(url)
        create_tables(engine)
        fill(engine, LegacyService([*self.sensors, *others], {}, [], []))
        engine.dispose()

    def constrain(self, stack: LocalStack) -> None:
        """Write the constraints that the thresholds come to."""
        mapped = {str(its.sensor.key): to_constraints(its) for its in self.sensors}
        stack.constrain({scope: its.config for scope, its in mapped.items() if its})

    def next_requests(self) -> list[Request]:
        """A request of each device, later than those before."""
        self._round += 1
        return [self._request(device, self._round) for device in self.devices]

    def _request(self, device: str, number: int) -> Request:
        points, expected = [], {}
        for place, value in enumerate(_VALUES):
            timestamp = NOW + _SECONDS_BETWEEN * (number * len(_VALUES) + place)
            for its in self._sensors[device]:
                key = its.sensor.key
                points.append(
                    DataPoint(
                        domain=key.domain,
                        source_id=key.source_id,
                        stream_id=key.stream_id,
                        value=value,
                        timestamp=timestamp,
                    )
                )
                expected[key.stream_id, timestamp] = self._class_of(its, value, timestamp)
        return Request(points, expected)

    def _class_of(self, its: SensorThresholds, value: float, timestamp: float) -> str:
        stream_id = its.sensor.key.stream_id
        verdict = evaluate(value, timestamp, latest=self._latest.get(stream_id), thresholds=its)
        if value <= _PHYSICAL_MAX:
            self._latest[stream_id] = LatestReading(value, timestamp)
        return class_of(verdict).value


_PHYSICAL_MAX = 100.0


def _a_sensor(sensor_id: int, device: str) -> SensorThresholds:
    return thresholds(
        sensor_id,
        updated_at=NOW,
        uuid=str(uuid.uuid4()),
        device_uuid=device,
        physical_min=0.0,
        physical_max=_PHYSICAL_MAX,
        threshold_min=10.0,
        threshold_max=90.0,
        warning_min=20.0,
        warning_max=80.0,
        abs_delta=30.0,
    )


def _new_ids(count: int, above: int, up_to: int) -> list[str]:
    """Ids that are in the canary at the share `up_to`, and not at `above`."""
    before, after = _running(above), _running(up_to)
    found: list[str] = []
    while len(found) < count:
        device = str(uuid.uuid4())
        if after.in_canary(device) and not before.in_canary(device):
            found.append(device)
    return found


def _running(share: int) -> TrialSettings:
    return TrialSettings(phase=Phase.RUNNING, share=share)
