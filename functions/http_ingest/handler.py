"""HTTP API: points, packets of legacy clients, CSV files, `GET /health`, and a helpful answer to everything else."""

from typing import Any

import msgspec

import afluente
from afluente.adapters.http.answers import Answer
from afluente.runtime.core.observability import LogCode
from afluente.runtime.entry_point import entry_point
from afluente.runtime.http_ingest import HttpIngest, compose
from afluente.runtime.http_request import Event
from afluente.runtime.serving import Endpoint, Router, serve
from http_ingest.csv_routes import CSV_ROUTES
from http_ingest.default_route import headers_for_legacy_clients, no_route
from http_ingest.legacy_route import ingest_packet
from http_ingest.points_route import ingest_points


def handle(event: Event, _context: Any, function: HttpIngest) -> dict[str, Any]:
    """Answer one request, an event of payload format 2.0."""
    return serve(event, function, _ROUTER if function.settings.enable_legacy_api else _ROUTER_WITHOUT_PACKETS)


def _health(_event: Event, _function: HttpIngest) -> Answer:
    return Answer(200, f'{{"status":"ok","service":"afluente","version":"{afluente.__version__}"}}')


_POINTS = {
    "IngestDatapoints": Endpoint(ingest_points, LogCode.QUEUE_UNAVAILABLE, "no point is taken for certain"),
    **{
        name: Endpoint(answer, LogCode.CSV_UNAVAILABLE, "nothing is done for certain")
        for name, answer in CSV_ROUTES.items()
    },
}
_PACKETS = {
    "IngestPackets": Endpoint(
        ingest_packet, LogCode.LEGACY_UNAVAILABLE, "no reading is taken for certain", headers_for_legacy_clients
    )
}

_ROUTER = Router(endpoints={**_POINTS, **_PACKETS}, open={"Health": _health}, otherwise=no_route)
_ROUTER_WITHOUT_PACKETS = msgspec.structs.replace(_ROUTER, endpoints=_POINTS)

lambda_handler = entry_point(compose, handle)
