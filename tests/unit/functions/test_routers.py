"""The handlers of a function are those of its routes."""

from importlib import import_module
from typing import Any

import pytest

from afluente.adapters.http.routes import ROUTES
from afluente.runtime.serving import Router

FUNCTIONS = ("http_admin", "http_ingest")


def router_of(function: str) -> Router[Any]:
    handler = import_module(f"{function}.handler")
    router: Router[Any] = handler._ROUTER
    return router


@pytest.mark.parametrize("function", FUNCTIONS)
def test_each_route_has_a_handler_and_each_handler_a_route(function: str) -> None:
    router = router_of(function)
    routes = [route for route in ROUTES if route.function == function]

    assert router.endpoints.keys() == {route.name for route in routes if route.action}
    assert router.open.keys() == {route.name for route in routes if not route.action}


def test_each_route_is_of_one_of_the_functions() -> None:
    assert {route.function for route in ROUTES} == set(FUNCTIONS)


def test_a_route_without_a_key_has_a_reason() -> None:
    assert all(bool(route.open_because) == (route.action is None) for route in ROUTES)


def test_an_event_of_another_function_is_not_answered() -> None:
    with pytest.raises(LookupError, match="PUT /health"):
        router_of("http_admin").otherwise({"routeKey": "PUT /health"}, None)
