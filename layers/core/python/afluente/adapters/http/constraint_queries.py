"""Queries for constraints and their history, and the scopes that paths and queries name."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as NoBase64Error
from collections.abc import Collection, Mapping
from typing import Any
from urllib.parse import parse_qsl, quote

import msgspec

from afluente.adapters.http.errors import invalid_request
from afluente.adapters.http.requests import check_scope
from afluente.application.access.grants import EVERYTHING, Grant
from afluente.application.constraints.documents import (
    MAX_SCOPE_BYTES,
    address_of,
)
from afluente.application.constraints.listing import MAX_PAGE, ConstraintsQuery, digest_of, missing_for
from afluente.application.constraints.scopes import domain_of, of_domain, of_stream, of_type, source_of
from afluente.domain.faults import Fault, FaultCode
from afluente.domain.stream_keys import StreamKey, domain_faults, part_faults

MAX_CHANGES = 100
"""Changes of one page of a history."""

DEFAULT_CHANGES = 20
"""Changes of one page of a history by default."""

MAX_VERSION = 2**53
"""The largest version of a query."""

OF_HISTORY = frozenset({"limit", "before"})
"""Fields of the query of a history, beside those of its scope."""

_MAX_QUERY_FIELDS = 16
_OF_SCOPE = frozenset({"stream_type", "source_id", "stream_id"})


class HistoryQuery(msgspec.Struct, frozen=True):
    """Query for changes: their number, and the version before which they are; None for the newest."""

    limit: int
    before: int | None


def reached_scope(event: Mapping[str, Any], grant: Grant, *, beside: Collection[str] = ()) -> str:
    """The scope of a request.

    Args:
        event: of API Gateway.
        grant: of the caller.
        beside: fields of the query beside those of a scope.

    Raises:
        RequestError: 400 for a path or query that names no scope, 403 for a scope that the caller does not reach.
    """
    query = _query(event, {*_OF_SCOPE, *beside})
    scope = _scope(event.get("pathParameters") or {}, query)
    check_scope(grant, missing_for(grant, scope))
    return scope


def location_of(scope: str) -> str:
    """The path of constraints; the parts of a stream are in its query where a path cannot carry them."""
    domain = domain_of(scope)
    if source_of(scope) is not None:
        key = StreamKey.parse(scope)
        if not _is_of_path(key.source_id) or not _is_of_path(key.stream_id):
            return f"/constraints/{domain}?source_id={_quoted(key.source_id)}&stream_id={_quoted(key.stream_id)}"
        return f"/constraints/{domain}/{_quoted(key.source_id)}/{_quoted(key.stream_id)}"
    stream_type = address_of(scope).get("stream_type")
    return f"/constraints/{domain}" + (f"?stream_type={_quoted(stream_type)}" if stream_type else "")


def decode_listing(event: Mapping[str, Any], grant: Grant) -> tuple[ConstraintsQuery, str | None]:
    """Decode a query for constraints, and the scope after which the page begins.

    Raises:
        RequestError: 400 for a malformed query, 403 for a domain or source that the caller does not reach.
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
        raise invalid_request(faults)
    asked = ConstraintsQuery(
        domain=query.get("domain"),
        source_id=query.get("source_id"),
        stream_type=query.get("stream_type"),
        limit=limit,
    )
    check_scope(grant, asked.missing(grant))
    return asked, _after(query["next"], asked, grant) if "next" in query else None


def decode_history_query(event: Mapping[str, Any]) -> HistoryQuery:
    """Decode a query for changes.

    Raises:
        RequestError: 400 for a malformed query.
    """
    query = _query(event, {*_OF_SCOPE, *OF_HISTORY})
    faults: list[Fault] = []
    limit = _number(query, "limit", DEFAULT_CHANGES, MAX_CHANGES, faults)
    before = _number(query, "before", 0, MAX_VERSION, faults)
    if faults:
        raise invalid_request(faults)
    return HistoryQuery(limit, before or None)


def page_token(after: str, query: ConstraintsQuery, grant: Grant) -> str:
    """The token of the page after a scope; it is good for the same query and grant alone."""
    return urlsafe_b64encode(f"{digest_of(query, grant)}{after}".encode()).decode().rstrip("=")


def _after(token: str, query: ConstraintsQuery, grant: Grant) -> str:
    """The scope after which a page begins; a forged token leads to no more than the caller reaches anyway."""
    digest = digest_of(query, grant)
    try:
        text = urlsafe_b64decode(token.encode("ascii") + b"=" * (-len(token) % 4)).decode()
    except (NoBase64Error, ValueError):
        text = ""
    after = text.removeprefix(digest)
    if after in {"", text} or len(after.encode()) > MAX_SCOPE_BYTES:
        message = "is no token of a page of this query and this key; ask again without it, for the first page"
        raise invalid_request([Fault(FaultCode.OUT_OF_RANGE, "next", message)])
    return after


def _number(query: Mapping[str, str], name: str, default: int, largest: int, faults: list[Fault]) -> int:
    text = query.get(name)
    if text is None:
        return default
    if text.isascii() and text.isdecimal() and len(text) <= len(str(largest)) and 1 <= int(text) <= largest:
        return int(text)
    faults.append(Fault(FaultCode.OUT_OF_RANGE, name, f"must be an integer from 1 to {largest}"))
    return default


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
        raise invalid_request([fault]) from None
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
        raise invalid_request(faults)
    return fields


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
        raise invalid_request(faults)
    if parts:
        return of_stream(StreamKey(path["domain"], parts["source_id"], parts["stream_id"]))
    return of_type(path["domain"], query["stream_type"]) if "stream_type" in query else of_domain(path["domain"])


def _missing_part(name: str) -> tuple[Fault, ...]:
    return (Fault(FaultCode.MISSING, name, "is required beside the other part of the stream's key"),)


def _is_of_path(part: str) -> bool:
    """True for a part that a path carries as it is: API Gateway ends it at a '?', and clients resolve dots."""
    return not {"?", "%"} & set(part) and part not in {".", ".."}


def _quoted(text: str) -> str:
    return quote(text, safe=":")
