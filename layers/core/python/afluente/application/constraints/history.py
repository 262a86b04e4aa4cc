"""The history of constraints: every change of a scope, with who made it and when."""

from enum import StrEnum
from typing import Any

import msgspec


class ChangeKind(StrEnum):
    """What was done to the constraints of a scope."""

    PUT = "put"
    DELETE = "delete"
    ROLL_BACK = "roll_back"


class ConstraintsChange(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One change of the constraints of a scope.

    Attributes:
        version: that they have since; a deletion has one too, so that none comes twice.
        kind: what was done.
        at: when, in Unix seconds.
        by: who did it: the id of an API key, or the name of a command.
        config: the constraints since, as they were written; None after a deletion. The rules may have changed since
            then, so it need not be constraints by those of today.
        restored: the version that a roll back wrote again.
    """

    version: int
    kind: ChangeKind
    at: float
    by: str
    config: dict[str, Any] | None = None
    restored: int | None = None
