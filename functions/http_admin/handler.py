"""HTTP API beside the points: constraints, alarms, and what describes the API itself."""

from collections.abc import Callable
from functools import partial
from typing import Any

from afluente.adapters.http.answers import Answer
from afluente.adapters.http.requests import permitted
from afluente.application.access.grants import Grant
from afluente.runtime.front import bypassed_front
from afluente.runtime.http_admin import HttpAdmin, http_admin
from afluente.runtime.http_function import Event, answered, response
from afluente.runtime.limiting import LimitedRequest
from afluente.runtime.observability import LogCode, invocation
from http_admin.alarms_routes import ALARMS_ROUTES
from http_admin.constraints_routes import CONSTRAINTS_ROUTES
from http_admin.documentation_routes import DOCUMENTATION_ROUTES

_WITH_A_KEY: dict[str, Callable[[Event, Grant, HttpAdmin], Answer]] = {**ALARMS_ROUTES, **CONSTRAINTS_ROUTES}
"""What answers each route that takes a key, by its route key."""


def lambda_handler(event: Event, context: Any) -> dict[str, Any]:
    """Answer one request, an event of payload format 2.0."""
    request_id = event["requestContext"]["requestId"]
    with invocation(context):
        answer = bypassed_front(event, request_id) or _answer(event, request_id)
    return response(answer, request_id)


def _answer(event: Event, request_id: str) -> Answer:
    return answered(
        partial(_limited_answer, event),
        request_id,
        unavailable=LogCode.ADMIN_UNAVAILABLE,
        so_far="nothing is done for certain",
    )


def _limited_answer(event: Event) -> Answer:
    if event["routeKey"] in DOCUMENTATION_ROUTES:
        return DOCUMENTATION_ROUTES[event["routeKey"]](event)
    grant, function = permitted(event), http_admin()
    limits = LimitedRequest(function.limits, event, grant)
    return limits.told(_WITH_A_KEY[event["routeKey"]](event, grant, function))
