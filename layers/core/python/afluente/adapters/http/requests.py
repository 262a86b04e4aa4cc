"""Requests of the HTTP API: from bytes to points, in as many steps as can fail, each with its own error.

A body that is sound throughout is decoded in one go. One that is not is read again slowly, point by point, so that a
bad point gets all its faults named and its good neighbours go through.
"""

import gzip
import zlib
from base64 import b64decode
from collections.abc import Collection, Mapping, Sequence
from io import BytesIO
from typing import Any

import msgspec

from afluente.adapters.codecs.json_points import JsonPoint, MalformedJsonError, parse_json, take_points
from afluente.adapters.http.authorization import grant_of
from afluente.adapters.http.errors import RequestError, invalid_request, malformed_json
from afluente.adapters.http.routes import Route
from afluente.application.access.grants import Grant
from afluente.application.ingest.accept_points import PointsRequest, RejectedPoint
from afluente.domain.datapoints import DataPoint
from afluente.domain.faults import Fault, FaultCode
from afluente.domain.stream_keys import MISSING_SOURCE, domain_faults, json_type, part_faults

MAX_BODY_BYTES = 10 * 1024 * 1024
"""Of a body once it is unpacked. API Gateway takes 10 MB, of which Lambda takes 6 MB (4.5 MB of binary as base64)."""

MAX_POINTS = 20_000
"""Of one request."""

_JSON = "application/json"
_HEADERS = {"domain": "x-domain", "source_id": "x-source-id"}


class PointsBody(msgspec.Struct):
    """Points of one source.

    Attributes:
        datapoints: the points.
        domain: of all of them; required here or by the header X-Domain.
        source_id: of all of them: the machine, server, market or patient; may be said by the header X-Source-ID.
    """

    datapoints: list[JsonPoint]
    domain: str | None = None
    source_id: str | None = None


class _LooseBody(msgspec.Struct):
    """A body of which not even the types are certain."""

    datapoints: list[object]
    domain: object
    source_id: object


