"""Templates of domains: those that come with afluente are sound, and all faults of a file are reported."""

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml

from cli.core.errors import CommandError, ExitCode
from cli.domains import templates
from cli.domains.templates import TemplateError

GOOD: dict[str, Any] = {
    "description": "Smart meters",
    "constraints": [
        {"value_constraints": {"min_value": -1e6}},
        {"stream_type": "voltage", "value_constraints": {"warning_max": 253}, "rate_constraints": {"abs_delta": 10}},
    ],
    "examples": [
        {"source_id": "m-1", "stream_id": "u", "stream_type": "voltage", "value": 260, "becomes": "warning"},
        {"source_id": "m-1", "stream_id": "p", "value": 3.1, "seconds_ago": 60, "becomes": "normal"},
    ],
}


def with_(**fields: Any) -> dict[str, Any]:
    return copy.deepcopy(GOOD) | fields


def faults_of(document: object) -> dict[str, str]:
    with pytest.raises(TemplateError) as refused:
        templates.parse(document, "energy")
    return {fault.field: fault.message for fault in refused.value.faults}


@pytest.mark.parametrize("name", ["iot", "infrastructure", "finance", "health"])
def test_a_template_that_comes_with_afluente_is_sound_and_shows_every_class(name: str) -> None:
    domain = templates.load(templates.find(name), "water")

    assert {entry.scope.partition("#")[0] for entry in domain.constraints} == {"water"}
    assert {str(example.becomes) for example in domain.template.examples} == {"alert", "warning", "anomaly", "normal"}
    assert all("unit" in entry.config.metadata for entry in domain.constraints)
    assert yaml.safe_load(templates.text_of(name))["description"] == domain.template.description


def test_the_constraints_of_a_template_are_those_of_the_domain() -> None:
    domain = templates.parse(GOOD, "energy")

    assert [entry.scope for entry in domain.constraints] == ["energy", "energy#voltage"]
    assert domain.constraints[1].config.value_constraints.warning_max == 253


def test_all_faults_of_a_template_are_reported_at_once() -> None:
    document = with_(
        colour="green",
        constraints=[
            {"stream_type": "voltage", "value_constraints": {"min_value": 10, "max_value": 1, "top": 3}},
            "nothing",
            {"key": "energy/a/b"},
            {"stream_type": "power", "value_constraints": {"max_value": "high"}},
            {"stream_type": "power"},
            {"stream_type": "power"},
        ],
        examples=[{"stream_id": "u", "value": "hot", "becomes": "hot", "seconds_ago": -1}],
    )
    del document["description"]

    assert faults_of(document) == {
        "description": "is required",
        "colour": "is not known; known are description, source, stream, constraints, examples",
        "constraints[0].value_constraints.min_value": (
            "min_value 10 is above max_value 1; lower the one or raise the other"
        ),
        "constraints[0].value_constraints.top": (
            "is not known; known are min_value, max_value, warning_min, warning_max, alert_min, alert_max"
        ),
        "constraints[1]": "must be an object",
        "constraints[2].key": "leave it out: the domain is the one that is added",
        "constraints[3].value_constraints.max_value": "must be a number, not a string",
        "constraints[5].stream_type": "energy#power has an entry in this document already; keep one of them",
        "examples[0].source_id": "is required",
        "examples[0].value": "must be a valid number",
        "examples[0].becomes": "must be 'alert', 'warning', 'anomaly' or 'normal'",
        "examples[0].seconds_ago": "must be greater than or equal to 0",
    }


@pytest.mark.parametrize("document", [None, [], "text"])
def test_a_document_that_is_no_object_is_reported_with_the_fields_of_one(document: object) -> None:
    assert faults_of(document) == {
        "template": "must be an object with description, source, stream, constraints, examples"
    }


def test_an_example_of_another_class_says_which_and_why() -> None:
    examples = [
        {"source_id": "m-1", "stream_id": "u", "stream_type": "voltage", "value": 231, "becomes": "normal"},
        {
            "source_id": "m-1",
            "stream_id": "u",
            "stream_type": "voltage",
            "value": 215,
            "seconds_ago": 60,
            "becomes": "alert",
        },
    ]

    assert faults_of(with_(examples=examples)) == {
        "examples[0].becomes": "is anomaly by the constraints (rate_of_change: abs_delta), not normal",
        "examples[1].becomes": "is normal by the constraints (within_constraints), not alert",
    }


def test_two_examples_of_one_stream_have_times_of_their_own() -> None:
    example = {"source_id": "m-1", "stream_id": "p", "value": 3.1, "becomes": "normal"}

    assert faults_of(with_(examples=[example, example])) == {
        "examples[1].seconds_ago": "another example of its stream is of the same time"
    }


def test_an_example_that_is_no_point_is_a_fault() -> None:
    example = {"source_id": "m/1", "stream_id": "p", "value": float("nan"), "becomes": "normal"}

    assert faults_of(with_(examples=[example])).keys() == {"examples[0].source_id", "examples[0].value"}


def test_a_template_is_found_by_name_or_by_path(tmp_path: Path) -> None:
    own = tmp_path / "energy.yaml"
    own.write_text(yaml.safe_dump(GOOD))

    assert templates.find(str(own)) == own
    assert templates.find("health").name == "health.yaml"
    with pytest.raises(CommandError, match="neither a template nor a file") as refused:
        templates.find("nowhere.yaml")
    assert refused.value.code is ExitCode.USAGE
    assert "domains show iot > nowhere.yaml" in refused.value.hint


def test_an_unknown_template_is_reported_with_the_known_ones() -> None:
    with pytest.raises(CommandError) as refused:
        templates.text_of("../secret")

    assert refused.value.hint == "those that come with afluente are finance, health, infrastructure, iot"
