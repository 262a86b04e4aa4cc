"""The readings of a packet or a message, partitioned into valid and rejected ones."""

from collections.abc import Mapping, Sequence

import msgspec

from afluente.application.ingest.accept_points import PointsRequest
from afluente.application.ingest.rejection import RejectedPoint
from afluente.domain.stream_keys import MISSING_SOURCE
from afluente.migration.adapters.readings import LegacyReading, ReadingContext, read
from afluente.migration.domain.legacy_service import LEGACY_DOMAIN
from afluente.migration.domain.thresholds import Sensor, SensorName

FORM = "legacy"
"""The form of points, as the origin of a quarantined record names it."""


class LegacyReadings(msgspec.Struct, frozen=True):
    """The readings of a packet or a message.

    Attributes:
        transport: `http` or `mqtt`.
        readings: the valid ones, in their order.
        rejected: the others.
        device: the UUID of their device; None if only readings name one.
        received_at: the time of arrival, in Unix seconds.
        origin: more on their origin, for quarantined records.
    """

    transport: str
    readings: Sequence[LegacyReading]
    rejected: Sequence[RejectedPoint]
    device: str | None
    received_at: float
    origin: dict[str, str]

    @property
    def devices(self) -> set[str]:
        """The devices that the packet and its readings name."""
        return {name for name in (self.device, *(reading.device for reading in self.readings)) if name is not None}

    @property
    def to_look_up(self) -> set[SensorName]:
        """The sensors whose entries in the directory are needed."""
        return {name for reading in self.readings if (name := reading.to_look_up) is not None}

    def request(self, request_id: str, sensors: Mapping[SensorName, Sensor | None]) -> PointsRequest:
        """The points of the readings.

        Args:
            request_id: the transport's id of the packet or the message.
            sensors: entries of the directory.
        """
        points = [reading.point(sensors.get(reading.sensor)) for reading in self.readings]
        source_id = self.device or MISSING_SOURCE
        origin = {"form": FORM, **self.origin}
        return PointsRequest(
            request_id, self.transport, LEGACY_DOMAIN, source_id, self.received_at, points, self.rejected, origin
        )


def partition(
    items: Sequence[object], context: ReadingContext, now: float
) -> tuple[list[LegacyReading], list[RejectedPoint]]:
    """The valid readings among JSON values, and the rejected ones."""
    valid: list[LegacyReading] = []
    rejected: list[RejectedPoint] = []
    for index, raw in enumerate(items):
        reading = read(raw, context, now=now)
        if isinstance(reading, LegacyReading):
            valid.append(reading)
        else:
            rejected.append(RejectedPoint(index, reading, raw))
    return valid, rejected