_decoder = msgspec.json.Decoder(PointsBody)


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
    """Refuse what goes beyond a grant.

    Args:
        grant: what the caller may do.
        missing: the scope that it lacks for what it asks for; None where nothing is missing.

    Raises:
        RequestError: 403 where something is missing.
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
        RequestError: 413 for too large a body, 415 for a content type or coding that is not taken, 400 for a body that
            is not in the coding that it says.
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


def decode_points(
    body: bytes, *, headers: Mapping[str, str], domains: Collection[str], grant: Grant, request_id: str, now: float
) -> PointsRequest:
    """Sort the points of a body into those that can be taken and those that cannot.

    Args:
        body: as `read_body` gives it.
        headers: by lower-case name; `x-domain` and `x-source-id` fill what the body lacks.
        domains: the domains that are open.
        grant: what the sender may do.
        request_id: the transport's id of the request.
        now: the time of arrival, in Unix seconds.

    Raises:
        RequestError: 403 for a domain that the sender does not reach; 400 for a body that is no JSON, or that as a
            whole is not of the form; 413 for too many points.
    """
    decoded: PointsBody | _LooseBody
    try:
        decoded = _decoder.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        decoded = _decode_loosely(body)
    domain, source_id = _origin(decoded, headers, domains, grant)
    if len(decoded.datapoints) > MAX_POINTS:
        detail = f"{len(decoded.datapoints)} points are more than {MAX_POINTS}; send them in several requests"
        raise RequestError(413, "too_many_points", detail)
    points, rejected = _sorted(decoded.datapoints, domain, source_id, now)
    return PointsRequest(request_id, "http", domain, source_id, now, points, rejected)


def _gunzip(packed: bytes) -> bytes:
    """Unpack at most a byte more than is allowed, so that a small body cannot become a large one in memory."""
    try:
        with gzip.GzipFile(fileobj=BytesIO(packed)) as file:
            return file.read(MAX_BODY_BYTES + 1)
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        detail = "the body says Content-Encoding: gzip and is not, or was cut off"
        raise RequestError(400, "malformed_gzip", detail) from error


def _sorted(
    items: Sequence[object], domain: str, source_id: str, now: float
) -> tuple[list[DataPoint], list[RejectedPoint]]:
    try:
        return take_points(items, domain=domain, source_id=source_id, now=now)
    except MalformedJsonError as error:
        raise malformed_json(error) from error


def _decode_loosely(body: bytes) -> _LooseBody:
    """Read a body that does not fit the form: either it is no JSON, or some of its fields are wrong."""
    document = object_of(body)
    datapoints = document.get("datapoints")
    if not isinstance(datapoints, list):
        fault = (
            Fault(FaultCode.WRONG_TYPE, "datapoints", f"must be an array, not {json_type(datapoints)}")
            if "datapoints" in document
            else Fault(FaultCode.MISSING, "datapoints", "is required: an array of data points")
        )
        raise invalid_request([fault])
    return _LooseBody(datapoints, document.get("domain"), document.get("source_id"))


def _origin(
    body: PointsBody | _LooseBody, headers: Mapping[str, str], domains: Collection[str], grant: Grant
) -> tuple[str, str]:
    """The domain and the source that a request is from, by its body and its headers."""
    faults: list[Fault] = []
    if not body.datapoints:
        faults.append(Fault(FaultCode.EMPTY, "datapoints", "must have a point or more"))
    domain = agreed("domain", body.domain, headers, faults)
    source_id = agreed("source_id", body.source_id, headers, faults)
    faults += reachable_domain_faults(domain, domains, grant)
    if source_id is not None:
        faults += part_faults("source_id", source_id)
    if faults:
        raise invalid_request(faults)
    return str(domain), MISSING_SOURCE if source_id is None else str(source_id)


def agreed(field: str, in_body: object, headers: Mapping[str, str], faults: list[Fault]) -> object:
    """What body and header say of `domain` or `source_id`; a fault more where they contradict each other."""
    header = _HEADERS[field]
    in_header = headers.get(header)
    if in_body is None or in_header is None or in_body == in_header:
        return in_header if in_body is None else in_body
    message = f"is {in_body!a} in the body and {in_header!a} in the header {header}; send one, or both alike"
    faults.append(Fault(FaultCode.CONTRADICTION, field, message))
    return in_body


def reachable_domain_faults(domain: object, domains: Collection[str], grant: Grant) -> tuple[Fault, ...]:
    """What keeps `domain` from being one of those that are open; of the others a caller is told its own alone.

    Raises:
        RequestError: 403 where the caller does not reach it, whether it is open or not.
    """
    if not domain_faults(domain):
        check_scope(grant, grant.missing_domain(str(domain)))
    return open_domain_faults(domain, [name for name in domains if grant.missing_domain(name) is None])


def open_domain_faults(domain: object, domains: Collection[str]) -> tuple[Fault, ...]:
    """What keeps `domain` from being one of those that are open."""
    if domain is None:
        return (Fault(FaultCode.MISSING, "domain", "is required, in the body or as the header X-Domain"),)
    form = domain_faults(domain)
    if not form and domain not in domains:
        open_ones = ", ".join(sorted(domains))
        return (Fault(FaultCode.UNKNOWN_DOMAIN, "domain", f"'{domain}' is not open; open are {open_ones}"),)
    return form


def object_of(body: bytes) -> dict[str, Any]:
    """The object that a body is.

    Raises:
        RequestError: 400 for what is no JSON, or no object.
    """
    try:
        document = parse_json(body)
    except MalformedJsonError as error:
        raise malformed_json(error) from error
    if not isinstance(document, dict):
        raise invalid_request([Fault(FaultCode.WRONG_TYPE, "body", f"must be an object, not {json_type(document)}")])
    return document
