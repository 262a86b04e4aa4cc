"""Constraint documents: entries with scopes and constraints, and their faults."""

import json
from datetime import date
from math import nan
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from afluente.application.constraints.documents import ConstraintEntry, entry_of, parse_document, parse_entry
from afluente.domain.constraints import RateConstraints, Severity, StreamConfig, ValueConstraints
from afluente.domain.faults import FaultCode, FaultyError
from tests import strategies
from tests.factories import fields_and_codes

REAL_DOCUMENT = Path(__file__).parents[4] / "data" / "constraints.json"

KEY = "iot/furnace-1/temperature"


def faults_of_entry(entry: object) -> list[tuple[str, FaultCode]]:
    with pytest.raises(FaultyError) as error:
        parse_entry(entry)
    return fields_and_codes(error.value.faults)


def test_metadata_is_converted_to_json() -> None:
    entry = parse_entry({"key": KEY, "metadata": {"since": date(2024, 1, 2), 7: "seven"}})

    assert entry.config.metadata == {"since": "2024-01-02", "7": "seven"}


@pytest.mark.parametrize(
    "entry",
    [
        {"key": KEY, "stream_type": "wind", "value_constraints": {"max_value": 1.0}, "metadata": {"a": [1]}},
        {"domain": "iot", "stream_type": "wind", "rate_constraints": {"abs_delta": 1.0}},
        {"domain": "iot", "cooldown_seconds": 60},
    ],
)
def test_constraints_are_rendered_as_the_entry_that_they_came_from(entry: dict[str, Any]) -> None:
    parsed = parse_entry(entry)

    assert entry_of(parsed.scope, msgspec.to_builtins(parsed.config)) == entry


# --- scopes ----------------------------------------------------------------------------------------------------------


def test_an_entry_with_a_key_is_for_that_stream() -> None:
    entry = parse_entry({"key": KEY, "stream_type": "thermocouple"})

    assert entry.scope == KEY
    assert (entry.config.source_id, entry.config.stream_id) == ("furnace-1", "temperature")
    assert entry.config.stream_type == "thermocouple"


def test_an_entry_with_a_domain_and_a_type_is_a_template_for_streams_of_that_type() -> None:
    entry = parse_entry({"domain": "iot", "stream_type": "thermocouple"})

    assert entry.scope == "iot#thermocouple"
    assert (entry.config.stream_id, entry.config.stream_type) == (None, "thermocouple")


def test_an_entry_with_a_domain_alone_is_a_template_for_all_its_streams() -> None:
    assert parse_entry({"domain": "iot"}) == ConstraintEntry("iot", StreamConfig())


def test_an_entry_without_key_and_domain_has_no_scope() -> None:
    assert faults_of_entry({"stream_type": "thermocouple"}) == [("key", FaultCode.MISSING)]


def test_an_entry_with_key_and_domain_contradicts_itself() -> None:
    assert faults_of_entry({"key": KEY, "domain": "iot"}) == [("key", FaultCode.CONTRADICTION)]


# --- fields of an entry ----------------------------------------------------------------------------------------------


def test_an_entry_has_all_fields_of_constraints() -> None:
    entry = parse_entry(
        {
            "key": KEY,
            "value_constraints": {"min_value": 0, "max_value": 100.5, "warning_max": None},
            "rate_constraints": {"abs_delta": 5, "rel_slope": None, "severity": "critical"},
            "consecutive_violations_required": 1,
            "cooldown_seconds": 0.5,
            "metadata": {"owner": "plant 7"},
        }
    )

    assert entry.config == StreamConfig(
        source_id="furnace-1",
        stream_id="temperature",
        value_constraints=ValueConstraints(min_value=0.0, max_value=100.5),
        rate_constraints=RateConstraints(abs_delta=5.0, severity=Severity.CRITICAL),
        consecutive_violations_required=1,
        cooldown_seconds=0.5,
        metadata={"owner": "plant 7"},
    )


def test_annotations_are_ignored() -> None:
    assert parse_entry({"key": KEY, "file": "plant.csv", "column": "temp"}) == parse_entry({"key": KEY})


