"""`POST /ingest/packets`: readings as the clients of the old service send them, answered as it answered."""

import time

from afluente.adapters.http.answers import Answer, deprecation, document, rejected_points
from afluente.adapters.http.requests import RequestError, check_scope, permitted, read_body
from afluente.application.access.grants import EVERYTHING
from afluente.migration.adapters.packets import decode_packet
from afluente.migration.domain.legacy_service import LEGACY_DOMAIN
from afluente.runtime.http_function import Event
from afluente.runtime.http_ingest import HttpIngest
from afluente.runtime.limiting import LimitedRequest
from afluente.runtime.observability import Metric, count_of
from afluente.runtime.settings import HttpIngestSettings
from http_ingest.taking import take

MAX_DEVICES = 100
"""Of a packet. Each has limits of its own, which are two calls where the container has not met it yet."""

# As seen from the old call, so that it leads there wherever the API is.
_SUCCESSOR = "datapoints"


def take_packet(event: Event, request_id: str, function: HttpIngest) -> Answer:
    """Take the readings of a packet in.

    Raises:
        RequestError: the packet cannot be taken, or a limit is over.
        UnavailableError: the sensor directory does not answer, or the readings are not all queued.
    """
    grant = permitted(event)
    check_scope(grant, grant.missing_domain(LEGACY_DOMAIN))
    limits = LimitedRequest(function.limits, event, grant)
    count_of(grant.key_id, Metric.LEGACY_REQUESTS)
    headers = event["headers"]
    body = read_body(event.get("body"), is_base64=event["isBase64Encoded"], headers=headers)
    packet = decode_packet(body, domains=function.settings.domains, now=time.time())
    request = packet.request(request_id, function.sensors.find(packet.to_look_up))
    sources = dict.fromkeys(point.source_id for point in request.points)
    for source_id in sources or filter(None, [packet.device]):
        missing = grant.missing_source(request.domain, source_id)
        # The directory may know the devices of readings that name none: who may not write them is told of none.
        check_scope(grant, missing if missing is None or source_id in packet.devices else f"source:{EVERYTHING}")
    if len(sources) > MAX_DEVICES:
        detail = f"readings of {len(sources)} devices are more than {MAX_DEVICES}; send them in several requests"
        raise RequestError(413, "too_many_points", detail)
    limits.admit_points(request.batches)
    take(request, grant, function)
    rejected = rejected_points(request.rejected)
    answer = document(200, {"inserted": len(request.points), "rejected": rejected, "request_id": request_id})
    return limits.told(answer)


def takes_packets(settings: HttpIngestSettings) -> bool:
    """Whether the stage has the route."""
    return settings.enable_legacy_api and LEGACY_DOMAIN in settings.domains


def gone(settings: HttpIngestSettings) -> RequestError:
    """The error of a stage that takes packets no longer."""
    guide = settings.old_clients_guide_url or "docs/how-to/move-a-client.md of afluente"
    way_out = (
        f"send their readings as points to POST /ingest/datapoints: {guide} has the old call beside the new one"
        if settings.enable_agnostic_api
        else "ask the operators where to send readings"
    )
    return RequestError(410, "gone", f"packets are taken no longer; {way_out}")


def headers_for_legacy_clients(settings: HttpIngestSettings) -> dict[str, str]:
    """What every answer to the call says of its end."""
    links = {
        "successor-version": _SUCCESSOR if settings.enable_agnostic_api else "",
        "deprecation": settings.old_clients_guide_url,
    }
    return deprecation(settings.old_clients_deprecated_on, settings.old_clients_sunset_on, links)
