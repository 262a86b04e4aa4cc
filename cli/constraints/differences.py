"""What a change of constraints changes, for people."""

from collections.abc import Mapping
from typing import Any

# What says whose they are, and what an entry has beside its constraints.
_PASSED_OVER = frozenset({"key", "domain", "version", "stream_id", "source_id"})
_IF_NOT_GIVEN = {"consecutive_violations_required": 3, "cooldown_seconds": 300}


def differences(before: Mapping[str, Any] | None, after: Mapping[str, Any]) -> tuple[str, ...]:
    """The fields that are others than before, such as `value_constraints.warning_max 253 → 260`.

    Args:
        before: constraints, as an entry or as they are kept; None where there were none.
        after: those since.
    """
    new = _fields(after)
    if before is None:
        return tuple(f"{name} {number(value)}" for name, value in new.items() if _IF_NOT_GIVEN.get(name) != value)
    old = _fields(before)
    names = [*new, *(name for name in old if name not in new)]
    return tuple(
        f"{name} {number(old.get(name))} → {number(new.get(name))}" for name in names if old.get(name) != new.get(name)
    )


def number(value: object) -> str:
    """A number with all the digits of a double that people write and no trailing zeros; anything else as it is."""
    if value is None:
        return "none"
    return f"{value:.15g}" if isinstance(value, float) else str(value)


def _fields(constraints: Mapping[str, Any]) -> dict[str, Any]:
    """Every field, those of a table by both names; settings that are not given as they are then."""
    fields: dict[str, Any] = {}
    for name, value in constraints.items():
        if isinstance(value, Mapping):
            fields |= {f"{name}.{inner}": bound for inner, bound in value.items()}
        elif name not in _PASSED_OVER:
            fields[name] = value
    return {**fields, **{name: value for name, value in _IF_NOT_GIVEN.items() if name not in fields}}