@pytest.mark.parametrize(
    ("fields", "faults"),
    [
        ({"key": "iot/furnace-1"}, [("key", FaultCode.OUT_OF_RANGE)]),
        ({"key": 7}, [("key", FaultCode.OUT_OF_RANGE)]),
        ({"key": f"{'x' * 32}/{'😀' * 128}/{'😀' * 128}"}, [("key", FaultCode.TOO_LONG)]),
        ({"key": "iot//temperature"}, [("source_id", FaultCode.EMPTY)]),
        ({"stream_type": "a/b"}, [("stream_type", FaultCode.FORBIDDEN_CHARACTER)]),
        ({"unit": "celsius"}, [("unit", FaultCode.UNKNOWN_FIELD)]),
        ({7: "celsius"}, [("7", FaultCode.UNKNOWN_FIELD)]),
        ({"value_constraints": None}, [("value_constraints", FaultCode.WRONG_TYPE)]),
        ({"value_constraints": [0, 1]}, [("value_constraints", FaultCode.WRONG_TYPE)]),
        ({"value_constraints": {"max": 1}}, [("value_constraints.max", FaultCode.UNKNOWN_FIELD)]),
        ({"value_constraints": {"min_value": "0"}}, [("value_constraints.min_value", FaultCode.WRONG_TYPE)]),
        ({"value_constraints": {"min_value": True}}, [("value_constraints.min_value", FaultCode.WRONG_TYPE)]),
        ({"value_constraints": {"min_value": nan}}, [("value_constraints.min_value", FaultCode.NOT_FINITE)]),
        ({"value_constraints": {"min_value": 10**400}}, [("value_constraints.min_value", FaultCode.NOT_FINITE)]),
        (
            {"value_constraints": {"min_value": 2, "max_value": 1}},
            [("value_constraints.min_value", FaultCode.IMPOSSIBLE)],
        ),
        ({"rate_constraints": 5}, [("rate_constraints", FaultCode.WRONG_TYPE)]),
        ({"rate_constraints": {"abs_delta": -1}}, [("rate_constraints.abs_delta", FaultCode.IMPOSSIBLE)]),
        ({"rate_constraints": {"abs_delta": {}}}, [("rate_constraints.abs_delta", FaultCode.WRONG_TYPE)]),
        ({"rate_constraints": {"severity": "grave"}}, [("rate_constraints.severity", FaultCode.OUT_OF_RANGE)]),
        ({"rate_constraints": {"severity": ["alert"]}}, [("rate_constraints.severity", FaultCode.OUT_OF_RANGE)]),
        ({"consecutive_violations_required": 0}, [("consecutive_violations_required", FaultCode.OUT_OF_RANGE)]),
        ({"consecutive_violations_required": 2.0}, [("consecutive_violations_required", FaultCode.WRONG_TYPE)]),
        ({"consecutive_violations_required": True}, [("consecutive_violations_required", FaultCode.WRONG_TYPE)]),
        ({"cooldown_seconds": None}, [("cooldown_seconds", FaultCode.WRONG_TYPE)]),
        ({"cooldown_seconds": -1}, [("cooldown_seconds", FaultCode.OUT_OF_RANGE)]),
        ({"cooldown_seconds": 10**400}, [("cooldown_seconds", FaultCode.OUT_OF_RANGE)]),
        ({"metadata": "plant 7"}, [("metadata", FaultCode.WRONG_TYPE)]),
        ({"metadata": {"text": "x" * 5_000}}, [("metadata", FaultCode.TOO_LONG)]),
        ({"metadata": {"number": nan}}, [("metadata", FaultCode.NOT_FINITE)]),
        ({"metadata": {"text": "\ud800"}}, [("metadata", FaultCode.FORBIDDEN_CHARACTER)]),
        (
            {"value_constraints": {"warning_min": 3, "alert_max": 2}},
            [("value_constraints.warning_min", FaultCode.IMPOSSIBLE)],
        ),
    ],
)
def test_a_fault_of_an_entry_names_its_field_and_its_kind(
    fields: dict[str, Any], faults: list[tuple[str, FaultCode]]
) -> None:
    assert faults_of_entry({"key": KEY} | fields) == faults


@pytest.mark.parametrize("domain", ["IoT", 5, None])
def test_a_template_names_a_domain(domain: object) -> None:
    ((field, _),) = faults_of_entry({"domain": domain})

    assert field == "domain"


