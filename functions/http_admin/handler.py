"""HTTP API beside the points: constraints, alarms, and the documents that describe the API."""

from typing import Any

from afluente.runtime.core.observability import LogCode
from afluente.runtime.entry_point import entry_point
from afluente.runtime.http_admin import HttpAdmin, compose
from afluente.runtime.http_request import Event
from afluente.runtime.serving import Endpoint, Router, serve
from http_admin.alarms_routes import ALARMS_ROUTES
from http_admin.constraints_routes import CONSTRAINTS_ROUTES
from http_admin.documentation_routes import DOCUMENTATION_ROUTES


def handle(event: Event, _context: Any, function: HttpAdmin) -> dict[str, Any]:
    """Answer one request, an event of payload format 2.0."""
    return serve(event, function, _ROUTER)


_ROUTER = Router(
    endpoints={
        name: Endpoint(answer, LogCode.ADMIN_UNAVAILABLE, "nothing is done for certain")
        for name, answer in {**ALARMS_ROUTES, **CONSTRAINTS_ROUTES}.items()
    },
    open=DOCUMENTATION_ROUTES,
)

lambda_handler = entry_point(compose, handle)
