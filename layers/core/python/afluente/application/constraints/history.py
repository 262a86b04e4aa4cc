"""The history of constraints: every change of a scope, with its author and time."""

from enum import StrEnum
from typing import Any

import msgspec


class ChangeKind(StrEnum):
    """The kind of a change of constraints."""

    PUT = "put"
    DELETE = "delete"
    ROLL_BACK = "roll_back"


class ConstraintsChange(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One change of the constraints of a scope.

    Attributes:
        version: of the constraints since; a deletion has one too, so that versions are unique.
        kind: put, deletion or roll back.
        at: time, in Unix seconds.
        by: author: the id of an API key, or the name of a command.
        config: the constraints since, as they were written then, not validated; None after a deletion.
        restored: the version that a roll back restored.
    """

    version: int
    kind: ChangeKind
    at: float
    by: str
    config: dict[str, Any] | None = None
    restored: int | None = None
