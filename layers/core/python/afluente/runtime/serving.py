"""HTTP pipeline of the functions behind the HTTP API.

A request passes the front, the check of its key, the rate limits, and the handler of its route. Errors become problem
details (RFC 9457).
"""

import time
from collections.abc import Callable, Mapping
from typing import Any, Generic, Protocol, TypeVar

import msgspec

from afluente.adapters.http.answers import Answer, problem
from afluente.adapters.http.client_address import Front, client_address
from afluente.adapters.http.errors import RequestError
from afluente.adapters.http.requests import permitted
from afluente.adapters.http.routes import BY_KEY
from afluente.application.errors import UnavailableError
from afluente.application.limits.rate_limits import RateLimits
from afluente.runtime.core.observability import LogCode, Metric, count, logger, observe
from afluente.runtime.http_request import Event, Request

RETRY_AFTER_SECONDS = 2
"""After so many seconds a client retries a request that found something unavailable."""


_SERVER_ERROR = 500


class HttpFunction(Protocol):
    """The part of a function that the pipeline works with."""

    @property
    def front(self) -> Front | None:
        """The front of the stage, if it has one."""
        ...

    @property
    def limits(self) -> RateLimits:
        """Limits of requests."""
        ...


Function = TypeVar("Function", bound=HttpFunction)


def no_headers(_function: HttpFunction) -> Mapping[str, str]:
    """No more headers than each answer has."""
    return {}


def no_route(event: Event, _function: HttpFunction) -> Answer:
    """Refuse an event that API Gateway does not send to the function."""
    raise LookupError(f"no route for {event['routeKey']}")


class Endpoint(msgspec.Struct, Generic[Function], frozen=True):
    """Handler of a route that takes a key.

    Attributes:
        handle: answers a request; may raise `RequestError` and `UnavailableError`.
        unavailable: log code for a dependency that is unavailable.
        so_far: what the client is told then of its request.
        headers: of each answer, errors included.
    """

    handle: Callable[[Request, Function], Answer]
    unavailable: LogCode
    so_far: str
    headers: Callable[[Function], Mapping[str, str]] = no_headers


class Router(msgspec.Struct, Generic[Function], frozen=True, kw_only=True):
    """Handlers of a function, by the names of their routes.

    Attributes:
        endpoints: of routes that take a key.
        open: of routes that take none.
        otherwise: of requests that match no route.
    """

    endpoints: Mapping[str, Endpoint[Function]]
    open: Mapping[str, Callable[[Event, Function], Answer]]
    otherwise: Callable[[Event, Function], Answer] = no_route


def serve(event: Event, function: Function, router: Router[Function]) -> dict[str, Any]:
    """Answer a request.

    Args:
        event: of API Gateway, in payload format 2.0.
        function: that answers.
        router: of the function.
    """
    answer = _bypassed_front(event, function.front) or _routed(event, function, router)
    if answer.status >= _SERVER_ERROR:
        count({Metric.SERVER_ERRORS: 1})
    return {
        "statusCode": answer.status,
        "headers": {"content-type": answer.content_type, "x-request-id": _request_id(event), **answer.headers},
        "body": answer.body,
        "isBase64Encoded": answer.is_base64,
    }


def refused(error: RequestError, request_id: str) -> Answer:
    """The answer to a request that is rejected as a whole."""
    logger().info("request refused", code=LogCode.REQUEST_REFUSED, problem=error.code, request_id=request_id)
    return problem(
        error.status, error.code, error.detail, request_id=request_id, headers=error.headers, extra=error.extra
    )


def _bypassed_front(event: Event, front: Front | None) -> Answer | None:
    """The answer to a request that bypassed the front; None for any other."""
    try:
        if front is None or front.has_passed(event):
            return None
    except UnavailableError as error:
        return _unavailable(error, LogCode.FRONT_UNAVAILABLE, "nothing is done for certain", _request_id(event))
    detail = "ask at the address that the operator of this service gives out, not at that of API Gateway"
    return refused(RequestError(403, "around_the_front", detail), _request_id(event))


def _routed(event: Event, function: Function, router: Router[Function]) -> Answer:
    route = BY_KEY.get(event["routeKey"])
    if route is not None and route.action is None:
        return router.open[route.name](event, function)
    if route is None or route.name not in router.endpoints:
        return router.otherwise(event, function)
    endpoint = router.endpoints[route.name]
    try:
        grant = permitted(event, route)
        request = Request(event, grant, address=client_address(event, function.front), limits=function.limits)
        answer = _with_headers(endpoint.handle(request, function), request.limit_headers())
    except RequestError as error:
        answer = refused(error, _request_id(event))
    except UnavailableError as error:
        answer = _unavailable(error, endpoint.unavailable, endpoint.so_far, _request_id(event))
    # Of requests that take a key alone: health checks would hide them.
    requested_at = event["requestContext"]["timeEpoch"] / 1000
    observe(Metric.REQUEST_TO_ANSWER, [time.time() - requested_at], transport="http")
    return _with_headers(answer, endpoint.headers(function))


def _unavailable(error: UnavailableError, code: LogCode, so_far: str, request_id: str) -> Answer:
    logger().error("unavailable", code=code, cause=str(error), request_id=request_id)
    detail = f"{so_far}; send the request again in {RETRY_AFTER_SECONDS} s, which is safe"
    headers = {"retry-after": str(RETRY_AFTER_SECONDS)}
    return problem(503, "unavailable", detail, request_id=request_id, headers=headers)


def _with_headers(answer: Answer, headers: Mapping[str, str]) -> Answer:
    return msgspec.structs.replace(answer, headers={**answer.headers, **headers}) if headers else answer


def _request_id(event: Event) -> str:
    return str(event["requestContext"]["requestId"])