def test_no_fault_of_an_entry_hides_another() -> None:
    assert faults_of_entry(
        {
            "key": "iot/furnace-1",
            "stream_type": "",
            "unit": "celsius",
            "value_constraints": {"min": 0, "max_value": "hot", "warning_min": 5, "warning_max": 1},
            "rate_constraints": {"severity": "grave", "abs_delta": -1, "delta": 1},
            "consecutive_violations_required": "three",
            "cooldown_seconds": -1,
        }
    ) == [
        ("unit", FaultCode.UNKNOWN_FIELD),
        ("stream_type", FaultCode.EMPTY),
        ("key", FaultCode.OUT_OF_RANGE),
        ("value_constraints.min", FaultCode.UNKNOWN_FIELD),
        ("value_constraints.max_value", FaultCode.WRONG_TYPE),
        ("value_constraints.warning_min", FaultCode.IMPOSSIBLE),
        ("rate_constraints.severity", FaultCode.OUT_OF_RANGE),
        ("rate_constraints.delta", FaultCode.UNKNOWN_FIELD),
        ("rate_constraints.abs_delta", FaultCode.IMPOSSIBLE),
        ("consecutive_violations_required", FaultCode.WRONG_TYPE),
        ("cooldown_seconds", FaultCode.OUT_OF_RANGE),
    ]


@pytest.mark.parametrize("entry", [None, 5, "iot", []])
def test_an_entry_is_an_object(entry: object) -> None:
    assert faults_of_entry(entry) == [("entry", FaultCode.WRONG_TYPE)]


_fields = st.sampled_from(
    ["key", "domain", "stream_type", "value_constraints", "rate_constraints", "cooldown_seconds", "metadata", "unit"]
)
_tables = st.dictionaries(
    st.sampled_from(["min_value", "max_value", "alert_min", "abs_delta", "severity", "unit"]), strategies.anything
)


@given(st.dictionaries(_fields, strategies.anything | _tables | st.just(KEY)))
def test_any_entry_is_valid_or_has_faults(entry: dict[str, object]) -> None:
    valid, faulty = parse_document([entry])

    assert len(valid) + len(faulty) == 1
    assert all(entry.faults for entry in faulty)


# --- documents -------------------------------------------------------------------------------------------------------


def test_a_document_is_an_object_with_streams_or_the_list_alone() -> None:
    entries = [{"key": KEY}, {"domain": "iot"}]

    assert parse_document({"streams": entries}) == parse_document(entries)
    assert [entry.scope for entry in parse_document(entries)[0]] == [KEY, "iot"]


@pytest.mark.parametrize("document", [None, 5, "streams", {}, {"streams": {}}, {"streams": None}])
def test_a_document_without_a_list_of_entries_is_faulty(document: object) -> None:
    valid, (faulty,) = parse_document(document)

    assert valid == []
    assert fields_and_codes(faulty.faults) == [("streams", FaultCode.WRONG_TYPE)]


def test_the_faults_of_all_entries_are_named_and_the_valid_ones_are_read() -> None:
    valid, faulty = parse_document(
        [
            {"key": "iot/furnace-1", "unit": "celsius"},
            {"key": KEY},
            {"domain": "iot", "stream_type": 5},
            "furnace-2",
        ]
    )

    assert [entry.scope for entry in valid] == [KEY]
    assert [(entry.index, entry.name, fields_and_codes(entry.faults)) for entry in faulty] == [
        (0, "iot/furnace-1", [("unit", FaultCode.UNKNOWN_FIELD), ("key", FaultCode.OUT_OF_RANGE)]),
        (2, "iot#5", [("stream_type", FaultCode.WRONG_TYPE)]),
        (3, "", [("entry", FaultCode.WRONG_TYPE)]),
    ]


@pytest.mark.parametrize("entry", [{"key": KEY}, {"domain": "iot"}, {"domain": "iot", "stream_type": "wind"}])
def test_a_second_entry_for_one_scope_is_a_fault_of_the_second(entry: dict[str, Any]) -> None:
    valid, (faulty,) = parse_document([entry | {"cooldown_seconds": 1}, entry | {"cooldown_seconds": 2}])

    assert [one.config.cooldown_seconds for one in valid] == [1]
    assert (faulty.index, fields_and_codes(faulty.faults)) == (1, [("key", FaultCode.CONTRADICTION)])


def test_a_second_entry_for_a_scope_is_valid_if_the_first_is_faulty() -> None:
    valid, faulty = parse_document([{"key": KEY, "cooldown_seconds": -1}, {"key": KEY, "cooldown_seconds": 2}])

    assert [one.config.cooldown_seconds for one in valid] == [2]
    assert [one.index for one in faulty] == [0]


def test_the_constraints_of_the_nine_real_streams_are_those_of_the_file() -> None:
    document = json.loads(REAL_DOCUMENT.read_text())

    valid, faulty = parse_document(document)

    assert faulty == []
    for entry, written in zip(valid, document["streams"], strict=True):
        given = {name: value for name, value in written.items() if name not in ("key", "file", "column")}
        read = msgspec.to_builtins(entry.config)
        assert entry.scope == written["key"]
        assert {name: read.get(name, getattr(entry.config, name)) for name in given} == given
