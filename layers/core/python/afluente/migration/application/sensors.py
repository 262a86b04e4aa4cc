"""The sensor directory: the streams of readings that name their sensor by its number or its UUID."""

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Protocol

from afluente.application.read_through_cache import ReadThroughCache
from afluente.domain.stream_keys import MISSING_SOURCE
from afluente.migration.domain.thresholds import Sensor, SensorName

CACHED_SENSORS = 100_000

_UUID = re.compile(r"(?:urn:uuid:)?\{?([0-9a-f]{8})-?([0-9a-f]{4})-?([0-9a-f]{4})-?([0-9a-f]{4})-?([0-9a-f]{12})\}?")


class SensorDirectory(Protocol):
    """The sensor directory as the functions read it.

    Every method raises `UnavailableError` if the store does not answer.
    """

    def resolve(self, names: Collection[SensorName]) -> Mapping[SensorName, Sensor]:
        """The entries of those sensors that have one, as they may have been a moment ago."""
        ...


class WritableSensorDirectory(SensorDirectory, Protocol):
    """The sensor directory as the migration fills it."""

    def fetch(self, sensor_ids: Iterable[int]) -> Mapping[int, Sensor]:
        """The current entries of those sensors that have one; without their types."""
        ...

    def put_many(self, sensors: Sequence[Sensor]) -> None:
        """Enter the sensors, each under its id and under its UUID if it has one; repeating it changes nothing."""
        ...


class SensorLookup:
    """Looks sensors up through a cache, which holds absent sensors too.

    A new entry is in force everywhere once `ttl_seconds` have passed.
    """

    def __init__(self, directory: SensorDirectory, *, ttl_seconds: float, clock: Callable[[], float]) -> None:
        self._sensors: ReadThroughCache[SensorName, Sensor] = ReadThroughCache(
            directory.resolve, size=CACHED_SENSORS, ttl_seconds=ttl_seconds, clock=clock
        )

    def find(self, names: Iterable[SensorName]) -> dict[SensorName, Sensor | None]:
        """The entry of each sensor, None without one.

        Raises:
            UnavailableError: the directory does not answer for a sensor that is not cached.
        """
        return self._sensors.find(names)


def canonical_uuid(text: str) -> str | None:
    """A UUID in lower case with dashes, in whatever form it is written; None if the text is no UUID."""
    match = _UUID.fullmatch(text.strip().lower())
    return "-".join(match.groups()) if match else None


def may_name_sensor(stream_id: str) -> bool:
    """True if a stream can be that of a sensor: its name is a number or a UUID."""
    return (stream_id.isascii() and stream_id.isdecimal()) or canonical_uuid(stream_id) is not None


def needs_directory(sensor: SensorName, device: str | None) -> bool:
    """True if a reading does not name its stream completely."""
    return device is None or isinstance(sensor, str)


def source_and_stream(sensor: SensorName, device: str | None, entry: Sensor | None) -> tuple[str, str]:
    """The source and the stream of a reading.

    Args:
        sensor: as the reading names it.
        device: the UUID of the device that the reading names; it takes precedence over the directory's.
        entry: of the sensor in the directory.
    """
    if entry is None:
        return device or MISSING_SOURCE, str(sensor)
    return device or entry.device_uuid or MISSING_SOURCE, str(entry.sensor_id)
