"""HTTP API: points, packets of old clients, CSV files, `GET /health`, and a helpful answer to everything else."""

import re
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import msgspec

import afluente
from afluente.adapters.http_answers import Answer, problem, receipt
from afluente.adapters.http_requests import RequestError, check_scope, decode_points, known_grant_of, read_body
from afluente.application.ports import UnavailableError
from afluente.legacy.thresholds import DOMAIN
from afluente.runtime.composition import http_ingest
from afluente.runtime.observability import LogCode, invocation, logger
from http_ingest.csv_routes import CSV_ROUTES
from http_ingest.legacy_route import LEGACY_PATH, LEGACY_ROUTE, gone, headers_for_old_clients, take_packet
from http_ingest.taking import take

_RETRY_AFTER_SECONDS = "2"


def lambda_handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Answer one request, an event of payload format 2.0."""
    request_id = event["requestContext"]["requestId"]
    with invocation(context):
        answer = _ROUTES.get(event["routeKey"], _nothing_here)(event, request_id)
    return {
        "statusCode": answer.status,
        "headers": {"content-type": answer.content_type, "x-request-id": request_id, **answer.headers},
        "body": answer.body,
    }


def _ingest(event: dict[str, Any], request_id: str) -> Answer:
    unavailable = partial(_unavailable, request_id, LogCode.QUEUE_UNAVAILABLE, "no point is taken for certain")
    return _answered(partial(_take_points, event, request_id), request_id, unavailable)


def _legacy(event: dict[str, Any], request_id: str) -> Answer:
    function = http_ingest()
    if not function.settings.enable_legacy_api:
        return _gone(request_id)
    unavailable = partial(_unavailable, request_id, LogCode.LEGACY_UNAVAILABLE, "no reading is taken for certain")
    return _for_old_clients(_answered(lambda: take_packet(event, request_id, function), request_id, unavailable))


def _gone(request_id: str) -> Answer:
    """Also while the route is there: it is taken away a moment before or after the function is told."""
    return _for_old_clients(_refused(gone(http_ingest().settings), request_id))


def _for_old_clients(answer: Answer) -> Answer:
    headers = headers_for_old_clients(http_ingest().settings)
    return msgspec.structs.replace(answer, headers={**answer.headers, **headers})


def _csv(event: dict[str, Any], request_id: str) -> Answer:
    unavailable = partial(_unavailable, request_id, LogCode.CSV_UNAVAILABLE, "nothing is done for certain")
    route = CSV_ROUTES[event["routeKey"]]
    return _answered(lambda: route(event, known_grant_of(event), http_ingest()), request_id, unavailable)


def _answered(
    answer: Callable[[], Answer], request_id: str, unavailable: Callable[[UnavailableError], Answer]
) -> Answer:
    try:
        return answer()
    except RequestError as error:
        return _refused(error, request_id)
    except UnavailableError as error:
        return unavailable(error)


def _refused(error: RequestError, request_id: str) -> Answer:
    logger().info("request refused", code=LogCode.REQUEST_REFUSED, problem=error.code, request_id=request_id)
    return problem(error.status, error.code, error.detail, request_id=request_id, extra=error.extra)


def _unavailable(request_id: str, code: LogCode, so_far: str, error: UnavailableError) -> Answer:
    logger().error("unavailable", code=code, cause=str(error), request_id=request_id)
    detail = f"{so_far}; send the request again in {_RETRY_AFTER_SECONDS} s, which is safe"
    headers = {"retry-after": _RETRY_AFTER_SECONDS}
    return problem(503, "unavailable", detail, request_id=request_id, headers=headers)


def _take_points(event: dict[str, Any], request_id: str) -> Answer:
    grant = known_grant_of(event)
    headers = event["headers"]
    body = read_body(event.get("body"), is_base64=event["isBase64Encoded"], headers=headers)
    function = http_ingest()
    request = decode_points(
        body, headers=headers, domains=function.settings.domains, request_id=request_id, now=time.time()
    )
    check_scope(grant, grant.missing_scope(request.domain, request.source_id))
    take(request, grant, function)
    return receipt(len(request.points), request.rejected, request_id)


def _health(_event: dict[str, Any], _request_id: str) -> Answer:
    return Answer(200, f'{{"status":"ok","service":"afluente","version":"{afluente.__version__}"}}')


def _nothing_here(event: dict[str, Any], request_id: str) -> Answer:
    path, method = event["rawPath"], event["requestContext"]["http"]["method"]
    if path == LEGACY_PATH and not http_ingest().settings.enable_legacy_api:
        return _gone(request_id)
    routes = list(_open_routes())
    allowed = [route.split()[0] for route in routes if _leads_to(route.split()[1], path)]
    if allowed:
        detail = f"{path} takes {', '.join(allowed)}, not {method}"
        return problem(405, "method_not_allowed", detail, request_id=request_id, headers={"allow": ", ".join(allowed)})
    detail = f"there is no {path}; the routes are {', '.join(routes)}"
    return problem(404, "not_found", detail, request_id=request_id)


def _open_routes() -> Iterator[str]:
    settings = http_ingest().settings
    closed = set() if settings.enable_agnostic_api else {_INGEST}
    closed |= set() if settings.enable_legacy_api and DOMAIN in settings.domains else {LEGACY_ROUTE}
    closed |= set() if settings.enable_csv_ingest else CSV_ROUTES.keys()
    return (route for route in _ROUTES if route not in closed)


def _leads_to(template: str, path: str) -> bool:
    return re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", template), path) is not None


_INGEST = "POST /ingest/datapoints"
_ROUTES: dict[str, Callable[[dict[str, Any], str], Answer]] = {
    _INGEST: _ingest,
    LEGACY_ROUTE: _legacy,
    **dict.fromkeys(CSV_ROUTES, _csv),
    "GET /health": _health,
}
