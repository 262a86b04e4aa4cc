"""Data points: what one is, and every fault that keeps something from being one."""

from collections.abc import Callable
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from afluente.domain.datapoints import (
    MAX_METADATA_BYTES,
    MAX_METADATA_DEPTH,
    MAX_SEQUENCE,
    DataPoint,
    arrival_fault,
    faults_of,
    is_deeper_than,
)
from afluente.domain.faults import FaultCode, FaultyError
from afluente.domain.stream_keys import StreamKey
from tests import strategies
from tests.factories import NOW, a_point, fields_and_codes

SOUND: dict[str, Any] = {"domain": "iot", "stream_id": "temperature", "value": 20.5, "timestamp": NOW}


def nested(levels: int) -> dict[str, Any]:
    """An object with `levels` objects inside each other."""
    value: dict[str, Any] = {}
    for _ in range(levels - 1):
        value = {"deeper": value}
    return value


def metadata_of(size: int) -> dict[str, str]:
    """Metadata of `size` bytes as JSON."""
    return {"note": "x" * (size - len('{"note":""}'))}


# --- what a point is -------------------------------------------------------------------------------------------------


def test_a_point_needs_a_stream_a_value_and_a_time() -> None:
    point = DataPoint(domain="iot", stream_id="temperature", value=20.5, timestamp=NOW)

    assert point.source_id == "_"
    assert point.stream_type is None
    assert point.sequence is None
    assert point.metadata == {}
    assert point.key == StreamKey("iot", "_", "temperature")


def test_an_iot_reading_has_the_device_as_source_and_the_sensor_as_stream() -> None:
    point = DataPoint.from_iot_reading(
        "temperature", 20.5, NOW, device_uuid="furnace-1", sensor_type="thermocouple", sequence=7, metadata={"k": 1}
    )

    assert str(point.key) == "iot/furnace-1/temperature"
    assert (point.value, point.timestamp, point.stream_type, point.sequence) == (20.5, NOW, "thermocouple", 7)
    assert point.metadata == {"k": 1}


def test_a_server_metric_has_the_host_as_source_and_the_metric_as_type() -> None:
    point = DataPoint.from_server_metric("web-1", "cpu", 80, NOW, sequence=7, metadata={"k": 1})

    assert str(point.key) == "infrastructure/web-1/web-1:cpu"
    assert (point.value, point.timestamp, point.stream_type, point.sequence) == (80.0, NOW, "cpu", 7)
    assert point.metadata == {"k": 1}


def test_a_financial_tick_has_the_venue_as_source() -> None:
    point = DataPoint.from_financial_tick("ACME", 12.5, NOW, venue="XETR", field="bid", sequence=7, metadata={"k": 1})

    assert str(point.key) == "finance/XETR/ACME:bid"
    assert (point.value, point.timestamp, point.stream_type, point.sequence) == (12.5, NOW, "bid", 7)
    assert point.metadata == {"k": 1}


def test_a_vital_sign_has_the_patient_as_source() -> None:
    point = DataPoint.from_vital_sign("patient-9", "pulse", 61, NOW, sequence=7, metadata={"k": 1})

    assert str(point.key) == "health/patient-9/patient-9:pulse"
    assert (point.value, point.timestamp, point.stream_type, point.sequence) == (61.0, NOW, "pulse", 7)
    assert point.metadata == {"k": 1}


@pytest.mark.parametrize(
    "point",
    [
        DataPoint.from_iot_reading("temperature", 1, NOW),
        DataPoint.from_financial_tick("ACME", 1, NOW),
    ],
)
def test_a_factory_without_a_source_uses_the_missing_one(point: DataPoint) -> None:
    assert point.source_id == "_"
    assert point.metadata == {}


def test_a_factory_refuses_what_the_record_refuses() -> None:
    with pytest.raises(FaultyError) as error:
        DataPoint.from_server_metric("web/1", "cpu", float("nan"), NOW)

    assert fields_and_codes(error.value.faults) == [
        ("source_id", FaultCode.FORBIDDEN_CHARACTER),
        ("stream_id", FaultCode.FORBIDDEN_CHARACTER),
        ("value", FaultCode.NOT_FINITE),
    ]


