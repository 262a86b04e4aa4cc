"""Take the points of a request in, however they were written."""

from afluente.adapters.http.answers import rejected_points
from afluente.adapters.http.requests import RequestError
from afluente.application.access.grants import Grant
from afluente.application.ingest.accept_points import PointsRequest
from afluente.runtime.http_ingest import HttpIngest
from afluente.runtime.observability import LogCode, Metric, count, logger


def take(request: PointsRequest, grant: Grant, function: HttpIngest) -> None:
    """Queue the good points of a request, and keep the bad ones.

    Raises:
        UnavailableError: the good points are not all queued.
        RequestError: 422 where there is no good one.
    """
    quarantined = function.accept(request)
    _report(request, grant.key_id, quarantined=quarantined)
    if request.rejected and not request.points:
        detail = f"each of the {len(request.rejected)} points has a fault; correct them by what `rejected` says"
        raise RequestError(422, "all_points_rejected", detail, inserted=0, rejected=rejected_points(request.rejected))


def _report(request: PointsRequest, key_id: str, *, quarantined: bool) -> None:
    logger().info(
        "request accepted",
        code=LogCode.REQUEST_ACCEPTED,
        request_id=request.request_id,
        key_id=key_id,
        domain=request.domain,
        inserted=len(request.points),
        rejected=len(request.rejected),
    )
    if not quarantined:
        logger().error("quarantine unavailable", code=LogCode.QUARANTINE_UNAVAILABLE, request_id=request.request_id)
    count({Metric.POINTS_ACCEPTED: len(request.points), Metric.POINTS_REJECTED: len(request.rejected)})
