"""Files of constraints: read with the place of what is wrong, written so that they can be read again."""

import json
from itertools import pairwise
from pathlib import Path

import msgspec
import pytest
import yaml

from afluente.adapters.memory.constraints import MemoryConstraints
from afluente.application.constraints.documents import entry_of, parse_entry
from cli.constraints.differences import differences
from cli.constraints.files import as_yaml, load
from cli.constraints.updates import Counts, apply
from cli.core.errors import CommandError, ExitCode

STREAM = {
    "key": "iot/furnace-1/furnace-1:value",
    "stream_type": "temperature",
    "value_constraints": {"min_value": 0.0, "max_value": 105.0},
    "rate_constraints": {"abs_delta": 6.0, "severity": "critical"},
    "consecutive_violations_required": 2,
    "cooldown_seconds": 3600.0,
    "metadata": {"owner": "hall 3"},
}
TYPE = {"domain": "iot", "stream_type": "temperature", "value_constraints": {"max_value": 105.0}}
BILLION = "a: &a [x]\n" + "".join(
    f"{here}: &{here} [{','.join([f'*{before}'] * 9)}]\n" for before, here in pairwise("abcdefghijk")
)
DOMAIN = {"domain": "iot", "value_constraints": {"max_value": 105.0}}


def write(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text)
    return path


@pytest.mark.parametrize("entry", [STREAM, TYPE, DOMAIN])
def test_what_is_shown_can_be_applied_again(tmp_path: Path, entry: dict[str, object]) -> None:
    parsed = parse_entry(entry)
    shown = entry_of(parsed.scope, msgspec.to_builtins(parsed.config))
    assert shown == entry
    assert load(write(tmp_path, "a.yaml", as_yaml({**shown, "version": 7}))) == ([parsed], [])
    assert load(write(tmp_path, "a.json", json.dumps([{**shown, "version": 7}]))) == ([parsed], [])


def test_json_and_yaml_say_the_same(tmp_path: Path) -> None:
    as_json = write(tmp_path, "a.json", '{"streams": [{"domain": "iot", "value_constraints": {"max_value": 105}}]}')
    as_yaml_ = write(tmp_path, "a.yml", yaml.safe_dump({"streams": [DOMAIN]}))
    assert load(as_json) == load(as_yaml_) == ([parse_entry(DOMAIN)], [])


def test_faults_come_with_the_good_entries(tmp_path: Path) -> None:
    good, bad = load(write(tmp_path, "a.yaml", "- domain: iot\n- domain: 3\n"))
    assert [entry.scope for entry in good] == ["iot"]
    assert [entry.index for entry in bad] == [1]


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.yaml", "- a: !!timestamp x\n", "a.yaml, line 1, column 6: 'x' cannot be read as timestamp"),
        ("a.yaml", "- a: !!bool x\n", "'x' cannot be read as bool"),
        ("a.yaml", "- a: !!int ''\n", "'' cannot be read as int"),
        ("a.yaml", "- a: !!float x\n", "'x' cannot be read as float"),
        ("a.yaml", "- a: !!int 1:x\n", "'1:x' cannot be read as int"),
        ("a.json", '{"streams":\n [,]}', "a.json, line 2, column 3"),
        ("a.yaml", "- a: 1\n- b: [\n", "a.yaml, line 3, column 1"),
        ("a.yaml", "- a: \x01\n", "a.yaml"),
    ],
)
def test_a_file_that_is_no_json_or_yaml_is_reported_with_its_place(
    tmp_path: Path, name: str, text: str, message: str
) -> None:
    with pytest.raises(CommandError) as caught:
        load(write(tmp_path, name, text))
    assert message in caught.value.message


def test_yaml_cannot_make_objects(tmp_path: Path) -> None:
    with pytest.raises(CommandError):
        load(write(tmp_path, "a.yaml", "!!python/object/apply:os.getcwd []"))


def test_a_file_that_is_not_utf_8_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_bytes(b"\xff")
    with pytest.raises(CommandError, match="not UTF-8"):
        load(path)


