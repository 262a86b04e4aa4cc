"""Faults of values that people or devices sent, as data."""

from enum import StrEnum

import msgspec


class FaultCode(StrEnum):
    """Kinds of faults of a field: a closed set."""

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
    """One fault of one field, with a hint.

    Attributes:
        code: the kind of the fault.
        field: the field at fault, dotted where it is nested (`rate_constraints.abs_delta`).
        message: what is wrong, and a hint, for a person.
    """

    code: FaultCode
    field: str
    message: str


class FaultyError(ValueError):
    """A record that cannot exist, with all its faults.

    Attributes:
        faults: one or more faults.
    """

    def __init__(self, faults: tuple[Fault, ...]) -> None:
        super().__init__("; ".join(f"{fault.field}: {fault.message}" for fault in faults))
        self.faults = faults
