"""Changes of constraints: many at once, and back to an earlier version."""

from collections.abc import Sequence
from enum import StrEnum
from typing import Any

import msgspec

from afluente.application.constraints.documents import ConstraintEntry
from afluente.application.constraints.ports import ConstraintsCatalogue
from afluente.domain.constraints import StreamConfig, VersionedConfig, no_normal_value
from afluente.domain.faults import Fault, FaultCode, FaultyError


class Effect(StrEnum):
    """The effect of an entry that was applied."""

    CREATED = "created"
    UPDATED = "updated"
    UNCHANGED = "unchanged"


class Applied(msgspec.Struct, frozen=True):
    """An entry that was applied: its effect, and the version of its constraints since."""

    scope: str
    effect: Effect
    version: int


class UnknownVersionError(Exception):
    """The history has no such version of the constraints."""


def apply(catalogue: ConstraintsCatalogue, entries: Sequence[ConstraintEntry]) -> list[Applied]:
    """Write the constraints of the entries, except for those that are in force already.

    Args:
        catalogue: the constraints; its author is recorded in the history.
        entries: each scope once.

    Returns:
        The effect of each, in order.

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
        catalogue: the constraints; its author is recorded in the history.
        scope: of the constraints.
        version: the earlier version.
        expected_version: as for `ConstraintsCatalogue.put`.

    Returns:
        The constraints that are in force now.

    Raises:
        UnknownVersionError: there is no such version.
        FaultyError: the version is a deletion, or its constraints are not valid any more.
        StaleConstraintsError: the constraints are not of the expected version.
    """
    found = next(iter(catalogue.history(scope, before=version + 1, limit=1)), None)
    if found is None or found.version != version:
        raise UnknownVersionError(f"{scope} has no version {version}")
    if found.config is None:
        message = "is a deletion; delete the constraints, or name a version that has some"
        raise FaultyError((Fault(FaultCode.EMPTY, "version", message),))
    config = _revalidated(found.config)
    return VersionedConfig(config, catalogue.put(scope, config, expected_version=expected_version, restored=version))


def _revalidated(config: dict[str, Any]) -> StreamConfig:
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
