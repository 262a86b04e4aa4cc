"""`POST /ingest/packets`: readings of legacy clients, with the answers of the legacy service."""

import time

from afluente.adapters.http.answers import Answer, document
from afluente.adapters.http.errors import RequestError
from afluente.adapters.http.points import receipt
from afluente.adapters.http.requests import check_scope
from afluente.application.access.grants import EVERYTHING
from afluente.runtime.core.observability import Metric, count_of
from afluente.runtime.http_ingest import HttpIngest
from afluente.runtime.http_request import Request
from http_ingest.points_route import accept

MAX_DEVICES = 100
"""The most devices of a packet: each has limits of its own, two calls if they are not in the container's cache."""


def ingest_packet(request: Request, function: HttpIngest) -> Answer:
    """Queue the readings of a packet."""
    # The migration wing, which is loaded with the first packet.
    from afluente.migration.adapters.packets import decode_packet  # noqa: PLC0415

    grant = request.grant
    count_of(grant.key_id, Metric.LEGACY_REQUESTS)
    packet = decode_packet(request.body(), domains=function.settings.domains, now=time.time())
    points = packet.request(request.id, function.sensors().find(packet.to_look_up))
    sources = dict.fromkeys(point.source_id for point in points.points)
    for source_id in sources or filter(None, [packet.device]):
        missing = grant.missing_source(points.domain, source_id)
        # The directory may know the devices of readings that name none; a caller who may not write them learns of none.
        check_scope(grant, missing if missing is None or source_id in packet.devices else f"source:{EVERYTHING}")
    if len(sources) > MAX_DEVICES:
        detail = f"readings of {len(sources)} devices are more than {MAX_DEVICES}; send them in several requests"
        raise RequestError(413, "too_many_points", detail)
    request.admit_points(points.batches)
    accept(points, request, function)
    return document(200, receipt(points))
