"""Composition of `ws_ingest`."""

import time
from collections.abc import Mapping

import msgspec
from pydantic import Field

from afluente.adapters.aws.api_gateway_connections import UnansweredQueue, WebSocketConnections
from afluente.adapters.aws.dynamodb_connections import DynamoConnections
from afluente.application.ingest.accept_points import AcceptPoints
from afluente.application.limits.rate_limits import RateLimits
from afluente.application.websocket.registry import ConnectionRegistry
from afluente.runtime.authentication import authentication
from afluente.runtime.core.clients import client
from afluente.runtime.core.settings import AcceptingSettings, AuthenticatingSettings, LimitedSettings
from afluente.runtime.ingest import accept_points, s3_quarantine
from afluente.runtime.limiting import rate_limits


class WsIngestSettings(AcceptingSettings, AuthenticatingSettings, LimitedSettings):
    """Settings of `ws_ingest`."""

    key_ttl_seconds: float = Field(default=25, ge=0)
    connections_table: str
    unanswered_queue_url: str
    websocket_api_id: str
    websocket_stage: str
    websocket_management_url: str


class WsIngest(msgspec.Struct, frozen=True):
    """Ports and use cases of `ws_ingest`."""

    connections: ConnectionRegistry
    accept: AcceptPoints
    gateway: WebSocketConnections
    unanswered: UnansweredQueue
    limits: RateLimits


def compose(environment: Mapping[str, str]) -> WsIngest:
    """Build `ws_ingest`."""
    settings = WsIngestSettings.read(environment)
    connections = ConnectionRegistry(
        store=DynamoConnections(client("dynamodb"), settings.connections_table),
        authenticate=authentication(settings),
        domains=settings.domains,
        ttl_seconds=settings.key_ttl_seconds,
        clock=time.monotonic,
    )
    management_url = _management_url(settings, environment.get("AWS_ENDPOINT_URL"))
    return WsIngest(
        connections=connections,
        accept=accept_points(settings, s3_quarantine(settings)),
        gateway=WebSocketConnections(client("apigatewaymanagementapi", management_url)),
        unanswered=UnansweredQueue(client("sqs"), settings.unanswered_queue_url),
        limits=rate_limits(settings),
    )


def _management_url(settings: WsIngestSettings, endpoint: str | None) -> str:
    """The URL at which connections are managed: a host of the API's own, or a path of the endpoint of all services."""
    if endpoint is None:
        return settings.websocket_management_url
    return f"{endpoint}/_aws/execute-api/{settings.websocket_api_id}/{settings.websocket_stage}"
