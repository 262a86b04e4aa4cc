"""Differences between constraints, field by field."""

from collections.abc import Iterator

import msgspec

from afluente.domain.constraints import RATE_NAMES, StreamConfig, ValueConstraints
from afluente.migration.domain.mapping import METADATA, effect_of

_OPEN = StreamConfig()


class FieldDifference(msgspec.Struct, frozen=True):
    """A field with another value than expected.

    Attributes:
        field: its path, with dots.
        expected, found: its values, None for nothing.
    """

    field: str
    expected: object
    found: object

    def __str__(self) -> str:
        return f"{self.field}: {_text(self.expected)} expected, {_text(self.found)} found"


def field_differences(
    expected: StreamConfig | None, found: StreamConfig | None, *, strict: bool
) -> tuple[FieldDifference, ...]:
    """The fields of constraints that differ from the expected ones; open constraints equal none.

    Args:
        expected: constraints as they should be.
        found: constraints as they are.
        strict: compare the stream's type and the metadata of the migration as well, which have no effect on classes.
    """
    if effect_of(expected) == effect_of(found) == ():
        return ()
    if expected is None or found is None:
        return (FieldDifference("constraints", _presence(expected), _presence(found)),)
    return tuple(_in_fields(expected, found, strict=strict))


def is_same(expected: StreamConfig, found: StreamConfig) -> bool:
    """True if nothing is to be written: migrated constraints are as expected, others are equivalent."""
    return not field_differences(expected, found, strict=METADATA in found.metadata)


def _presence(config: StreamConfig | None) -> str | None:
    return None if config is None else "some"


def _in_fields(expected: StreamConfig, found: StreamConfig, *, strict: bool) -> Iterator[FieldDifference]:
    for table, names in (
        ("value_constraints", ValueConstraints.__struct_fields__),
        ("rate_constraints", (*RATE_NAMES, "severity")),
    ):
        one, other = getattr(expected, table), getattr(found, table)
        for name in names:
            if getattr(one, name) != getattr(other, name):
                yield FieldDifference(f"{table}.{name}", getattr(one, name), getattr(other, name))
    for name in ("consecutive_violations_required", "cooldown_seconds", *(("stream_type",) if strict else ())):
        if getattr(expected, name) != getattr(found, name):
            yield FieldDifference(name, getattr(expected, name), getattr(found, name))
    if strict and expected.metadata.get(METADATA) != found.metadata.get(METADATA):
        yield FieldDifference(f"metadata.{METADATA}", expected.metadata.get(METADATA), found.metadata.get(METADATA))


def _text(value: object) -> str:
    if value is None:
        return "nothing"
    return f"{value:.15g}" if isinstance(value, float) else str(value)
