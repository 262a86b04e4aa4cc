"""Hashes of both sides: equal for the same values, before and after they were stored."""

import math
from typing import Any

import msgspec
import pytest
from hypothesis import given

from afluente.domain.constraints import Severity, StreamConfig
from afluente.domain.faults import FaultyError
from afluente.migration.application.records import NOTHING_THERE, hash_of_constraints, hash_of_rows
from afluente.migration.domain.mapping import to_constraints
from afluente.migration.domain.thresholds import SensorThresholds
from tests.factories import a_config
from tests.migration.thresholds import a_delta, a_sensor, all_thresholds, an_alert, thresholds


@given(all_thresholds)
def test_constraints_have_the_same_hash_after_they_were_stored(its: SensorThresholds) -> None:
    try:
        found = to_constraints(its)
    except FaultyError:
        return
    config = found.config if found else StreamConfig()

    stored = msgspec.json.decode(msgspec.json.encode(config), type=StreamConfig)

    assert hash_of_constraints(stored) == hash_of_constraints(config)


def test_nothing_has_a_hash_of_its_own() -> None:
    assert hash_of_constraints(None) == hash_of_rows(None) == NOTHING_THERE
    assert hash_of_constraints(StreamConfig()) != NOTHING_THERE != hash_of_rows(thresholds())


@pytest.mark.parametrize(
    "fields",
    [
        {"stream_id": "a"},
        {"stream_type": "a"},
        {"source_id": "a"},
        {"max_value": 1},
        {"alert_max": 1},
        {"abs_delta": 1},
        {"severity": Severity.CRITICAL},
        {"consecutive_violations_required": 4},
        {"cooldown_seconds": 301},
        {"metadata": {"a": 1}},
    ],
    ids=str,
)
def test_constraints_that_differ_in_a_field_have_another_hash(fields: dict[str, Any]) -> None:
    assert hash_of_constraints(a_config(**fields)) != hash_of_constraints(a_config())


def test_numbers_that_are_the_same_have_the_same_hash() -> None:
    one, other = a_config(min_value=0, cooldown_seconds=300), a_config(min_value=-0.0, cooldown_seconds=300.0)

    assert hash_of_constraints(one) == hash_of_constraints(other)


@pytest.mark.parametrize(
    "its",
    [
        thresholds(physical_max=2, abs_delta=1),
        thresholds(physical_max=math.nan, abs_delta=1),
        thresholds(physical_max=1, abs_delta=2),
        thresholds(physical_max=1),
        thresholds(abs_delta=1),
        thresholds(physical_max=1, abs_delta=1, device_uuid=None),
        thresholds(physical_max=1, abs_delta=1, sensor_type="x"),
        thresholds(physical_max=1, abs_delta=1, cooldown_seconds=1),
    ],
    ids=repr,
)
def test_rows_that_differ_have_another_hash(its: SensorThresholds) -> None:
    assert hash_of_rows(its) != hash_of_rows(thresholds(physical_max=1, abs_delta=1))


def test_ids_times_and_rows_that_are_not_in_force_are_no_difference() -> None:
    one = SensorThresholds(sensor=a_sensor(), alerts=(an_alert(1, physical_max=1),), deltas=(a_delta(2, abs_delta=1),))
    other = SensorThresholds(
        sensor=a_sensor(),
        alerts=(an_alert(7, physical_max=1, updated_at=9), an_alert(8, active=False)),
        deltas=(a_delta(9, abs_delta=1.0), a_delta(3, abs_delta=5)),
    )

    assert hash_of_rows(one) == hash_of_rows(other)
