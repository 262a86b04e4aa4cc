"""Changes of constraints: many at once, and back to an earlier version."""

from typing import Any

import pytest

from afluente.adapters.memory.constraints import MemoryConstraints
from afluente.application.constraints.changes import Applied, Effect, UnknownVersionError, apply, roll_back
from afluente.application.constraints.documents import parse_entry
from afluente.application.constraints.history import ChangeKind, ConstraintsChange
from afluente.application.constraints.ports import StaleConstraintsError
from afluente.domain.constraints import Baseline, VersionedConfig
from afluente.domain.faults import FaultCode, FaultyError
from tests.factories import NOW, Clock, a_config, fields_and_codes

SCOPE = "iot/furnace-1/temperature"


@pytest.fixture
def catalogue() -> MemoryConstraints:
    return MemoryConstraints(Clock(), by="key-1")


def test_new_and_changed_entries_are_written_and_each_has_its_effect(
    catalogue: MemoryConstraints,
) -> None:
    entries = [
        parse_entry({"key": f"iot/furnace-1/{name}", "value_constraints": {"max_value": 1}}) for name in ("a", "b")
    ]
    assert apply(catalogue, entries) == [
        Applied("iot/furnace-1/a", Effect.CREATED, 1),
        Applied("iot/furnace-1/b", Effect.CREATED, 1),
    ]

    other = parse_entry({"key": "iot/furnace-1/b", "value_constraints": {"max_value": 2}})
    assert apply(catalogue, [parse_entry({"domain": "iot"}), other, entries[0]]) == [
        Applied("iot", Effect.CREATED, 1),
        Applied("iot/furnace-1/b", Effect.UPDATED, 2),
        Applied("iot/furnace-1/a", Effect.UNCHANGED, 1),
    ]
    assert [change.version for change in catalogue.history("iot/furnace-1/a", limit=9)] == [1]
    assert apply(catalogue, []) == []


def test_a_roll_back_writes_the_earlier_constraints_as_a_new_version(catalogue: MemoryConstraints) -> None:
    first = a_config(source_id="furnace-1", stream_id="temperature", max_value=1, cooldown_seconds=0.5)
    catalogue.put(SCOPE, first, baseline=Baseline(NOW, 7))
    catalogue.put(SCOPE, a_config(max_value=2))

    assert roll_back(catalogue, SCOPE, 1) == VersionedConfig(first, 3)
    assert catalogue.fetch([SCOPE]) == {SCOPE: VersionedConfig(first, 3, Baseline(NOW, 7))}
    newest = catalogue.history(SCOPE, limit=1)[0]
    assert (newest.kind, newest.restored, newest.by) == (ChangeKind.ROLL_BACK, 1, "key-1")


def test_deleted_constraints_can_be_restored(catalogue: MemoryConstraints) -> None:
    catalogue.put(SCOPE, a_config(max_value=1))
    catalogue.delete(SCOPE)

    assert roll_back(catalogue, SCOPE, 1, expected_version=0) == VersionedConfig(a_config(max_value=1), 3)


@pytest.mark.parametrize("version", [0, 3, 99])
def test_a_version_that_never_was_cannot_be_restored(catalogue: MemoryConstraints, version: int) -> None:
    catalogue.put(SCOPE, a_config(max_value=1))
    catalogue.put(SCOPE, a_config(max_value=2))

    with pytest.raises(UnknownVersionError):
        roll_back(catalogue, SCOPE, version)
    with pytest.raises(UnknownVersionError):
        roll_back(catalogue, "iot", 1)
    assert catalogue.fetch([SCOPE])[SCOPE].version == 2


def test_a_deletion_cannot_be_restored(catalogue: MemoryConstraints) -> None:
    catalogue.put(SCOPE, a_config(max_value=1))
    catalogue.delete(SCOPE)

    with pytest.raises(FaultyError) as error:
        roll_back(catalogue, SCOPE, 2)
    assert fields_and_codes(error.value.faults) == [("version", FaultCode.EMPTY)]


def test_a_roll_back_does_not_overwrite_another_version_than_expected(catalogue: MemoryConstraints) -> None:
    for limit in (1, 2, 3):
        catalogue.put(SCOPE, a_config(max_value=limit))

    with pytest.raises(StaleConstraintsError):
        roll_back(catalogue, SCOPE, 1, expected_version=2)
    assert roll_back(catalogue, SCOPE, 1, expected_version=3).version == 4


class OldHistory(MemoryConstraints):
    """A history with a version that was valid at its time."""

    def __init__(self, config: dict[str, Any]) -> None:
        super().__init__(Clock())
        self._changes[SCOPE] = [ConstraintsChange(version=1, kind=ChangeKind.PUT, at=NOW, by="migrate", config=config)]


@pytest.mark.parametrize(
    ("config", "field", "code"),
    [
        (
            {"value_constraints": {"warning_min": 2.0, "alert_max": 1.0}},
            "value_constraints.warning_min",
            FaultCode.IMPOSSIBLE,
        ),
        (
            {"value_constraints": {"min_value": 2.0, "max_value": 1.0}},
            "value_constraints.min_value",
            FaultCode.IMPOSSIBLE,
        ),
        ({"colour": "red"}, "version", FaultCode.WRONG_TYPE),
    ],
)
def test_constraints_that_are_not_valid_any_more_are_not_restored(
    config: dict[str, Any], field: str, code: FaultCode
) -> None:
    catalogue = OldHistory(config)

    with pytest.raises(FaultyError) as error:
        roll_back(catalogue, SCOPE, 1)
    assert fields_and_codes(error.value.faults) == [(field, code)]
    assert catalogue.fetch([SCOPE]) == {}
