"""How constraints differ, field by field, for people."""

from collections.abc import Iterator

import msgspec

from afluente.domain.constraints import RATE_NAMES, StreamConfig, ValueConstraints
from afluente.migration.domain.mapping import METADATA, judgement

_OPEN = StreamConfig()


class Difference(msgspec.Struct, frozen=True):
    """A field that is not as it should be.

    Attributes:
        field: dotted where it is nested.
        expected: what it should be, None for nothing.
        found: what it is.
    """

    field: str
    expected: object
    found: object

    def __str__(self) -> str:
        return f"{self.field}: {_told(self.expected)} expected, {_told(self.found)} found"


def differences(expected: StreamConfig | None, found: StreamConfig | None, *, strict: bool) -> tuple[Difference, ...]:
    """Where constraints differ from the expected ones; open constraints and none are the same.

    Args:
        expected: what should be.
        found: what is.
        strict: also what decides nothing but was written: the stream's type, and where the constraints come from.
    """
    if judgement(expected) == judgement(found) == ():
        return ()
    if expected is None or found is None:
        return (Difference("constraints", _is_there(expected), _is_there(found)),)
    return tuple(_in_fields(expected, found, strict=strict))


def is_same(expected: StreamConfig, found: StreamConfig) -> bool:
    """Whether nothing is to be written: constraints of ours are as expected, or somebody's own judge the same."""
    return not differences(expected, found, strict=METADATA in found.metadata)


def _is_there(config: StreamConfig | None) -> str | None:
    return None if config is None else "some"


def _in_fields(expected: StreamConfig, found: StreamConfig, *, strict: bool) -> Iterator[Difference]:
    for table, names in (
        ("value_constraints", ValueConstraints.__struct_fields__),
        ("rate_constraints", (*RATE_NAMES, "severity")),
    ):
        one, other = getattr(expected, table), getattr(found, table)
        for name in names:
            if getattr(one, name) != getattr(other, name):
                yield Difference(f"{table}.{name}", getattr(one, name), getattr(other, name))
    for name in ("consecutive_violations_required", "cooldown_seconds", *(("stream_type",) if strict else ())):
        if getattr(expected, name) != getattr(found, name):
            yield Difference(name, getattr(expected, name), getattr(found, name))
    if strict and expected.metadata.get(METADATA) != found.metadata.get(METADATA):
        yield Difference(f"metadata.{METADATA}", expected.metadata.get(METADATA), found.metadata.get(METADATA))


def _told(value: object) -> str:
    if value is None:
        return "nothing"
    return f"{value:.15g}" if isinstance(value, float) else str(value)
