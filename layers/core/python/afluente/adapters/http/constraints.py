"""Requests about constraints: whose they are, what is to be done, and on which conditions."""

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as NoBase64Error
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any
from urllib.parse import parse_qsl, quote

import msgspec

from afluente.adapters.codecs.json_documents import MalformedJsonError, parse_json
from afluente.adapters.http.answers import Answer, document
from afluente.adapters.http.errors import RequestError, invalid_request, malformed_json
from afluente.adapters.http.requests import check_scope, read_body
from afluente.application.access.grants import EVERYTHING, Grant
from afluente.application.constraints.documents import (
    MAX_SCOPE_BYTES,
    ConstraintEntry,
    EntryFaults,
    address_of,
    entry_of,
    parse_document,
    parse_entry,
)
from afluente.application.constraints.history import ConstraintsChange
from afluente.application.constraints.listing import MAX_PAGE, ConstraintsPage, ConstraintsQuery, digest_of, missing_for
from afluente.application.constraints.scopes import domain_of, of_domain, of_stream, of_type, source_of
from afluente.domain.constraints import VersionedConfig
from afluente.domain.faults import Fault, FaultCode, FaultyError
from afluente.domain.stream_keys import StreamKey, domain_faults, json_type, part_faults

MAX_ENTRY_BYTES = 64 * 1024
"""Of the body that has one entry, unpacked."""

MAX_ENTRIES = 500
"""Of one request."""

MAX_ENTRIES_BYTES = 4 * 1024 * 1024
"""Of the body that has many entries, unpacked."""

MAX_CHANGES = 100
"""Of one page of a history."""

DEFAULT_CHANGES = 20
"""Of one page of a history, where nothing is said."""

MAX_VERSION = 2**53
"""The last version that is asked for."""

OF_HISTORY = frozenset({"limit", "before"})
"""Fields of the query of a history, beside those that name its scope."""

MAX_TOLD_FAULTS = 100
"""Of a body; who wrote more has one mistake many times."""

# Characters of what came with a request, in what is said of it.
_MAX_TOLD = 400
_MAX_QUERY_FIELDS = 16
_OF_SCOPE = frozenset({"stream_type", "source_id", "stream_id"})
_TAG = re.compile(r'(W/)?"([\x21\x23-\x7e\x80-\xff]*)"')
_ANY = "*"


class Conditions(msgspec.Struct, frozen=True):
    """On which a request is to be carried out (RFC 9110, section 13): tags of versions, or `*` for whatever is there.

    Attributes:
        match: the constraints are of one of these versions; None for no condition.
        none_match: they are of none of these; None for no condition.
    """

    match: tuple[str, ...] | None = None
    none_match: tuple[str, ...] | None = None

    @property
    def are_given(self) -> bool:
        """Whether there is any."""
        return self.match is not None or self.none_match is not None

    def hold(self, present: VersionedConfig | None) -> bool:
        """Whether constraints are as they are to be."""
        return self.match_holds(present) and not self.tells_known(present)

    def match_holds(self, present: VersionedConfig | None) -> bool:
        """Whether constraints are of a version that is asked for."""
        if self.match is None:
            return True
        return present is not None and bool({etag_of(present.version), _ANY} & set(self.match))

    def tells_known(self, present: VersionedConfig | None) -> bool:
        """Whether who asks has said to have these constraints already."""
        if present is None or self.none_match is None:
            return False
        known = {tag.removeprefix("W/") for tag in self.none_match}
        return bool({etag_of(present.version), _ANY} & known)


class HistoryQuery(msgspec.Struct, frozen=True):
    """Which changes are asked for: how many, and before which version."""

    limit: int
    before: int | None


def etag_of(version: int) -> str:
    """The entity tag of a version. No version comes twice, so it is a strong one."""
    return f'"{version}"'


def location_of(scope: str) -> str:
    """Where constraints are found; the parts of a stream in the query where a path could not carry them."""
    domain = domain_of(scope)
    if source_of(scope) is not None:
        key = StreamKey.parse(scope)
        if not _is_of_path(key.source_id) or not _is_of_path(key.stream_id):
            return f"/constraints/{domain}?source_id={_quoted(key.source_id)}&stream_id={_quoted(key.stream_id)}"
        return f"/constraints/{domain}/{_quoted(key.source_id)}/{_quoted(key.stream_id)}"
    stream_type = address_of(scope).get("stream_type")
    return f"/constraints/{domain}" + (f"?stream_type={_quoted(stream_type)}" if stream_type else "")


