"""Constraint documents: files in which people write constraints, as JSON or YAML once it is parsed.

A document is `{"streams": [entry, …]}` or the list alone. An entry names its scope by `key`
(`domain/source_id/stream_id`), or by `domain`, with or without `stream_type`, for a template.
"""

from collections.abc import Callable, Collection, Mapping
from types import UnionType
from typing import Any, TypeVar

import msgspec

from afluente.application.constraint_scopes import of_domain, of_stream, of_type
from afluente.domain.constraints import RATE_NAMES, RateConstraints, Severity, StreamConfig, ValueConstraints
from afluente.domain.faults import Fault, FaultCode, FaultyError
from afluente.domain.keys import StreamKey, domain_faults, json_type, part_faults

HINTS = frozenset({"file", "column"})
"""Fields of an entry that are for people, and are passed over."""

_SETTINGS: dict[str, tuple[UnionType | type, str]] = {
    "consecutive_violations_required": (int, "an integer"),
    "cooldown_seconds": (int | float, "a number of seconds"),
    "metadata": (dict, "an object"),
}
_KNOWN = {"key", "domain", "stream_type", "value_constraints", "rate_constraints", *_SETTINGS, *HINTS}


class ConstraintEntry(msgspec.Struct, frozen=True):
    """Constraints and the scope they are for."""

    scope: str
    config: StreamConfig


class EntryFaults(msgspec.Struct, frozen=True):
    """What keeps an entry of a document from being taken.

    Attributes:
        index: its place in the document, from 0.
        name: its key or domain, as far as it has one.
        faults: everything that is wrong with it.
    """

    index: int
    name: str
    faults: tuple[Fault, ...]


def parse_document(document: object) -> tuple[list[ConstraintEntry], list[EntryFaults]]:
    """Read a document.

    Args:
        document: what a JSON or YAML parser made of the file.

    Returns:
        The entries that can be taken, and what is wrong with the others; two entries for one scope are a fault of the
        second.
    """
    entries = document.get("streams") if isinstance(document, Mapping) else document
    if not isinstance(entries, list):
        message = 'must be a list of entries, or an object {"streams": [entry, …]}'
        return [], [EntryFaults(0, "document", (Fault(FaultCode.WRONG_TYPE, "streams", message),))]
    good: dict[str, ConstraintEntry] = {}
    bad = []
    for index, entry in enumerate(entries):
        try:
            parsed = parse_entry(entry)
            _refuse_second(parsed.scope, good)
        except FaultyError as error:
            bad.append(EntryFaults(index, _name(entry), error.faults))
        else:
            good[parsed.scope] = parsed
    return list(good.values()), bad


def parse_entry(entry: object) -> ConstraintEntry:
    """Read one entry.

    Raises:
        FaultyError: the entry has faults; it names every one.
    """
    if not isinstance(entry, Mapping):
        raise FaultyError((Fault(FaultCode.WRONG_TYPE, "entry", "must be an object"),))
    faults = _Faults()
    for name in entry:
        if name not in _KNOWN:
            known = ", ".join(sorted(_KNOWN))
            faults.add(FaultCode.UNKNOWN_FIELD, str(name), f"is not known; known are {known}")
    scope, fields = faults.of(_scope, entry) or ("", {})
    fields["value_constraints"] = faults.of(_value_constraints, entry) or ValueConstraints()
    fields["rate_constraints"] = faults.of(_rate_constraints, entry) or RateConstraints()
    fields |= faults.of(_settings, entry) or {}
    config = faults.of(lambda _: StreamConfig(**fields), entry)
    if faults or config is None:
        raise FaultyError(tuple(faults))
    return ConstraintEntry(scope, config)


Part = TypeVar("Part")


class _Faults(list[Fault]):
    """Gathers the faults of the parts of an entry, so that one does not hide another."""

    def add(self, code: FaultCode, field: str, message: str) -> None:
        self.append(Fault(code, field, message))

    def of(self, read: Callable[[Mapping[str, object]], Part], entry: Mapping[str, object]) -> Part | None:
        try:
            return read(entry)
        except FaultyError as error:
            self.extend(error.faults)
            return None


