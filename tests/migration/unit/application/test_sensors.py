"""Streams of readings that name their sensor by its number or its UUID."""

from collections.abc import Collection, Mapping

import pytest

from afluente.application.errors import UnavailableError
from afluente.migration.adapters.memory import MemorySensors
from afluente.migration.application.sensors import (
    SensorLookup,
    canonical_uuid,
    may_name_sensor,
    needs_directory,
    source_and_stream,
)
from afluente.migration.domain.thresholds import Sensor, SensorName
from tests.factories import Clock
from tests.migration.thresholds import DEVICE, UUID, a_sensor

OTHER_DEVICE = "00000000-0000-4000-8000-000000000001"


class Directory(MemorySensors):
    """A directory that can be unavailable, and notes the names that it is asked for."""

    def __init__(self, *sensors: Sensor) -> None:
        super().__init__(sensors)
        self.asked: list[set[SensorName]] = []
        self.away = False

    def resolve(self, names: Collection[SensorName]) -> Mapping[SensorName, Sensor]:
        if self.away:
            raise UnavailableError("away")
        self.asked.append(set(names))
        return super().resolve(names)


def a_lookup(directory: Directory, clock: Clock | None = None) -> SensorLookup:
    return SensorLookup(directory, ttl_seconds=60, clock=clock or Clock())


# --- names -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text", [UUID, UUID.upper(), UUID.replace("-", ""), f"{{{UUID}}}", f"urn:uuid:{UUID}", f" {UUID}\n"]
)
def test_a_uuid_has_one_form_however_it_is_written(text: str) -> None:
    assert canonical_uuid(text) == UUID


@pytest.mark.parametrize("text", ["", "42", UUID[:-1], f"{UUID}0", UUID.replace("5", "g"), "furnace-1"])
def test_what_is_no_uuid_has_no_form(text: str) -> None:
    assert canonical_uuid(text) is None


@pytest.mark.parametrize(("stream_id", "may"), [("42", True), (UUID, True), ("furnace-1", False), ("٤٢", False)])
def test_a_stream_may_be_of_a_sensor_by_its_name(stream_id: str, may: bool) -> None:
    assert may_name_sensor(stream_id) is may


# --- streams ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sensor", "device", "entry", "expected"),
    [
        (42, DEVICE, None, (DEVICE, "42")),
        (42, None, a_sensor(), (DEVICE, "42")),
        (UUID, None, a_sensor(), (DEVICE, "42")),
        (UUID, DEVICE, a_sensor(), (DEVICE, "42")),
        (UUID, OTHER_DEVICE, a_sensor(), (OTHER_DEVICE, "42")),
        (UUID, None, a_sensor(device_uuid=None), ("_", "42")),
        (UUID, None, None, ("_", UUID)),
        (UUID, DEVICE, None, (DEVICE, UUID)),
        (42, None, None, ("_", "42")),
    ],
)
def test_the_directory_completes_what_a_reading_does_not_say(
    sensor: SensorName, device: str | None, entry: Sensor | None, expected: tuple[str, str]
) -> None:
    assert source_and_stream(sensor, device, entry) == expected


def test_a_reading_that_names_device_and_number_needs_no_directory() -> None:
    assert not needs_directory(42, DEVICE)
    assert needs_directory(42, None)
    assert needs_directory(UUID, DEVICE)


# --- looking up ------------------------------------------------------------------------------------------------------


def test_found_and_absent_sensors_are_cached_for_a_while() -> None:
    directory, clock = Directory(a_sensor()), Clock()
    lookup = a_lookup(directory, clock)

    assert lookup.find([UUID, 43]) == {UUID: a_sensor(), 43: None}
    assert lookup.find([UUID, 43]) == {UUID: a_sensor(), 43: None}
    assert directory.asked == [{UUID, 43}]

    directory.put_many([a_sensor(43, uuid=None)])
    clock.now += 61
    assert lookup.find([43]) == {43: a_sensor(43, uuid=None)}


def test_of_no_names_nothing_is_asked() -> None:
    directory = Directory()

    assert a_lookup(directory).find([]) == {}
    assert directory.asked == []


def test_an_unavailable_directory_is_not_cached() -> None:
    directory = Directory(a_sensor())
    lookup = a_lookup(directory)
    directory.away = True

    with pytest.raises(UnavailableError):
        lookup.find([42])
    directory.away = False
    assert lookup.find([42]) == {42: a_sensor()}