def test_the_latency_is_the_time_from_arrival_to_classification_in_milliseconds() -> None:
    assert a_point(ingested_at=NOW, processed_at=NOW + 0.25).latency_ms == 250


@pytest.mark.parametrize("times", [{}, {"ingested_at": NOW}, {"processed_at": NOW}])
def test_there_is_no_latency_until_both_times_are_known(times: dict[str, float]) -> None:
    assert a_point(**times).latency_ms is None


@pytest.mark.parametrize(
    ("timestamp", "moment"),
    [
        (1_700_000_000.5, datetime(2023, 11, 14, 22, 13, 20, 500_000, tzinfo=UTC)),
        (0, datetime(1970, 1, 1, tzinfo=UTC)),
        (-0.5, datetime(1969, 12, 31, 23, 59, 59, 500_000, tzinfo=UTC)),
        (-62_135_596_800, datetime(1, 1, 1, tzinfo=UTC)),
        (253_402_300_799, datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)),
    ],
)
def test_the_time_of_a_point_is_an_aware_datetime_in_utc(timestamp: float, moment: datetime) -> None:
    assert DataPoint(**SOUND | {"timestamp": timestamp}).timestamp_datetime == moment


# --- numbers ---------------------------------------------------------------------------------------------------------


class Sensor(StrEnum):
    TEMPERATURE = "temperature"


class Celsius(float):
    """A double by another name, as numpy and pandas have them."""


@pytest.mark.parametrize("value", [20, 2**53, 10**308, -(10**308)])
def test_an_integer_becomes_a_double(value: int) -> None:
    point = DataPoint(**SOUND | {"value": value, "timestamp": 1_700_000_000})

    assert (type(point.value), point.value) == (float, float(value))
    assert type(point.timestamp) is float


def test_a_subclass_of_double_becomes_a_plain_one() -> None:
    point = DataPoint(**SOUND | {"value": Celsius(20.5), "timestamp": Celsius(NOW)})

    assert (type(point.value), type(point.timestamp)) == (float, float)
    assert (point.value, point.timestamp) == (20.5, NOW)


@pytest.mark.parametrize("field", ["domain", "source_id", "stream_id", "stream_type"])
def test_a_text_is_a_plain_string(field: str) -> None:
    assert fields_and_codes(faults_of(SOUND | {field: Sensor.TEMPERATURE})) == [(field, FaultCode.WRONG_TYPE)]


def test_negative_zero_is_a_value() -> None:
    assert str(a_point(-0.0).value) == "-0.0"


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf"), 10**309, -(10**400)])
def test_a_value_that_no_finite_double_holds_is_refused(value: float) -> None:
    assert fields_and_codes(faults_of(SOUND | {"value": value})) == [("value", FaultCode.NOT_FINITE)]


@pytest.mark.parametrize("value", [True, False, None, "20.5", "NaN", [20.5], {"v": 20.5}])
def test_a_value_is_a_number_and_nothing_that_looks_like_one(value: object) -> None:
    assert fields_and_codes(faults_of(SOUND | {"value": value})) == [("value", FaultCode.WRONG_TYPE)]


# --- every other fault -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("field", ["stream_id", "value", "timestamp"])
def test_a_required_field_is_missed(field: str) -> None:
    fields = {name: value for name, value in SOUND.items() if name != field}

    assert fields_and_codes(faults_of(fields)) == [(field, FaultCode.MISSING)]


