"""Differences between two versions of constraints, for people."""

from collections.abc import Mapping
from typing import Any

# Scope and version of an entry.
_IGNORED = frozenset({"key", "domain", "version", "stream_id", "source_id"})
_DEFAULTS = {"consecutive_violations_required": 3, "cooldown_seconds": 300}


def differences(before: Mapping[str, Any] | None, after: Mapping[str, Any]) -> tuple[str, ...]:
    """The fields that differ, such as `value_constraints.warning_max 253 → 260`.

    Args:
        before: constraints, as an entry or as they are stored; None where there were none.
        after: the constraints since then.
    """
    new = _fields(after)
    if before is None:
        return tuple(f"{name} {number(value)}" for name, value in new.items() if _DEFAULTS.get(name) != value)
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
    """All fields, those of a table with its name before theirs, and the defaults of settings that are not given."""
    fields: dict[str, Any] = {}
    for name, value in constraints.items():
        if isinstance(value, Mapping):
            fields |= {f"{name}.{inner}": bound for inner, bound in value.items()}
        elif name not in _IGNORED:
            fields[name] = value
    return {**fields, **{name: value for name, value in _DEFAULTS.items() if name not in fields}}
