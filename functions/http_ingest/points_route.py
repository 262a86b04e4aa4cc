"""`POST /ingest/datapoints`, and the acceptance of points that it shares with packets."""

import time

from afluente.adapters.http.answers import Answer, document
from afluente.adapters.http.points import all_rejected, decode_points, receipt
from afluente.adapters.http.requests import check_scope
from afluente.application.access.grants import Action
from afluente.application.ingest.accept_points import PointsRequest
from afluente.runtime.core.observability import LogCode, Metric, count, logger
from afluente.runtime.http_ingest import HttpIngest
from afluente.runtime.http_request import Request


def ingest_points(request: Request, function: HttpIngest) -> Answer:
    """Queue the points of a request."""
    grant = request.grant
    points = decode_points(
        request.body(),
        headers=request.headers,
        domains=function.settings.domains,
        grant=grant,
        request_id=request.id,
        now=time.time(),
    )
    check_scope(grant, grant.missing(Action.INGEST, points.domain, points.source_id))
    request.admit_points(points.batches)
    accept(points, request, function)
    return document(202, receipt(points))


def accept(points: PointsRequest, request: Request, function: HttpIngest) -> None:
    """Queue the good points of a request, and quarantine the rejected ones.

    Raises:
        UnavailableError: not all of the good points are queued.
        RequestError: 422 where no point is good.
    """
    quarantined = function.accept(points)
    _report(points, request.grant.key_id, quarantined=quarantined)
    if points.rejected and not points.points:
        raise all_rejected(points)


def _report(points: PointsRequest, key_id: str, *, quarantined: bool) -> None:
    logger().info(
        "request accepted",
        code=LogCode.REQUEST_ACCEPTED,
        request_id=points.request_id,
        key_id=key_id,
        domain=points.domain,
        inserted=len(points.points),
        rejected=len(points.rejected),
    )
    if not quarantined:
        logger().error("quarantine unavailable", code=LogCode.QUARANTINE_UNAVAILABLE, request_id=points.request_id)
    count({Metric.POINTS_ACCEPTED: len(points.points), Metric.POINTS_REJECTED: len(points.rejected)})