@pytest.mark.parametrize(
    ("field", "value", "code"),
    [
        ("domain", "IoT", FaultCode.OUT_OF_RANGE),
        ("domain", 5, FaultCode.WRONG_TYPE),
        ("source_id", "", FaultCode.EMPTY),
        ("source_id", None, FaultCode.WRONG_TYPE),
        ("stream_id", "", FaultCode.EMPTY),
        ("stream_id", "x" * 129, FaultCode.TOO_LONG),
        ("stream_id", "a/b", FaultCode.FORBIDDEN_CHARACTER),
        ("stream_id", 7, FaultCode.WRONG_TYPE),
        ("timestamp", "2023-11-14T22:13:20Z", FaultCode.WRONG_TYPE),
        ("timestamp", True, FaultCode.WRONG_TYPE),
        ("timestamp", None, FaultCode.WRONG_TYPE),
        ("timestamp", float("nan"), FaultCode.NOT_FINITE),
        ("timestamp", 10**400, FaultCode.NOT_FINITE),
        ("timestamp", -62_135_596_801, FaultCode.OUT_OF_RANGE),
        ("timestamp", 253_402_300_800, FaultCode.OUT_OF_RANGE),
        ("stream_type", "", FaultCode.EMPTY),
        ("stream_type", 7, FaultCode.WRONG_TYPE),
        ("sequence", -1, FaultCode.NEGATIVE),
        ("sequence", MAX_SEQUENCE + 1, FaultCode.OUT_OF_RANGE),
        ("sequence", 1.0, FaultCode.WRONG_TYPE),
        ("sequence", "1", FaultCode.WRONG_TYPE),
        ("sequence", True, FaultCode.WRONG_TYPE),
        ("metadata", [], FaultCode.WRONG_TYPE),
        ("metadata", None, FaultCode.WRONG_TYPE),
        ("metadata", {"when": object()}, FaultCode.WRONG_TYPE),
        ("metadata", metadata_of(MAX_METADATA_BYTES + 1), FaultCode.TOO_LONG),
        ("metadata", nested(MAX_METADATA_DEPTH + 1), FaultCode.TOO_DEEP),
        ("metadata", {"a": [1.0, {"b": float("inf")}]}, FaultCode.NOT_FINITE),
        ("metadata", {"a": "\ud800"}, FaultCode.FORBIDDEN_CHARACTER),
        ("metadata", {"\udfff": 1}, FaultCode.FORBIDDEN_CHARACTER),
        ("metadata", {"a": 10**5000}, FaultCode.TOO_LONG),
        ("ingested_at", "now", FaultCode.WRONG_TYPE),
        ("processed_at", float("inf"), FaultCode.NOT_FINITE),
    ],
)
def test_a_fault_names_its_field_and_its_kind(field: str, value: object, code: FaultCode) -> None:
    raw = SOUND | {field: value}

    assert fields_and_codes(faults_of(raw)) == [(field, code)]
    with pytest.raises(FaultyError) as error:
        DataPoint(**raw)
    assert fields_and_codes(error.value.faults) == [(field, code)]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("stream_id", "x" * 128),
        ("timestamp", -62_135_596_800),
        ("timestamp", 253_402_300_799),
        ("sequence", 0),
        ("sequence", MAX_SEQUENCE),
        ("stream_type", "x" * 128),
        ("metadata", metadata_of(MAX_METADATA_BYTES)),
        ("metadata", nested(MAX_METADATA_DEPTH)),
        ("metadata", {"big": 2**64, "small": -(10**30), "\ufffe": "\uffff", "null": None}),
        ("ingested_at", 0),
        ("processed_at", -1.5),
    ],
)
def test_what_lies_on_a_limit_is_sound(field: str, value: object) -> None:
    raw = SOUND | {field: value}

    assert faults_of(raw) == ()
    assert getattr(DataPoint(**raw), field) == value


def test_every_fault_is_named_and_not_only_the_first() -> None:
    raw = {
        "domain": "IoT",
        "source_id": "a/b",
        "value": "hot",
        "timestamp": float("inf"),
        "stream_type": "",
        "sequence": -1,
        "metadata": [],
        "ingested_at": "now",
        "processed_at": "later",
    }

    assert [fault.field for fault in faults_of(raw)] == [
        "domain",
        "source_id",
        "stream_id",
        "value",
        "timestamp",
        "stream_type",
        "sequence",
        "metadata",
        "ingested_at",
        "processed_at",
    ]


