"""The look-up of legacy thresholds, and its cache."""

from collections.abc import Callable, Iterable, Mapping

import pytest

from afluente.application.errors import UnavailableError
from afluente.domain.stream_keys import StreamKey
from afluente.migration.adapters.memory import MemoryLegacyTables
from afluente.migration.application.thresholds_lookup import ThresholdsLookup
from afluente.migration.domain.thresholds import SensorThresholds
from tests.factories import Clock, a_key
from tests.migration.thresholds import thresholds

THERE = thresholds(42, physical_max=9)
MISSING = a_key("43")


class Tables(MemoryLegacyTables):
    """Tables in memory that can be unavailable, and note the streams that they are asked for."""

    def __init__(self) -> None:
        super().__init__([THERE])
        self.asked: list[set[StreamKey]] = []
        self.away = False

    def find(self, streams: Iterable[StreamKey]) -> Mapping[StreamKey, SensorThresholds]:
        if self.away:
            raise UnavailableError("away")
        self.asked.append(set(streams))
        return super().find(self.asked[-1])


def a_lookup(tables: Tables, clock: Callable[[], float] | None = None) -> ThresholdsLookup:
    return ThresholdsLookup(tables, ttl_seconds=60, clock=clock or Clock())


def test_thresholds_and_their_absence_are_found_in_one_call_and_cached() -> None:
    tables = Tables()
    lookup = a_lookup(tables)

    for _ in range(2):
        assert lookup.find([THERE.sensor.key, MISSING]) == {THERE.sensor.key: THERE, MISSING: None}
    assert tables.asked == [{THERE.sensor.key, MISSING}]


def test_streams_of_other_domains_are_asked_nothing_of() -> None:
    tables = Tables()
    other = a_key("42", domain="health")

    assert a_lookup(tables).find([other]) == {other: None}
    assert tables.asked == []


def test_a_change_is_in_force_once_the_time_to_live_has_passed() -> None:
    tables, clock = Tables(), Clock()
    lookup = a_lookup(tables, clock)
    key = THERE.sensor.key
    assert lookup.find([key]) == {key: THERE}

    changed = thresholds(42, physical_max=8)
    tables.put(changed)
    clock.now += 59.9
    assert lookup.find([key]) == {key: THERE}
    clock.now += 0.1
    assert lookup.find([key]) == {key: changed}


def test_while_the_database_is_unavailable_cached_streams_and_those_of_no_sensor_are_known() -> None:
    tables = Tables()
    lookup = a_lookup(tables)
    key, other = THERE.sensor.key, a_key("temperature")
    lookup.find([key])
    tables.away = True

    found = lookup.find_now([key, other, MISSING])

    assert found.known == {key: THERE, other: None}
    assert [(key, str(error)) for key, error in found.unavailable.items()] == [(MISSING, "away")]


def test_a_database_that_is_known_to_be_away_is_not_asked() -> None:
    tables = Tables()

    found = a_lookup(tables).find_now([THERE.sensor.key], absence=UnavailableError("away"))

    assert (found.known, [*found.unavailable], tables.asked) == ({}, [THERE.sensor.key], [])


def test_an_unavailable_database_is_reported_and_not_cached() -> None:
    tables = Tables()
    lookup = a_lookup(tables)
    key = THERE.sensor.key
    tables.away = True
    with pytest.raises(UnavailableError):
        lookup.find([key])

    tables.away = False
    assert lookup.find([key]) == {key: THERE}


def test_cached_thresholds_are_found_though_the_database_is_unavailable() -> None:
    tables = Tables()
    lookup = a_lookup(tables)
    key = THERE.sensor.key
    lookup.find([key])
    tables.away = True

    assert lookup.find([key]) == {key: THERE}
