"""The HTTP API: routes, their functions, and the check of keys."""

import json
from collections.abc import Callable

from afluente.adapters.http.routes import ROUTES
from tests.infrastructure.deployment import Deployment, Resource

OPEN = {"GET /health", "GET /openapi.json", "GET /asyncapi.json", "GET /docs"}


def test_every_route_is_there_and_only_those_that_describe_the_service_take_no_key(prod: Deployment) -> None:
    routes = {route["RouteKey"]: route["AuthorizationType"] for route in of_the_http_api(prod, "Route")}

    assert routes.keys() == {route.key for route in ROUTES} | {"$default"}
    expected = {key: "NONE" if key in {*OPEN, "$default"} else "CUSTOM" for key in routes}
    assert routes == expected


def test_a_stage_without_the_agnostic_api_has_no_route_for_points(deployment_of: Callable[[str], Deployment]) -> None:
    migration = deployment_of("migration")

    routes = {route["RouteKey"] for route in of_the_http_api(migration, "Route")}

    assert {route for route in routes if " /ingest" in route} == set()
    assert routes >= OPEN
    environment = migration.function("http_ingest")["Environment"]["Variables"]
    assert environment["AFLUENTE_ENABLE_AGNOSTIC_API"] == "false"
    environment = migration.function("classifier")["Environment"]["Variables"]
    assert environment["AFLUENTE_USE_AGNOSTIC_CONSTRAINTS"] == "false"


def test_every_route_is_answered_by_its_function(prod: Deployment) -> None:
    of_route = {route.key: route.function for route in ROUTES} | {"$default": "http_ingest"}
    functions = {}
    for id_, integration in prod.resources("AWS::ApiGatewayV2::Integration").items():
        if any(integration is one for one in of_the_http_api(prod, "Integration")):
            assert integration["IntegrationType"] == "AWS_PROXY"
            assert integration["PayloadFormatVersion"] == "2.0"
            functions[id_] = prod.plain(integration["IntegrationUri"])

    assert sorted(functions.values()) == ["afluente-prod-http-admin", "afluente-prod-http-ingest"]
    for route in of_the_http_api(prod, "Route"):
        [target] = [id_ for id_ in functions if route["Target"] == {"Fn::Join": ["", ["integrations/", {"Ref": id_}]]}]
        assert functions[target] == f"afluente-prod-{of_route[route['RouteKey']].replace('_', '-')}"


def test_the_key_is_checked_by_the_authorizer_and_its_answer_cached_for_half_a_minute(prod: Deployment) -> None:
    [(id_, authorizer)] = prod.resources("AWS::ApiGatewayV2::Authorizer").items()

    assert authorizer["AuthorizerType"] == "REQUEST"
    assert authorizer["AuthorizerPayloadFormatVersion"] == "2.0"
    assert authorizer["EnableSimpleResponses"] is True
    assert authorizer["IdentitySource"] == ["$request.header.X-API-Key"]
    assert authorizer["AuthorizerResultTtlInSeconds"] == 30
    assert "/functions/afluente-prod-http-authorizer/invocations" in prod.plain(authorizer["AuthorizerUri"])
    for route in ROUTES:
        if route.action is not None:
            assert prod.one("AWS::ApiGatewayV2::Route", RouteKey=route.key)["AuthorizerId"] == {"Ref": id_}


def test_the_stage_deploys_itself_limits_the_rate_and_logs_each_call(prod: Deployment) -> None:
    [stage] = of_the_http_api(prod, "Stage")

    assert stage["StageName"] == "$default"
    assert stage["AutoDeploy"] is True
    assert stage["DefaultRouteSettings"] == {"ThrottlingRateLimit": 1_000, "ThrottlingBurstLimit": 2_000}
    log = prod.plain(stage["AccessLogSettings"])
    assert log["DestinationArn"].endswith(":log-group:/aws/vendedlogs/afluente/prod/http")
    assert json.loads(log["Format"])["requestId"] == "$context.requestId"


def test_http_ingest_gives_up_before_api_gateway_does(prod: Deployment) -> None:
    assert prod.function("http_ingest")["Timeout"] < 30
    assert prod.function("http_authorizer")["Timeout"] < 10


def of_the_http_api(deployment: Deployment, what: str) -> list[Resource]:
    """The routes, integrations or stages of the HTTP API, without those of the WebSocket API."""
    return [
        resource
        for resource in deployment.resources(f"AWS::ApiGatewayV2::{what}").values()
        if deployment.plain(resource["ApiId"]) == f"{deployment.stage.prefix}-http"
    ]
