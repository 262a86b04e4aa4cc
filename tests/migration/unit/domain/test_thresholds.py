"""A sensor of the legacy tables: its stream, and its rows in force."""

import pytest

from afluente.domain.faults import FaultCode, FaultyError
from afluente.migration.domain.thresholds import SensorThresholds
from tests.factories import fields_and_codes
from tests.migration.thresholds import DEVICE, a_delta, a_sensor, an_alert, thresholds


def test_the_stream_of_a_sensor_has_its_device_as_source() -> None:
    assert str(a_sensor(42).key) == f"iot/{DEVICE}/42"


def test_a_sensor_without_a_device_has_the_source_that_stands_for_none() -> None:
    assert str(a_sensor(42, device_uuid=None).key) == "iot/_/42"


def test_a_device_that_cannot_be_part_of_a_key_is_named_by_its_column() -> None:
    with pytest.raises(FaultyError) as refused:
        _ = a_sensor(device_uuid="plant/7").key

    assert fields_and_codes(refused.value.faults) == [("devices.uuid", FaultCode.FORBIDDEN_CHARACTER)]


def test_of_several_active_rows_the_one_changed_last_is_in_force() -> None:
    first, last, off = an_alert(9, updated_at=1), an_alert(3, updated_at=2), an_alert(10, updated_at=3, active=False)

    assert SensorThresholds(sensor=a_sensor(), alerts=(first, last, off)).alert is last


def test_of_rows_changed_at_once_the_one_added_last_is_in_force() -> None:
    assert SensorThresholds(sensor=a_sensor(), deltas=(a_delta(4), a_delta(7), a_delta(5))).delta == a_delta(7)


def test_inactive_rows_are_not_in_force() -> None:
    its = SensorThresholds(sensor=a_sensor(), alerts=(an_alert(active=False),), deltas=())

    assert (its.alert, its.delta, its.updated_at) == (None, None, 0)


def test_active_rows_that_another_outdoes_are_duplicates() -> None:
    alerts = (an_alert(3), an_alert(1), an_alert(2, active=False))
    deltas = (a_delta(4, updated_at=9), a_delta(5))

    its = SensorThresholds(sensor=a_sensor(), alerts=alerts, deltas=deltas)

    assert its.duplicates == ("alert_thresholds:1", "delta_thresholds:5")
    assert thresholds(physical_max=1).duplicates == ()


def test_rows_that_were_put_out_of_force_are_a_change_too() -> None:
    its = SensorThresholds(
        sensor=a_sensor(), alerts=(an_alert(updated_at=5),), deltas=(a_delta(active=False, updated_at=8),)
    )

    assert (its.updated_at, its.changed_at) == (5, 8)
    assert thresholds().changed_at == 0


def test_where_a_row_in_force_does_not_say_when_it_was_changed_nobody_knows() -> None:
    its = SensorThresholds(sensor=a_sensor(), alerts=(an_alert(updated_at=5),), deltas=(a_delta(),))

    assert its.changed_at == 0
