"""Faults: what is wrong with a value somebody sent or wrote, as data."""

from enum import StrEnum

import msgspec


class FaultCode(StrEnum):
    """The closed set of things that can be wrong with a field."""

    MISSING = "missing"
    WRONG_TYPE = "wrong_type"
    EMPTY = "empty"
    TOO_LONG = "too_long"
    TOO_DEEP = "too_deep"
    FORBIDDEN_CHARACTER = "forbidden_character"
    NOT_FINITE = "not_finite"
    NEGATIVE = "negative"
    OUT_OF_RANGE = "out_of_range"
    IN_FUTURE = "in_future"
    NOT_SECONDS = "not_seconds"
    UNKNOWN_DOMAIN = "unknown_domain"
    UNKNOWN_FIELD = "unknown_field"
    CONTRADICTION = "contradiction"
    IMPOSSIBLE = "impossible"


class Fault(msgspec.Struct, frozen=True):
    """One fault of one field, with what to do about it.

    Attributes:
        code: which of the closed set of faults it is.
        field: the field at fault, dotted where it is nested (`rate_constraints.abs_delta`).
        message: what is wrong and the way out, for a person.
    """

    code: FaultCode
    field: str
    message: str


class FaultyError(ValueError):
    """A record that cannot exist, with all its faults, not only the first.

    Attributes:
        faults: one or more faults.
    """

    def __init__(self, faults: tuple[Fault, ...]) -> None:
        super().__init__("; ".join(f"{fault.field}: {fault.message}" for fault in faults))
        self.faults = faults
