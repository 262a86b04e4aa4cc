"""Bodies with constraints."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from afluente.adapters.codecs.json_documents import MalformedJsonError, parse_json
from afluente.adapters.http.constraint_queries import MAX_VERSION
from afluente.adapters.http.errors import MAX_FAULTS, RequestError, invalid_request, malformed_json, printable, sentence
from afluente.adapters.http.requests import check_scope, read_body
from afluente.application.access.grants import Grant
from afluente.application.constraints.documents import (
    ConstraintEntry,
    EntryFaults,
    address_of,
    parse_document,
    parse_entry,
)
from afluente.application.constraints.listing import missing_for
from afluente.domain.faults import Fault, FaultCode, FaultyError
from afluente.domain.stream_keys import json_type

MAX_ENTRY_BYTES = 64 * 1024
"""Largest body with one entry, unpacked."""

MAX_ENTRIES = 500
"""Entries of one request."""

MAX_ENTRIES_BYTES = 4 * 1024 * 1024
"""Largest body with many entries, unpacked."""


def decode_entry(event: Mapping[str, Any], scope: str) -> ConstraintEntry:
    """Decode the entry for a scope.

    Raises:
        RequestError: 400 with all faults, 413 for too large a body, 415 for one of another content type or coding.
    """
    body = _object(_body(event, MAX_ENTRY_BYTES))
    address = address_of(scope)
    faults = [
        Fault(FaultCode.CONTRADICTION, name, f"the request is for {scope}; leave it out, or say the same")
        for name in ("key", "domain", *(("stream_type",) if "domain" in address else ()))
        if name in body and body[name] != address.get(name)
    ]
    try:
        entry = parse_entry({**{name: body[name] for name in body if name not in {"key", "domain"}}, **address})
    except FaultyError as error:
        faults += error.faults
    if faults:
        raise invalid_request(faults)
    return entry


def decode_entries(event: Mapping[str, Any], grant: Grant) -> Sequence[ConstraintEntry]:
    """Decode many entries.

    Raises:
        RequestError: 403 for a scope that the caller does not reach, 400 with the faults of all entries, 413 for too
            many entries.
    """
    parsed = _parsed(_body(event, MAX_ENTRIES_BYTES))
    listed = parsed.get("streams") if isinstance(parsed, dict) else parsed
    if isinstance(listed, list) and len(listed) > MAX_ENTRIES:
        detail = f"{len(listed)} entries are more than {MAX_ENTRIES}; send them in several requests"
        raise RequestError(413, "too_many_entries", detail)
    good, bad = parse_document(parsed)
    for entry in good:
        check_scope(grant, missing_for(grant, entry.scope))
    if bad:
        raise _faulty_entries(bad)
    return good


def decode_version(event: Mapping[str, Any]) -> int:
    """Decode the version to which constraints are rolled back.

    Raises:
        RequestError: 400 for a body that names no version.
    """
    body = _object(_body(event, MAX_ENTRY_BYTES))
    faults = [
        Fault(FaultCode.UNKNOWN_FIELD, name, "is not known; known is version") for name in body if name != "version"
    ]
    version = body.get("version")
    if "version" not in body:
        faults.append(Fault(FaultCode.MISSING, "version", "is required: a version of the history"))
    elif isinstance(version, bool) or not isinstance(version, int):
        faults.append(Fault(FaultCode.WRONG_TYPE, "version", f"must be an integer, not {json_type(version)}"))
    elif not 1 <= version <= MAX_VERSION:
        faults.append(Fault(FaultCode.OUT_OF_RANGE, "version", "must be a version of the history, from 1"))
    if faults or not isinstance(version, int):
        raise invalid_request(faults)
    return version


def _body(event: Mapping[str, Any], largest: int) -> bytes:
    body = read_body(event.get("body"), is_base64=event["isBase64Encoded"], headers=event["headers"])
    if len(body) > largest:
        raise RequestError(413, "body_too_large", f"the body is larger than {largest} bytes; send less at once")
    return body


def _object(body: bytes) -> dict[str, Any]:
    parsed = _parsed(body)
    if not isinstance(parsed, dict):
        raise invalid_request([Fault(FaultCode.WRONG_TYPE, "body", f"must be an object, not {json_type(parsed)}")])
    return parsed


def _parsed(body: bytes) -> Any:
    """The JSON of a body; a field that is twice in an object is a fault, since either may be meant."""
    twice: list[str] = []
    try:
        parsed = parse_json(body, object_of=_once_each(twice))
    except MalformedJsonError as error:
        raise malformed_json(error) from error
    if twice:
        message = "is there twice in one object; keep one of them"
        raise invalid_request([Fault(FaultCode.CONTRADICTION, name, message) for name in twice])
    return parsed


def _once_each(twice: list[str]) -> Callable[[list[tuple[str, Any]]], dict[str, Any]]:
    def object_of(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        fields: dict[str, Any] = {}
        for name, value in pairs:
            if name in fields and name not in twice:
                twice.append(name)
            fields[name] = value
        return fields

    return object_of


def _faulty_entries(bad: Sequence[EntryFaults]) -> RequestError:
    shown = [
        {
            "index": entry.index,
            "name": printable(entry.name),
            "code": fault.code,
            "field": printable(fault.field),
            "message": printable(fault.message),
        }
        for entry in bad
        for fault in entry.faults
    ]
    first = printable(sentence(bad[0].faults))
    detail = f"nothing is written: {len(bad)} of the entries have faults; the first is entry {bad[0].index}: {first}"
    return RequestError(400, "invalid_request", detail, errors=shown[:MAX_FAULTS])
