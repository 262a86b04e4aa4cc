"""The selection of sensors by name."""

import pytest

from afluente.migration.application.selection import Selection
from tests.migration.thresholds import DEVICE, UUID, a_sensor


@pytest.mark.parametrize("name", ["42", UUID, UUID.upper(), UUID.replace("-", ""), DEVICE, f" 41,{DEVICE.upper()} , "])
def test_a_sensor_is_named_by_its_id_its_uuid_or_its_device(name: str) -> None:
    assert Selection.of([name]).includes(a_sensor(42))
    assert not Selection.of([], [name]).includes(a_sensor(42))


def test_another_sensor_is_not_meant() -> None:
    assert not Selection.of(["43"]).includes(a_sensor(42))
    assert Selection.of([], ["43"]).includes(a_sensor(42))


def test_an_empty_selection_includes_all() -> None:
    assert Selection.of([" , "]).includes(a_sensor(42, uuid=None, device_uuid=None))


def test_who_is_excluded_is_out_though_named() -> None:
    assert not Selection.of([DEVICE], ["42"]).includes(a_sensor(42))


def test_the_same_names_in_another_order_are_the_same_selection() -> None:
    assert str(Selection.of(["b", "a"], ["C"])) == str(Selection.of(["A, b"], ["c"])) == "only=a,b exclude=c"
