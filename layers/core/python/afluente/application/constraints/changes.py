"""Change constraints as people and their programs do: many at once, and back to an earlier version."""

from collections.abc import Sequence
from enum import StrEnum
from typing import Any

import msgspec

from afluente.application.constraints.documents import ConstraintEntry
from afluente.application.constraints.ports import ConstraintsCatalogue
from afluente.domain.constraints import StreamConfig, VersionedConfig, no_normal_value
from afluente.domain.faults import Fault, FaultCode, FaultyError


class Effect(StrEnum):
    """What became of an entry that was applied."""

    CREATED = "created"
    UPDATED = "updated"
    UNCHANGED = "unchanged"


class Applied(msgspec.Struct, frozen=True):
    """What became of an entry, and the version that its constraints have since."""

    scope: str
    effect: Effect
    version: int


class UnknownVersionError(Exception):
    """The history has no such version of the constraints."""


def apply(catalogue: ConstraintsCatalogue, entries: Sequence[ConstraintEntry]) -> list[Applied]:
    """Bring constraints to what the entries say; what they do not name stays as it is.

    Args:
        catalogue: the constraints, written to in the name of who applies.
        entries: each scope once.

    Returns:
        What became of each, in order. One that says what is in force already is not written.

    Raises:
        UnavailableError: some may be written; applying all of them again is safe.
    """
    present = catalogue.fetch([entry.scope for entry in entries])
    changed = [entry for entry in entries if entry.scope not in present or present[entry.scope].config != entry.config]
    written = catalogue.put_all([(entry.scope, entry.config) for entry in changed])
    versions = {entry.scope: version for entry, version in zip(changed, written, strict=True)}
    applied = []
    for entry in entries:
        before = present.get(entry.scope)
        if before is not None and entry.scope not in versions:
            applied.append(Applied(entry.scope, Effect.UNCHANGED, before.version))
        else:
            effect = Effect.UPDATED if before else Effect.CREATED
            applied.append(Applied(entry.scope, effect, versions[entry.scope]))
    return applied


def roll_back(
    catalogue: ConstraintsCatalogue, scope: str, version: int, *, expected_version: int | None = None
) -> VersionedConfig:
    """Write the constraints of an earlier version again, as a new version.

    Args:
        catalogue: the constraints, written to in the name of who rolls back.
        scope: whose.
        version: which of its versions is to be in force again.
        expected_version: as for `ConstraintsCatalogue.put`.

    Returns:
        The constraints that are in force now.

    Raises:
        UnknownVersionError: there is no such version.
        FaultyError: the version is a deletion, or holds constraints that today's rules refuse.
        StaleConstraintsError: the constraints are not of the expected version.
    """
    found = next(iter(catalogue.history(scope, before=version + 1, limit=1)), None)
    if found is None or found.version != version:
        raise UnknownVersionError(f"{scope} has no version {version}")
    if found.config is None:
        message = "is a deletion; delete the constraints, or name a version that has some"
        raise FaultyError((Fault(FaultCode.EMPTY, "version", message),))
    config = _as_of_today(found.config)
    return VersionedConfig(config, catalogue.put(scope, config, expected_version=expected_version, restored=version))


def _as_of_today(config: dict[str, Any]) -> StreamConfig:
    try:
        read = msgspec.convert(config, StreamConfig)
    except msgspec.ValidationError as error:
        if isinstance(error.__cause__, FaultyError):
            raise error.__cause__ from None
        raise FaultyError((Fault(FaultCode.WRONG_TYPE, "version", str(error)),)) from None
    faults = no_normal_value(read.value_constraints)
    if faults:
        raise FaultyError(faults)
    return read
