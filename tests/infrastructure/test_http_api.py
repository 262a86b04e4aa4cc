"""Which calls reach a function, and which of them need a key."""

import json
from collections.abc import Callable

from tests.infrastructure.deployment import Deployment, Resource

CSV_ROUTES = {
    "POST /ingest/csv",
    "POST /ingest/csv/uploads",
    "POST /ingest/csv/{job_id}/upload",
    "GET /ingest/csv",
    "GET /ingest/csv/{job_id}",
    "DELETE /ingest/csv/{job_id}",
}


def test_only_the_ingest_routes_ask_for_a_key(prod: Deployment) -> None:
    routes = {route["RouteKey"]: route["AuthorizationType"] for route in of_the_http_api(prod, "Route")}

    keyed = {"POST /ingest/datapoints", "POST /ingest/packets", *CSV_ROUTES}
    assert routes == {**dict.fromkeys(keyed, "CUSTOM"), "GET /health": "NONE", "$default": "NONE"}


def test_a_stage_without_the_agnostic_api_has_no_route_for_points(deployment_of: Callable[[str], Deployment]) -> None:
    migration = deployment_of("migration")

    routes = {route["RouteKey"] for route in of_the_http_api(migration, "Route")}

    assert routes == {"GET /health", "$default"}
    environment = migration.function("http_ingest")["Environment"]["Variables"]
    assert environment["AFLUENTE_ENABLE_AGNOSTIC_API"] == "false"
    environment = migration.function("classifier")["Environment"]["Variables"]
    assert environment["AFLUENTE_USE_AGNOSTIC_CONSTRAINTS"] == "false"


def test_every_route_is_answered_by_http_ingest(prod: Deployment) -> None:
    [integration] = of_the_http_api(prod, "Integration")

    assert prod.plain(integration["IntegrationUri"]) == "afluente-prod-http-ingest"
    assert integration["IntegrationType"] == "AWS_PROXY"
    assert integration["PayloadFormatVersion"] == "2.0"
    [id_] = [id_ for id_, one in prod.resources("AWS::ApiGatewayV2::Integration").items() if one is integration]
    for route in of_the_http_api(prod, "Route"):
        assert route["Target"] == {"Fn::Join": ["", ["integrations/", {"Ref": id_}]]}


def test_the_key_is_checked_by_the_authorizer_and_its_answer_kept_for_a_minute(prod: Deployment) -> None:
    [(id_, authorizer)] = prod.resources("AWS::ApiGatewayV2::Authorizer").items()

    assert authorizer["AuthorizerType"] == "REQUEST"
    assert authorizer["AuthorizerPayloadFormatVersion"] == "2.0"
    assert authorizer["EnableSimpleResponses"] is True
    assert authorizer["IdentitySource"] == ["$request.header.X-API-Key"]
    assert authorizer["AuthorizerResultTtlInSeconds"] == 60
    assert "/functions/afluente-prod-http-authorizer/invocations" in prod.plain(authorizer["AuthorizerUri"])
    for key in ("POST /ingest/datapoints", *CSV_ROUTES):
        assert prod.one("AWS::ApiGatewayV2::Route", RouteKey=key)["AuthorizerId"] == {"Ref": id_}


def test_the_stage_deploys_itself_limits_the_rate_and_logs_each_call(prod: Deployment) -> None:
    [stage] = of_the_http_api(prod, "Stage")

    assert stage["StageName"] == "$default"
    assert stage["AutoDeploy"] is True
    assert stage["DefaultRouteSettings"] == {"ThrottlingRateLimit": 1_000, "ThrottlingBurstLimit": 2_000}
    log = prod.plain(stage["AccessLogSettings"])
    assert log["DestinationArn"].endswith(":log-group:/aws/vendedlogs/afluente/prod/http")
    assert json.loads(log["Format"])["requestId"] == "$context.requestId"
    assert "x-api-key" not in log["Format"].lower()


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
