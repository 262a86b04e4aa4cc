"""The WebSocket API: which events reach the function, and what is written down of them."""

import json
from collections.abc import Callable

from tests.infrastructure.deployment import Deployment, Resource


def test_connecting_leaving_and_every_message_reach_the_function_without_an_authorizer(prod: Deployment) -> None:
    routes = {route["RouteKey"]: route["AuthorizationType"] for route in of_the_api(prod, "Route")}

    # A client may authenticate by its first message, which no authorizer sees.
    assert routes == {"$connect": "NONE", "$disconnect": "NONE", "$default": "NONE"}
    assert of_the_api(prod, "Authorizer") == []
    assert all("ApiKeyRequired" not in route for route in of_the_api(prod, "Route"))


def test_every_route_is_answered_by_ws_ingest(prod: Deployment) -> None:
    [integration] = of_the_api(prod, "Integration")

    assert integration["IntegrationType"] == "AWS_PROXY"
    assert "/functions/afluente-prod-ws-ingest/invocations" in prod.plain(integration["IntegrationUri"])
    [id_] = [id_ for id_, one in prod.resources("AWS::ApiGatewayV2::Integration").items() if one is integration]
    for route in of_the_api(prod, "Route"):
        assert route["Target"] == {"Fn::Join": ["", ["integrations/", {"Ref": id_}]]}


def test_what_the_function_returns_for_a_message_goes_back_to_the_client(prod: Deployment) -> None:
    [response] = of_the_api(prod, "RouteResponse")
    default = prod.resources("AWS::ApiGatewayV2::Route")[response["RouteId"]["Ref"]]

    assert response["RouteResponseKey"] == "$default"
    assert (default["RouteKey"], default["RouteResponseSelectionExpression"]) == ("$default", "$default")
    answered = [route["RouteKey"] for route in of_the_api(prod, "Route") if "RouteResponseSelectionExpression" in route]
    assert answered == ["$default"]


def test_the_stage_deploys_itself_limits_the_rate_and_logs_without_key_and_query(prod: Deployment) -> None:
    [stage] = of_the_api(prod, "Stage")

    assert stage["StageName"] == "live"
    assert stage["AutoDeploy"] is True
    # No body is logged either: `DataTraceEnabled` is not there.
    assert stage["DefaultRouteSettings"] == {"ThrottlingRateLimit": 1_000, "ThrottlingBurstLimit": 2_000}
    log = prod.plain(stage["AccessLogSettings"])
    assert log["DestinationArn"].endswith(":log-group:/aws/vendedlogs/afluente/prod/websocket")
    assert json.loads(log["Format"]) == {
        "requestId": "$context.requestId",
        "requestTime": "$context.requestTime",
        "routeKey": "$context.routeKey",
        "eventType": "$context.eventType",
        "connectionId": "$context.connectionId",
        "status": "$context.status",
        "sourceIp": "$context.identity.sourceIp",
        "userAgent": "$context.identity.userAgent",
        "integrationLatency": "$context.integrationLatency",
        "integrationError": "$context.integrationErrorMessage",
    }


def test_a_new_connection_is_looked_at_when_its_ten_seconds_are_over(prod: Deployment) -> None:
    queue = prod.one("AWS::SQS::Queue", QueueName="afluente-prod-unanswered-connections")
    mapping = prod.trigger("ws_ingest")

    assert queue["DelaySeconds"] == 10
    assert queue["MessageRetentionPeriod"] == 2 * 3600
    assert prod.plain(mapping["EventSourceArn"]) == "afluente-prod-unanswered-connections"
    assert mapping["BatchSize"] == 10
    assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]


def test_ws_ingest_gives_up_before_api_gateway_does(prod: Deployment) -> None:
    assert prod.function("ws_ingest")["Timeout"] < 30


def test_a_stage_without_websocket_has_nothing_of_it(deployment_of: Callable[[str], Deployment]) -> None:
    migration = deployment_of("migration")

    assert migration.stage.enable_websocket_ingest is False
    [(http, api)] = migration.resources("AWS::ApiGatewayV2::Api").items()
    assert api["ProtocolType"] == "HTTP"
    for part in ("Route", "RouteResponse", "Integration", "Stage", "Authorizer"):
        apis = [one["ApiId"] for one in migration.resources(f"AWS::ApiGatewayV2::{part}").values()]
        assert all(id_ == {"Ref": http} for id_ in apis)
    queues = {queue["QueueName"] for queue in migration.resources("AWS::SQS::Queue").values()}
    assert "afluente-migration-unanswered-connections" not in queues


def of_the_api(deployment: Deployment, what: str) -> list[Resource]:
    """The routes, integrations and so on of the WebSocket API, without those of the HTTP API."""
    return [
        resource
        for resource in deployment.resources(f"AWS::ApiGatewayV2::{what}").values()
        if deployment.plain(resource["ApiId"]) == f"{deployment.stage.prefix}-websocket"
    ]
