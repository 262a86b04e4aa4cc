"""Requests of the HTTP API: the grant of the caller, the body, and the domain of its points."""

import gzip
import zlib
from base64 import b64decode
from collections.abc import Collection, Mapping
from io import BytesIO
from typing import Any

from afluente.adapters.codecs.json_documents import MalformedJsonError, parse_json
from afluente.adapters.http.authorization import grant_of
from afluente.adapters.http.errors import RequestError, invalid_request, malformed_json
from afluente.adapters.http.routes import Route
from afluente.application.access.grants import Grant
from afluente.domain.faults import Fault, FaultCode
from afluente.domain.stream_keys import closed_domain_faults, domain_faults, json_type

MAX_BODY_BYTES = 10 * 1024 * 1024
"""Largest body, unpacked. API Gateway takes 10 MB, of which Lambda takes 6 MB (4.5 MB of binary as base64)."""

_JSON = "application/json"
_HEADERS = {"domain": "x-domain", "source_id": "x-source-id"}


def permitted(event: Mapping[str, Any], route: Route) -> Grant:
    """The grant of a caller who may use a route.

    Args:
        event: of API Gateway.
        route: that takes a key.

    Raises:
        RequestError: 401 where the authorizer found no key, 403 where the key lacks the action or the domain.
    """
    grant = grant_of(event)
    if grant is None:
        detail = "the key in the header X-API-Key is unknown, expired or revoked; ask the operators for one"
        raise RequestError(401, "unauthorized", detail)
    if route.action is not None:
        check_scope(grant, grant.missing_action(route.action))
    if route.domain is not None:
        check_scope(grant, grant.missing_domain(route.domain))
    return grant


def check_scope(grant: Grant, missing: str | None) -> None:
    """Refuse a request beyond a grant.

    Args:
        grant: of the caller.
        missing: the scope that it lacks for the request; None where it lacks none.

    Raises:
        RequestError: 403 where it lacks a scope.
    """
    if missing:
        detail = f"the key {grant.key_id} lacks the scope {missing}; ask the operators for a key that has it"
        raise RequestError(403, "forbidden", detail, missing_scope=missing)


def read_body(body: str | None, *, is_base64: bool, headers: Mapping[str, str]) -> bytes:
    """The bytes of a request's body, unpacked.

    Args:
        body: as the event has it; None where there is none.
        is_base64: whether the event has it in base64.
        headers: by lower-case name.

    Raises:
        RequestError: 413 for too large a body, 415 for another content type or coding, 400 for a body that is not in
            the coding of its header.
    """
    media_type = headers.get("content-type", _JSON).split(";")[0].strip().lower()
    if media_type != _JSON:
        raise RequestError(415, "unsupported_media_type", f"send the body as Content-Type: {_JSON}, not {media_type}")
    raw = raw_body(body, is_base64=is_base64)
    coding = headers.get("content-encoding", "identity").strip().lower()
    if coding == "gzip":
        raw = _gunzip(raw)
    elif coding != "identity":
        detail = f"send the body plain or as Content-Encoding: gzip, not {coding}"
        raise RequestError(415, "unsupported_content_encoding", detail)
    if len(raw) > MAX_BODY_BYTES:
        detail = f"the body is larger than {MAX_BODY_BYTES} bytes; send its points in several requests"
        raise RequestError(413, "body_too_large", detail)
    return raw


def raw_body(body: str | None, *, is_base64: bool) -> bytes:
    """The bytes of a request's body, as the client sent them."""
    return b64decode(body or "") if is_base64 else (body or "").encode("utf-8", "surrogatepass")


def agreed(field: str, in_body: object, headers: Mapping[str, str], faults: list[Fault]) -> object:
    """The value of `domain` or `source_id` in body or header; appends a fault where they contradict each other."""
    header = _HEADERS[field]
    in_header = headers.get(header)
    if in_body is None or in_header is None or in_body == in_header:
        return in_header if in_body is None else in_body
    message = f"is {in_body!a} in the body and {in_header!a} in the header {header}; send one, or both alike"
    faults.append(Fault(FaultCode.CONTRADICTION, field, message))
    return in_body


def reachable_domain_faults(domain: object, domains: Collection[str], grant: Grant) -> tuple[Fault, ...]:
    """Faults of a domain that is malformed or not open; they name no domain beyond the caller's reach.

    Raises:
        RequestError: 403 for a domain that the caller does not reach, open or not.
    """
    if not domain_faults(domain):
        check_scope(grant, grant.missing_domain(str(domain)))
    return open_domain_faults(domain, [name for name in domains if grant.missing_domain(name) is None])


def open_domain_faults(domain: object, domains: Collection[str]) -> tuple[Fault, ...]:
    """Faults of a domain that is missing, malformed or not open."""
    if domain is None:
        return (Fault(FaultCode.MISSING, "domain", "is required, in the body or as the header X-Domain"),)
    return domain_faults(domain) or closed_domain_faults(str(domain), domains)


def object_of(body: bytes) -> dict[str, Any]:
    """The JSON object of a body.

    Raises:
        RequestError: 400 for a body that is no JSON, or no object.
    """
    try:
        document = parse_json(body)
    except MalformedJsonError as error:
        raise malformed_json(error) from error
    if not isinstance(document, dict):
        raise invalid_request([Fault(FaultCode.WRONG_TYPE, "body", f"must be an object, not {json_type(document)}")])
    return document


def _gunzip(packed: bytes) -> bytes:
    """Unpack at most a byte more than is allowed, so that no small body becomes a large one in memory."""
    try:
        with gzip.GzipFile(fileobj=BytesIO(packed)) as file:
            return file.read(MAX_BODY_BYTES + 1)
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        detail = "the body says Content-Encoding: gzip and is not, or was cut off"
        raise RequestError(400, "malformed_gzip", detail) from error
