"""Answers to requests that match no route: 404, 405, or 410 for packets that the stage accepts no longer."""

import re
from collections.abc import Iterator, Mapping

from afluente.adapters.http.answers import Answer, deprecation, problem
from afluente.adapters.http.errors import RequestError
from afluente.adapters.http.routes import BY_NAME, ROUTES, Route
from afluente.runtime.http_ingest import HttpIngest, HttpIngestSettings
from afluente.runtime.http_request import Event
from afluente.runtime.serving import refused

_PACKETS = BY_NAME["IngestPackets"]

# As seen from the path of packets, so that it is right wherever the API is.
_SUCCESSOR = "datapoints"


def no_route(event: Event, function: HttpIngest) -> Answer:
    """Answer a request that matches no route of the stage."""
    path, method = event["rawPath"], event["requestContext"]["http"]["method"]
    request_id = event["requestContext"]["requestId"]
    if path == _PACKETS.path and not function.settings.enable_legacy_api:
        return refused(_gone(function), request_id)
    routes = list(_routes_of(function.settings))
    allowed = [route.method for route in routes if _matches(route.path, path)]
    if allowed:
        detail = f"{path} takes {', '.join(allowed)}, not {method}"
        return problem(405, "method_not_allowed", detail, request_id=request_id, headers={"allow": ", ".join(allowed)})
    detail = f"there is no {path}; the routes are {', '.join(route.key for route in routes)}"
    return problem(404, "not_found", detail, request_id=request_id)


def headers_for_legacy_clients(function: HttpIngest) -> Mapping[str, str]:
    """Headers of each answer to legacy clients: since when packets are deprecated, until when they are accepted."""
    settings = function.settings
    links = {
        "successor-version": _SUCCESSOR if settings.enable_agnostic_api else "",
        "deprecation": settings.old_clients_guide_url,
    }
    return deprecation(settings.old_clients_deprecated_on, settings.old_clients_sunset_on, links)


def _gone(function: HttpIngest) -> RequestError:
    settings = function.settings
    guide = settings.old_clients_guide_url or "docs/how-to/move-a-client.md of afluente"
    hint = (
        f"send their readings as points to POST /ingest/datapoints: {guide} has the old call beside the new one"
        if settings.enable_agnostic_api
        else "ask the operators where to send readings"
    )
    detail = f"packets are taken no longer; {hint}"
    return RequestError(410, "gone", detail, headers=headers_for_legacy_clients(function))


def _routes_of(settings: HttpIngestSettings) -> Iterator[Route]:
    flags = {
        "enable_agnostic_api": settings.enable_agnostic_api,
        "enable_csv_ingest": settings.enable_csv_ingest,
        "takes_packets": settings.enable_legacy_api and _PACKETS.domain in settings.domains,
    }
    return (route for route in ROUTES if route.flag is None or flags[route.flag])


def _matches(template: str, path: str) -> bool:
    return re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", template), path) is not None
