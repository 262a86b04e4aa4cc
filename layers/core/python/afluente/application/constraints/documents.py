"""Constraint documents: files of constraints, after a JSON or YAML parser.

A document is `{"streams": [entry, …]}` or the list alone. An entry has its scope as `key`
(`domain/source_id/stream_id`) or, for a template, as `domain` with or without `stream_type`.
"""

from collections.abc import Callable, Mapping
from types import UnionType
from typing import Any, ParamSpec, TypeVar

import msgspec

from afluente.application.constraints.scopes import of_domain, of_stream, of_type, source_of
from afluente.domain.constraints import (
    RATE_NAMES,
    RateConstraints,
    Severity,
    StreamConfig,
    ValueConstraints,
    no_normal_value,
)
from afluente.domain.datapoints import metadata_faults
from afluente.domain.faults import Fault, FaultCode, FaultyError
from afluente.domain.stream_keys import StreamKey, domain_faults, json_type, part_faults

ANNOTATIONS = frozenset({"file", "column", "version"})
"""Fields that are ignored, so that the output of `get` and `list` can be applied again."""

MAX_SCOPE_BYTES = 1023
"""Quota of a scope in UTF-8: DynamoDB accepts 1,024 bytes of a sort key, one of which marks the start of a page."""

_SETTINGS: dict[str, tuple[UnionType | type, str]] = {
    "consecutive_violations_required": (int, "an integer"),
    "cooldown_seconds": (int | float, "a number of seconds"),
    "metadata": (dict, "an object"),
}
_KNOWN = {"key", "domain", "stream_type", "value_constraints", "rate_constraints", *_SETTINGS, *ANNOTATIONS}


class ConstraintEntry(msgspec.Struct, frozen=True):
    """Constraints and their scope."""

    scope: str
    config: StreamConfig


class EntryFaults(msgspec.Struct, frozen=True):
    """The faults of a rejected entry of a document.

    Attributes:
        index: position in the document, from 0.
        name: its key or domain, if it has one.
        faults: all of them.
    """

    index: int
    name: str
    faults: tuple[Fault, ...]


def parse_document(document: object) -> tuple[list[ConstraintEntry], list[EntryFaults]]:
    """Read a document.

    Args:
        document: the result of a JSON or YAML parser.

    Returns:
        The valid entries, and the faults of the others; of two entries for one scope the second is faulty.
    """
    entries = document.get("streams") if isinstance(document, Mapping) else document
    if not isinstance(entries, list):
        message = 'must be a list of entries, or an object {"streams": [entry, …]}'
        return [], [EntryFaults(0, "document", (Fault(FaultCode.WRONG_TYPE, "streams", message),))]
    valid: dict[str, ConstraintEntry] = {}
    faulty = []
    for index, entry in enumerate(entries):
        try:
            parsed = parse_entry(entry)
            _refuse_second(parsed.scope, valid)
        except FaultyError as error:
            faulty.append(EntryFaults(index, _name(entry), error.faults))
        else:
            valid[parsed.scope] = parsed
    return list(valid.values()), faulty


