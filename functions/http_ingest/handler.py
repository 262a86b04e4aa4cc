"""HTTP API: points, packets of legacy clients, CSV files, `GET /health`, and a helpful answer to everything else."""

import re
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import msgspec

import afluente
from afluente.adapters.http.answers import Answer, problem, receipt
from afluente.adapters.http.requests import check_scope, decode_points, permitted, read_body
from afluente.adapters.http.routes import HEALTH, INGEST_DATAPOINTS, INGEST_PACKETS, ROUTES, Route
from afluente.application.access.grants import Action
from afluente.runtime.front import bypassed_front
from afluente.runtime.http_function import Event, answered, refused, response
from afluente.runtime.http_ingest import http_ingest
from afluente.runtime.limiting import LimitedRequest
from afluente.runtime.observability import LogCode, invocation
from http_ingest.csv_routes import CSV_ROUTES
from http_ingest.legacy_route import gone, headers_for_legacy_clients, take_packet, takes_packets
from http_ingest.taking import take


def lambda_handler(event: Event, context: Any) -> dict[str, Any]:
    """Answer one request, an event of payload format 2.0."""
    request_id = event["requestContext"]["requestId"]
    with invocation(context):
        answer = bypassed_front(event, request_id) or _ROUTES.get(event["routeKey"], _nothing_here)(event, request_id)
    return response(answer, request_id)


def _ingest(event: Event, request_id: str) -> Answer:
    so_far = "no point is taken for certain"
    answer = partial(_take_points, event, request_id)
    return answered(answer, request_id, unavailable=LogCode.QUEUE_UNAVAILABLE, so_far=so_far)


def _legacy(event: Event, request_id: str) -> Answer:
    function = http_ingest()
    if not function.settings.enable_legacy_api:
        return _gone(request_id)
    so_far = "no reading is taken for certain"
    answer = partial(take_packet, event, request_id, function)
    return _for_legacy_clients(answered(answer, request_id, unavailable=LogCode.LEGACY_UNAVAILABLE, so_far=so_far))


def _gone(request_id: str) -> Answer:
    """Also while the route is there: it is taken away a moment before or after the function is told."""
    return _for_legacy_clients(refused(gone(http_ingest().settings), request_id))


def _for_legacy_clients(answer: Answer) -> Answer:
    headers = headers_for_legacy_clients(http_ingest().settings)
    return msgspec.structs.replace(answer, headers={**answer.headers, **headers})


def _csv(event: Event, request_id: str) -> Answer:
    so_far = "nothing is done for certain"
    answer = partial(_answer_of_csv, event)
    return answered(answer, request_id, unavailable=LogCode.CSV_UNAVAILABLE, so_far=so_far)


def _answer_of_csv(event: Event) -> Answer:
    grant, function = permitted(event), http_ingest()
    limits = LimitedRequest(function.limits, event, grant)
    return limits.told(CSV_ROUTES[event["routeKey"]](event, grant, function))


def _take_points(event: Event, request_id: str) -> Answer:
    grant, function = permitted(event), http_ingest()
    limits = LimitedRequest(function.limits, event, grant)
    headers = event["headers"]
    body = read_body(event.get("body"), is_base64=event["isBase64Encoded"], headers=headers)
    request = decode_points(
        body, headers=headers, domains=function.settings.domains, grant=grant, request_id=request_id, now=time.time()
    )
    check_scope(grant, grant.missing(Action.INGEST, request.domain, request.source_id))
    limits.admit_points(request.batches)
    take(request, grant, function)
    return limits.told(receipt(len(request.points), request.rejected, request_id))


def _health(_event: Event, _request_id: str) -> Answer:
    return Answer(200, f'{{"status":"ok","service":"afluente","version":"{afluente.__version__}"}}')


def _nothing_here(event: Event, request_id: str) -> Answer:
    path, method = event["rawPath"], event["requestContext"]["http"]["method"]
    if path == INGEST_PACKETS.path and not http_ingest().settings.enable_legacy_api:
        return _gone(request_id)
    routes = list(_open_routes())
    allowed = [route.method for route in routes if _leads_to(route.path, path)]
    if allowed:
        detail = f"{path} takes {', '.join(allowed)}, not {method}"
        return problem(405, "method_not_allowed", detail, request_id=request_id, headers={"allow": ", ".join(allowed)})
    detail = f"there is no {path}; the routes are {', '.join(route.key for route in routes)}"
    return problem(404, "not_found", detail, request_id=request_id)


def _open_routes() -> Iterator[Route]:
    settings = http_ingest().settings
    flags = {
        "enable_agnostic_api": settings.enable_agnostic_api,
        "enable_csv_ingest": settings.enable_csv_ingest,
        "takes_packets": takes_packets(settings),
    }
    return (route for route in ROUTES if route.flag is None or flags[route.flag])


def _leads_to(template: str, path: str) -> bool:
    return re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", template), path) is not None


_ROUTES: dict[str, Callable[[Event, str], Answer]] = {
    INGEST_DATAPOINTS.key: _ingest,
    INGEST_PACKETS.key: _legacy,
    **dict.fromkeys(CSV_ROUTES, _csv),
    HEALTH.key: _health,
}