def test_a_file_that_is_not_there_is_wrong_usage(tmp_path: Path) -> None:
    with pytest.raises(CommandError) as caught:
        load(tmp_path / "none")
    assert caught.value.code is ExitCode.USAGE


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.json", '[{"domain": "iot", "value_constraints": {"max_value": 1, "min_value": 0, "max_value": 2}}]'),
        ("a.yaml", "- domain: iot\n  value_constraints:\n    max_value: 1\n    min_value: 0\n    max_value: 2\n"),
        ("a.yaml", "- domain: iot\n  value_constraints: {max_value: 1, 'max_value': 2}\n"),
    ],
)
def test_a_field_that_is_there_twice_is_refused(tmp_path: Path, name: str, text: str) -> None:
    with pytest.raises(CommandError, match="max_value is there twice"):
        load(write(tmp_path, name, text))


def test_a_field_of_yaml_in_the_place_of_one_that_was_merged_is_no_second_one(tmp_path: Path) -> None:
    text = (
        "- &limits {domain: iot, value_constraints: &values {max_value: 1}}\n"
        "- {<<: *limits, domain: health, value_constraints: {<<: *values, max_value: 2}}\n"
    )
    good, bad = load(write(tmp_path, "a.yaml", text))
    assert [(its.scope, its.config.value_constraints.max_value) for its in good] == [("iot", 1), ("health", 2)]
    assert bad == []


def test_what_is_merged_may_have_been_merged_itself(tmp_path: Path) -> None:
    text = (
        "- &base {domain: iot, value_constraints: {max_value: 1}}\n"
        "- &next {<<: *base, domain: health}\n"
        "- {<<: *next, domain: finance}\n"
    )
    good, bad = load(write(tmp_path, "a.yaml", text))
    assert ([its.scope for its in good], bad) == (["iot", "health", "finance"], [])


def test_applying_writes_what_differs_and_counts() -> None:
    catalogue = MemoryConstraints()
    first = [parse_entry(STREAM), parse_entry(DOMAIN)]
    assert apply(catalogue, first) == Counts(2, 0, 0)
    changed = parse_entry({**DOMAIN, "cooldown_seconds": 9})
    assert apply(catalogue, [first[0], changed, parse_entry(TYPE)]) == Counts(1, 1, 1)
    versions = {scope: versioned.version for scope, versioned in catalogue.list()}
    assert versions == {first[0].scope: 1, changed.scope: 2, "iot#temperature": 1}


def test_a_change_is_rendered_by_the_fields_that_differ() -> None:
    before = {"key": "iot/a/b", "value_constraints": {"max_value": 105.0, "min_value": 0.0}, "stream_type": "t"}
    after = {"key": "iot/a/b", "value_constraints": {"max_value": 140.5}, "stream_type": "t", "cooldown_seconds": 60}
    assert differences(before, after) == (
        "value_constraints.max_value 105 → 140.5",
        "cooldown_seconds 300 → 60",
        "value_constraints.min_value 0 → none",
    )
    assert differences(after, after) == ()
    assert differences(None, after) == ("value_constraints.max_value 140.5", "stream_type t", "cooldown_seconds 60")


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        (
            "a.yaml",
            "- {domain: iot, metadata: {since: 2023-15-14}}",
            "line 1, column 35: '2023-15-14' cannot be read as timestamp",
        ),
        ("a.yaml", "- &a [*a]", "more than 100,000 values"),
        ("a.yaml", BILLION, "more than 100,000 values"),
        ("a.json", "[" * 100_000, "nests too deeply"),
        ("a.json", '[{"domain": "iot", "cooldown_seconds": ' + "9" * 5_000 + "}]", "4300 digits"),
    ],
    ids=["no such date", "holds itself", "a billion values", "nested", "digits"],
)
def test_what_no_parser_should_be_given_is_refused_in_a_sentence(
    tmp_path: Path, name: str, text: str, message: str
) -> None:
    with pytest.raises(CommandError, match=message):
        load(write(tmp_path, name, text))