def _name(entry: object) -> str:
    if not isinstance(entry, Mapping):
        return ""
    return str(entry.get("key") or "#".join(str(entry[part]) for part in ("domain", "stream_type") if part in entry))


def _refuse_second(scope: str, good: Mapping[str, ConstraintEntry]) -> None:
    if scope in good:
        message = f"{scope} has an entry in this document already; keep one of them"
        raise FaultyError((Fault(FaultCode.CONTRADICTION, "key", message),))


def _scope(entry: Mapping[str, object]) -> tuple[str, dict[str, Any]]:
    """The scope of an entry, and the fields of its config that follow from the scope."""
    stream_type = entry.get("stream_type")
    faults = [*part_faults("stream_type", stream_type)] if stream_type is not None else []
    if "key" in entry and "domain" in entry:
        message = "give the key of a stream, or the domain of a template, not both"
        faults.append(Fault(FaultCode.CONTRADICTION, "key", message))
    elif "key" in entry:
        key = StreamKey.parse(str(entry["key"]))
        if not faults:
            return of_stream(key), {
                "stream_id": key.stream_id,
                "source_id": key.source_id,
                "stream_type": stream_type,
            }
    elif "domain" in entry:
        faults += domain_faults(entry["domain"])
        if not faults:
            domain = str(entry["domain"])
            scope = of_domain(domain) if stream_type is None else of_type(domain, str(stream_type))
            return scope, {"stream_type": stream_type}
    else:
        message = "is required: domain/source_id/stream_id; or give a domain, for a template"
        faults.append(Fault(FaultCode.MISSING, "key", message))
    raise FaultyError(tuple(faults))


def _value_constraints(entry: Mapping[str, object]) -> ValueConstraints:
    return ValueConstraints(**_bounds(entry, "value_constraints", ValueConstraints.__struct_fields__))


def _rate_constraints(entry: Mapping[str, object]) -> RateConstraints:
    table = "rate_constraints"
    given = entry.get(table, {})
    if not isinstance(given, Mapping) or "severity" not in given:
        return RateConstraints(**_bounds(entry, table, RATE_NAMES))
    without = {name: bound for name, bound in given.items() if name != "severity"}
    bounds = _bounds({table: without}, table, RATE_NAMES)
    if given["severity"] not in set(Severity):
        message = f"must be one of {', '.join(Severity)}"
        raise FaultyError((Fault(FaultCode.OUT_OF_RANGE, f"{table}.severity", message),))
    return RateConstraints(**bounds, severity=Severity(str(given["severity"])))


def _bounds(entry: Mapping[str, object], table: str, names: Collection[str]) -> dict[str, Any]:
    """The bounds that a table of an entry gives; a bound that is null is one left out."""
    given = entry.get(table, {})
    if not isinstance(given, Mapping):
        raise FaultyError((Fault(FaultCode.WRONG_TYPE, table, f"must be an object, not {json_type(given)}"),))
    faults = []
    bounds: dict[str, Any] = {}
    for name, bound in given.items():
        field = f"{table}.{name}"
        if name not in names:
            faults.append(Fault(FaultCode.UNKNOWN_FIELD, field, f"is not known; known are {', '.join(names)}"))
        elif isinstance(bound, bool) or not isinstance(bound, int | float | None):
            faults.append(Fault(FaultCode.WRONG_TYPE, field, f"must be a number, not {json_type(bound)}"))
        elif bound is not None:
            bounds[str(name)] = float(bound)
    if faults:
        raise FaultyError(tuple(faults))
    return bounds


def _settings(entry: Mapping[str, object]) -> dict[str, Any]:
    """The settings that an entry gives, of the right form; `StreamConfig` checks their range."""
    settings = {name: entry[name] for name in _SETTINGS if name in entry}
    faults = []
    for name, value in settings.items():
        form, what = _SETTINGS[name]
        if isinstance(value, bool) or not isinstance(value, form):
            faults.append(Fault(FaultCode.WRONG_TYPE, name, f"must be {what}, not {json_type(value)}"))
    if faults:
        raise FaultyError(tuple(faults))
    return settings