def reached_scope(event: Mapping[str, Any], grant: Grant, *, beside: Collection[str] = ()) -> str:
    """The scope that a request is about.

    Args:
        event: the request.
        grant: what the caller may do.
        beside: the fields that its query may have beside those that name a scope.

    Raises:
        RequestError: 400 for a path or query that names none, 403 for one that the caller does not reach.
    """
    query = _query(event, {*_OF_SCOPE, *beside})
    scope = _scope(event.get("pathParameters") or {}, query)
    check_scope(grant, missing_for(grant, scope))
    return scope


def conditions_of(headers: Mapping[str, str]) -> Conditions:
    """The conditions of a request.

    Raises:
        RequestError: 400 for tags that are none: a condition that is not understood is not passed over.
    """
    faults: list[Fault] = []
    match, none_match = (_tags(name, headers, faults) for name in ("If-Match", "If-None-Match"))
    if faults:
        raise _invalid(faults)
    return Conditions(match, none_match)


def decode_entry(event: Mapping[str, Any], scope: str) -> ConstraintEntry:
    """The entry that a body is, for a scope.

    Raises:
        RequestError: 400 with all faults, 413 for too large a body, 415 for one that is not taken.
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
        raise _invalid(faults)
    return entry


def decode_entries(event: Mapping[str, Any], grant: Grant) -> Sequence[ConstraintEntry]:
    """The entries of a body, all of which can be taken.

    Raises:
        RequestError: 403 for one that the caller does not reach, 400 with the faults of all entries, 413 for too many.
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
    """The version that is to be in force again.

    Raises:
        RequestError: 400 for a body that names none.
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
        raise _invalid(faults)
    return version


def decode_listing(event: Mapping[str, Any], grant: Grant) -> tuple[ConstraintsQuery, str | None]:
    """Which constraints are asked for, and the scope after which the page begins.

    Raises:
        RequestError: 400 for a query that is not of the form, 403 for what the caller does not reach by name.
    """
    query = _query(event, {"domain", "source_id", "stream_type", "limit", "next"})
    faults: list[Fault] = []
    if "domain" in query:
        faults += domain_faults(query["domain"])
    if "source_id" in query and query["source_id"] != EVERYTHING:
        faults += part_faults("source_id", query["source_id"].removesuffix(EVERYTHING))
    if "stream_type" in query:
        faults += part_faults("stream_type", query["stream_type"])
    limit = _number(query, "limit", ConstraintsQuery().limit, MAX_PAGE, faults)
    if faults:
        raise _invalid(faults)
    asked = ConstraintsQuery(
        domain=query.get("domain"),
        source_id=query.get("source_id"),
        stream_type=query.get("stream_type"),
        limit=limit,
    )
    check_scope(grant, asked.missing(grant))
    return asked, _after(query["next"], asked, grant) if "next" in query else None


def decode_history_query(event: Mapping[str, Any]) -> HistoryQuery:
    """Which changes are asked for.

    Raises:
        RequestError: 400 for a query that is not of the form.
    """
    query = _query(event, {*_OF_SCOPE, *OF_HISTORY})
    faults: list[Fault] = []
    limit = _number(query, "limit", DEFAULT_CHANGES, MAX_CHANGES, faults)
    before = _number(query, "before", 0, MAX_VERSION, faults)
    if faults:
        raise _invalid(faults)
    return HistoryQuery(limit, before or None)


def constraints(scope: str, found: VersionedConfig, *, status: int = 200) -> Answer:
    """Constraints as an answer, with their version as its tag."""
    headers = {"etag": etag_of(found.version)}
    if status == 201:  # noqa: PLR2004 - created
        headers["location"] = location_of(scope)
    return document(status, _told(scope, found), headers)


def listing(page: ConstraintsPage, query: ConstraintsQuery, grant: Grant) -> Answer:
    """A page of constraints as an answer."""
    following = None if page.after is None else _token(page.after, query, grant)
    return document(200, {"constraints": [_told(scope, found) for scope, found in page.found], "next": following})


def changes(scope: str, found: Sequence[ConstraintsChange], query: HistoryQuery) -> Answer:
    """A page of a history as an answer."""
    told = [
        {
            "version": change.version,
            "kind": change.kind,
            "at": change.at,
            "by": change.by,
            **({} if change.restored is None else {"restored": change.restored}),
            "constraints": None if change.config is None else entry_of(scope, change.config),
        }
        for change in found
    ]
    following = found[-1].version if len(found) == query.limit and found[-1].version > 1 else None
    return document(200, {**address_of(scope), "changes": told, "next": following})


def not_there(scope: str) -> RequestError:
    """The error of a scope that has no constraints, for one who reaches it."""
    detail = f"there are no constraints for {scope}; GET /constraints lists those there are"
    return RequestError(404, "not_found", detail)


def precondition_failed(scope: str, present: VersionedConfig | None) -> RequestError:
    """The error of a request whose condition does not hold; it says how things stand."""
    if present is None:
        detail = f"there are no constraints for {scope}, and the request is for some that are there"
        return RequestError(412, "precondition_failed", detail, current_version=None)
    detail = (
        f"the constraints of {scope} are of version {present.version} now, which is not what the request is for; GET "
        "them, change what you find, and send its ETag as If-Match"
    )
    headers = {"etag": etag_of(present.version)}
    return RequestError(412, "precondition_failed", detail, headers=headers, current_version=present.version)


def cannot_hold(scope: str, version: int, faults: Sequence[Fault]) -> RequestError:
    """The error of a version that cannot be in force again."""
    detail = f"version {version} of {scope} cannot be in force again: " + _sentence(faults)
    return RequestError(409, "version_cannot_hold", detail, errors=faults)


def _told(scope: str, found: VersionedConfig) -> dict[str, Any]:
    return {**entry_of(scope, msgspec.to_builtins(found.config)), "version": found.version}


# --- the scope -------------------------------------------------------------------------------------------------------


def _scope(path: Mapping[str, str], query: Mapping[str, str]) -> str:
    faults = list(domain_faults(path["domain"]))
    in_path = {name: path[name] for name in ("source_id", "stream_id") if name in path}
    for name, value in in_path.items():
        if "%" in value:
            message = "holds a '%', which a path does not carry safely; give source_id and stream_id in the query"
            faults.append(Fault(FaultCode.FORBIDDEN_CHARACTER, name, message))
    parts = in_path or {name: query[name] for name in ("source_id", "stream_id") if name in query}
    for name in {"source_id", "stream_id", "stream_type"} & query.keys():
        if in_path or (parts and name == "stream_type"):
            message = "belongs to a path with a domain alone: of a template; or source_id and stream_id of a stream"
            faults.append(Fault(FaultCode.CONTRADICTION, name, message))
    if parts:
        for name in ("source_id", "stream_id"):
            faults += part_faults(name, parts[name]) if name in parts else _missing_part(name)
    elif "stream_type" in query:
        faults += part_faults("stream_type", query["stream_type"])
    if faults:
        raise _invalid(faults)
    if parts:
        return of_stream(StreamKey(path["domain"], parts["source_id"], parts["stream_id"]))
    return of_type(path["domain"], query["stream_type"]) if "stream_type" in query else of_domain(path["domain"])


def _missing_part(name: str) -> tuple[Fault, ...]:
    return (Fault(FaultCode.MISSING, name, "is required beside the other part of the stream's key"),)


def _is_of_path(part: str) -> bool:
    """Whether a path carries a part as it is: API Gateway ends it at a '?', and clients take dots for steps in it."""
    return not {"?", "%"} & set(part) and part not in {".", ".."}


def _quoted(text: str) -> str:
    return quote(text, safe=":")


# --- the query -------------------------------------------------------------------------------------------------------


def _query(event: Mapping[str, Any], known: Collection[str]) -> dict[str, str]:
    """The fields of a query, each given once."""
    try:
        given = parse_qsl(
            event.get("rawQueryString") or "",
            keep_blank_values=True,
            errors="strict",
            max_num_fields=_MAX_QUERY_FIELDS,
        )
    except (UnicodeDecodeError, ValueError):
        fault = Fault(FaultCode.OUT_OF_RANGE, "query", f"must be at most {_MAX_QUERY_FIELDS} fields in UTF-8")
        raise _invalid([fault]) from None
    faults = []
    fields: dict[str, str] = {}
    for name, value in given:
        if name not in known:
            message = f"is not known; known are {', '.join(sorted(known))}"
            faults.append(Fault(FaultCode.UNKNOWN_FIELD, name, message))
        elif name in fields:
            faults.append(Fault(FaultCode.CONTRADICTION, name, "is given twice; give it once"))
        fields[name] = value
    if faults:
        raise _invalid(faults)
    return fields


def _number(query: Mapping[str, str], name: str, default: int, largest: int, faults: list[Fault]) -> int:
    text = query.get(name)
    if text is None:
        return default
    if text.isascii() and text.isdecimal() and len(text) <= len(str(largest)) and 1 <= int(text) <= largest:
        return int(text)
    faults.append(Fault(FaultCode.OUT_OF_RANGE, name, f"must be an integer from 1 to {largest}"))
    return default


def _token(after: str, query: ConstraintsQuery, grant: Grant) -> str:
    return urlsafe_b64encode(f"{digest_of(query, grant)}{after}".encode()).decode().rstrip("=")


def _after(token: str, query: ConstraintsQuery, grant: Grant) -> str:
    """Where a page begins. A token that was made up leads to no more than the caller reaches anyway."""
    digest = digest_of(query, grant)
    try:
        text = urlsafe_b64decode(token.encode("ascii") + b"=" * (-len(token) % 4)).decode()
    except (NoBase64Error, ValueError):
        text = ""
    after = text.removeprefix(digest)
    if after in {"", text} or len(after.encode()) > MAX_SCOPE_BYTES:
        message = "is no token of a page of this query and this key; ask again without it, for the first page"
        raise _invalid([Fault(FaultCode.OUT_OF_RANGE, "next", message)])
    return after


def _tags(name: str, headers: Mapping[str, str], faults: list[Fault]) -> tuple[str, ...] | None:
    text = headers.get(name.lower())
    if text is None:
        return None
    items = [item.strip() for item in text.split(",")]
    if items == [_ANY] or all(_TAG.fullmatch(item) for item in items):
        return tuple(items)
    message = 'must be tags as ETag has them, such as "3", with a comma between them; or *'
    faults.append(Fault(FaultCode.OUT_OF_RANGE, name, message))
    return None


# --- the body --------------------------------------------------------------------------------------------------------


def _body(event: Mapping[str, Any], largest: int) -> bytes:
    body = read_body(event.get("body"), is_base64=event["isBase64Encoded"], headers=event["headers"])
    if len(body) > largest:
        raise RequestError(413, "body_too_large", f"the body is larger than {largest} bytes; send less at once")
    return body


def _object(body: bytes) -> dict[str, Any]:
    parsed = _parsed(body)
    if not isinstance(parsed, dict):
        raise _invalid([Fault(FaultCode.WRONG_TYPE, "body", f"must be an object, not {json_type(parsed)}")])
    return parsed


def _parsed(body: bytes) -> Any:
    """A body as JSON, in which no object has a field twice: which one was meant is not known."""
    twice: list[str] = []
    try:
        parsed = parse_json(body, object_of=_once_each(twice))
    except MalformedJsonError as error:
        raise malformed_json(error) from error
    if twice:
        message = "is there twice in one object; keep one of them"
        raise _invalid([Fault(FaultCode.CONTRADICTION, name, message) for name in twice])
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
    told = [
        {
            "index": entry.index,
            "name": _printable(entry.name),
            "code": fault.code,
            "field": _printable(fault.field),
            "message": _printable(fault.message),
        }
        for entry in bad
        for fault in entry.faults
    ]
    first = _printable(_sentence(bad[0].faults))
    detail = f"nothing is written: {len(bad)} of the entries have faults; the first is entry {bad[0].index}: {first}"
    return RequestError(400, "invalid_request", detail, errors=told[:MAX_TOLD_FAULTS])


def _invalid(faults: Sequence[Fault]) -> RequestError:
    """The error of a request with faults; what it says of names that came with the request can be written as JSON."""
    told = faults[:MAX_TOLD_FAULTS]
    return invalid_request([Fault(its.code, _printable(its.field), _printable(its.message)) for its in told])


def _sentence(faults: Sequence[Fault]) -> str:
    return "; ".join(f"{fault.field} {fault.message}" for fault in faults)


def _printable(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode()[:_MAX_TOLD]
