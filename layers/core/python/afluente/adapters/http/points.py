"""Requests with points, and receipts.

A body that is sound throughout is decoded in one go. Any other is decoded again slowly, point by point, so that all
faults of a bad point are named and its good neighbours are accepted.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import msgspec

from afluente.adapters.codecs.json_documents import MalformedJsonError
from afluente.adapters.codecs.json_points import JsonPoint, partition_points
from afluente.adapters.http.errors import RequestError, invalid_request, malformed_json
from afluente.adapters.http.requests import agreed, object_of, reachable_domain_faults
from afluente.application.access.grants import Grant
from afluente.application.ingest.accept_points import PointsRequest
from afluente.application.ingest.rejection import Omitted, RejectedPoint, first_rejected
from afluente.application.redaction import redacted
from afluente.domain.datapoints import DataPoint
from afluente.domain.faults import Fault, FaultCode
from afluente.domain.stream_keys import MISSING_SOURCE, json_type, part_faults

MAX_POINTS = 20_000
"""Points of one request."""


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
    """A body with fields of any type."""

    datapoints: list[object]
    domain: object
    source_id: object


class PointFault(msgspec.Struct, frozen=True):
    """One fault of one point of a request.

    Attributes:
        index: the place of the point in the request, from 0.
        code: code of the fault, one of a closed set.
        field: the field at fault.
        message: the fault and a hint, for people.
    """

    index: int
    code: FaultCode
    field: str
    message: str


class Receipt(msgspec.Struct, frozen=True, omit_defaults=True):
    """Receipt for the points of a request.

    Attributes:
        inserted: number of points that are queued for certain.
        rejected: the faults of all other points, or of the first of them.
        request_id: the id by which the operators find the request.
        omitted: the rejected points beyond those, if there are any.
    """

    inserted: int
    rejected: list[PointFault]
    request_id: str
    omitted: Omitted | None = None


_decoder = msgspec.json.Decoder(PointsBody)


def decode_points(
    body: bytes, *, headers: Mapping[str, str], domains: Collection[str], grant: Grant, request_id: str, now: float
) -> PointsRequest:
    """Partition the points of a body into sound and rejected ones.

    Args:
        body: as `read_body` gives it.
        headers: by lower-case name; `x-domain` and `x-source-id` fill what the body lacks.
        domains: the domains that are open.
        grant: of the sender.
        request_id: the transport's id of the request.
        now: the time of arrival, in Unix seconds.

    Raises:
        RequestError: 403 for a domain that the sender does not reach; 400 for a body that is no JSON or malformed as a
            whole; 413 for too many points.
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
    points, rejected = _partition(decoded.datapoints, domain, source_id, now)
    return PointsRequest(request_id, "http", domain, source_id, now, points, rejected)


def receipt(request: PointsRequest) -> Receipt:
    """The receipt for a request whose sound points are queued."""
    listed = first_rejected(request.rejected)
    return Receipt(len(request.points), point_faults(listed.points), request.request_id, listed.omitted)


def all_rejected(request: PointsRequest) -> RequestError:
    """The error of a request of which no point is sound."""
    listed = first_rejected(request.rejected)
    detail = f"each of the {len(request.rejected)} points has a fault; correct them by what `rejected` says"
    extra: dict[str, Any] = {} if listed.omitted is None else {"omitted": listed.omitted}
    return RequestError(422, "all_points_rejected", detail, inserted=0, rejected=point_faults(listed.points), **extra)


def point_faults(rejected: Iterable[RejectedPoint]) -> list[PointFault]:
    """The faults of rejected points, one after the other."""
    return [
        PointFault(point.index, fault.code, redacted(fault.field), redacted(fault.message))
        for point in rejected
        for fault in point.faults
    ]


def _partition(
    items: Sequence[object], domain: str, source_id: str, now: float
) -> tuple[list[DataPoint], list[RejectedPoint]]:
    try:
        return partition_points(items, domain=domain, source_id=source_id, now=now)
    except MalformedJsonError as error:
        raise malformed_json(error) from error


def _decode_loosely(body: bytes) -> _LooseBody:
    """Decode a body that is no JSON, or has fields of wrong types."""
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
    """The domain and the source of a request, by its body and its headers."""
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