def test_fields_that_a_point_does_not_have_are_passed_over() -> None:
    assert faults_of(SOUND | {"unit": "celsius"}) == ()


def _any_fields() -> st.SearchStrategy[dict[str, Any]]:
    names = [name for name in DataPoint.__struct_fields__ if name not in SOUND]
    return st.fixed_dictionaries(
        {name: st.just(value) | strategies.anything for name, value in SOUND.items()},
        optional=dict.fromkeys(names, strategies.anything),
    )


@given(_any_fields())
def test_a_record_is_refused_exactly_when_it_has_faults_and_with_those(raw: dict[str, Any]) -> None:
    expected = fields_and_codes(faults_of(raw))
    found: list[tuple[str, FaultCode]] = []
    try:
        DataPoint(**raw)
    except FaultyError as error:
        found = fields_and_codes(error.faults)

    assert found == expected


@given(strategies.datapoints())
def test_what_is_sound_has_no_faults(point: DataPoint) -> None:
    assert faults_of({name: getattr(point, name) for name in point.__struct_fields__}) == ()


# --- the time of a point against the time of its arrival -------------------------------------------------------------


@pytest.mark.parametrize("timestamp", [NOW + 300, NOW, NOW - 1e9, -1.0, NOW + 299.999])
def test_a_point_may_be_from_the_past_or_at_most_300_seconds_ahead(timestamp: float) -> None:
    assert arrival_fault(timestamp, NOW) is None


@pytest.mark.parametrize("timestamp", [NOW + 300.001, NOW + 86_400, 1e11 - 1])
def test_a_point_from_further_ahead_is_from_the_future(timestamp: float) -> None:
    fault = arrival_fault(timestamp, NOW)

    assert fault is not None
    assert (fault.field, fault.code) == ("timestamp", FaultCode.IN_FUTURE)
    assert "300 s are allowed" in fault.message


@pytest.mark.parametrize(
    ("timestamp", "unit", "divisor"),
    [
        (NOW * 1e3, "milliseconds", "1000"),
        ((NOW + 300) * 1e3, "milliseconds", "1000"),
        (1e11, "milliseconds", "1000"),
        (NOW * 1e6, "microseconds", "1000000"),
        (NOW * 1e9, "nanoseconds", "1000000000"),
    ],
)
def test_the_fault_of_a_time_in_a_finer_unit_names_the_unit(timestamp: float, unit: str, divisor: str) -> None:
    fault = arrival_fault(timestamp, NOW)

    assert fault is not None
    assert (fault.field, fault.code) == ("timestamp", FaultCode.NOT_SECONDS)
    assert f"can only be {unit}" in fault.message
    assert f"divide by {divisor}" in fault.message


@pytest.mark.parametrize("timestamp", [(NOW + 301) * 1e3, 1e21])
def test_a_time_that_is_ahead_in_every_unit_is_from_the_future(timestamp: float) -> None:
    fault = arrival_fault(timestamp, NOW)

    assert fault is not None
    assert fault.code is FaultCode.IN_FUTURE


# --- depth -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "levels"),
    [
        (1, 0),
        ({}, 1),
        ([], 1),
        ({"a": 1}, 1),
        ({"a": []}, 2),
        ([[], {"a": {}}], 3),
    ],
)
def test_depth_counts_the_objects_and_arrays_inside_each_other(value: object, levels: int) -> None:
    assert not is_deeper_than(levels, value)
    if levels:
        assert is_deeper_than(levels - 1, value)


def test_depth_is_measured_without_going_deep() -> None:
    value: list[Any] = []
    for _ in range(100_000):
        value = [value]

    assert is_deeper_than(MAX_METADATA_DEPTH, value)


@pytest.mark.parametrize("make", [a_point, lambda: a_point(metadata={"a": 1})])
def test_a_point_cannot_be_changed(make: Callable[[], DataPoint]) -> None:
    with pytest.raises(AttributeError):
        make().value = 5.0  # type: ignore[misc] # that is the point