def parse_entry(entry: object) -> ConstraintEntry:
    """Read one entry.

    Raises:
        FaultyError: with every fault of the entry.
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
    fields |= _settings(entry, faults)
    config = faults.of(StreamConfig, **fields)
    if config is not None:
        faults += no_normal_value(config.value_constraints)
    if faults or config is None:
        raise FaultyError(tuple(faults))
    return ConstraintEntry(scope, config)


def entry_of(scope: str, config: Mapping[str, Any]) -> dict[str, Any]:
    """The entry of constraints, as `parse_entry` reads it.

    Args:
        scope: of the constraints.
        config: their fields, as in JSON.
    """
    # The scope has the ids, and a table without bounds has no meaning.
    fields = {name: value for name, value in config.items() if name not in {"stream_id", "source_id"} and value != {}}
    return {**address_of(scope), **fields}


def address_of(scope: str) -> dict[str, str]:
    """The fields of an entry that hold its scope."""
    if source_of(scope) is not None:
        return {"key": scope}
    domain, _, stream_type = scope.partition("#")
    return {"domain": domain, "stream_type": stream_type} if stream_type else {"domain": domain}


Arguments = ParamSpec("Arguments")
Part = TypeVar("Part")


class _Faults(list[Fault]):
    """Collects the faults of the parts of an entry, so that none hides another."""

    def add(self, code: FaultCode, field: str, message: str) -> None:
        self.append(Fault(code, field, message))

    def of(
        self, read: Callable[Arguments, Part], *arguments: Arguments.args, **fields: Arguments.kwargs
    ) -> Part | None:
        try:
            return read(*arguments, **fields)
        except FaultyError as error:
            self.extend(error.faults)
            return None


def _name(entry: object) -> str:
    if not isinstance(entry, Mapping):
        return ""
    return str(entry.get("key") or "#".join(str(entry[part]) for part in ("domain", "stream_type") if part in entry))


def _refuse_second(scope: str, valid: Mapping[str, ConstraintEntry]) -> None:
    if scope in valid:
        message = f"{scope} has an entry in this document already; keep one of them"
        raise FaultyError((Fault(FaultCode.CONTRADICTION, "key", message),))


def _scope(entry: Mapping[str, object]) -> tuple[str, dict[str, Any]]:
    """The scope of an entry, and the fields of its config that the scope determines."""
    faults = _Faults()
    stream_type = entry.get("stream_type")
    if stream_type is not None:
        faults += part_faults("stream_type", stream_type)
    if "key" in entry and "domain" in entry:
        faults.add(FaultCode.CONTRADICTION, "key", "give the key of a stream, or the domain of a template, not both")
    elif "key" in entry:
        key = faults.of(StreamKey.parse, str(entry["key"]))
        if key and len(of_stream(key).encode()) > MAX_SCOPE_BYTES:
            faults.add(FaultCode.TOO_LONG, "key", f"has more than {MAX_SCOPE_BYTES} bytes in UTF-8; give shorter ids")
        if key and not faults:
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
        faults.add(FaultCode.MISSING, "key", message)
    raise FaultyError(tuple(faults))


def _value_constraints(entry: Mapping[str, object]) -> ValueConstraints:
    readers = dict.fromkeys(ValueConstraints.__struct_fields__, _bound)
    return _table(entry, "value_constraints", readers, ValueConstraints)


def _rate_constraints(entry: Mapping[str, object]) -> RateConstraints:
    readers = {**dict.fromkeys(RATE_NAMES, _bound), "severity": _severity}
    return _table(entry, "rate_constraints", readers, RateConstraints)


def _table(
    entry: Mapping[str, object],
    table: str,
    readers: Mapping[str, Callable[[str, object], object]],
    build: Callable[..., Part],
) -> Part:
    """Build a record of the fields of a table; a null field counts as absent."""
    given = entry.get(table, {})
    if not isinstance(given, Mapping):
        raise FaultyError((Fault(FaultCode.WRONG_TYPE, table, f"must be an object, not {json_type(given)}"),))
    faults = _Faults()
    fields: dict[str, object] = {}
    for name, value in given.items():
        field = f"{table}.{name}"
        if name not in readers:
            faults.add(FaultCode.UNKNOWN_FIELD, field, f"is not known; known are {', '.join(readers)}")
        elif value is not None:
            fields[name] = faults.of(readers[name], field, value)
    built = faults.of(build, **fields)
    if faults or built is None:
        raise FaultyError(tuple(faults))
    return built


def _bound(field: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise FaultyError((Fault(FaultCode.WRONG_TYPE, field, f"must be a number, not {json_type(value)}"),))
    try:
        return float(value)
    except OverflowError as error:
        message = "must be a number that a 64-bit double can hold"
        raise FaultyError((Fault(FaultCode.NOT_FINITE, field, message),)) from error


def _severity(field: str, value: object) -> Severity:
    if value not in tuple(Severity):
        raise FaultyError((Fault(FaultCode.OUT_OF_RANGE, field, f"must be one of {', '.join(Severity)}"),))
    return Severity(str(value))


def _settings(entry: Mapping[str, object], faults: _Faults) -> dict[str, Any]:
    """The settings of an entry that have the right type; `StreamConfig` checks their range."""
    settings = {}
    for name, (form, description) in _SETTINGS.items():
        value = entry.get(name)
        if name in entry and (isinstance(value, bool) or not isinstance(value, form)):
            faults.add(FaultCode.WRONG_TYPE, name, f"must be {description}, not {json_type(value)}")
        elif name in entry:
            settings[name] = value
    if "metadata" in settings:
        metadata = settings.pop("metadata")
        found = metadata_faults(metadata)
        faults += found
        if not found:
            # As JSON, in which it is stored: YAML also has dates, and keys other than strings.
            settings["metadata"] = msgspec.json.decode(msgspec.json.encode(metadata))
    return settings
