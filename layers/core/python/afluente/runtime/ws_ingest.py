"""Composition of `ws_ingest`."""

import os
import time
from functools import cache

import msgspec

from afluente.adapters.aws.api_gateway_connections import UnansweredQueue, WebSocketConnections
from afluente.adapters.aws.dynamodb_connections import DynamoConnections
from afluente.application.ingest.accept_points import AcceptPoints
from afluente.application.limits.rate_limits import RateLimits
from afluente.application.websocket.registry import ConnectionRegistry
from afluente.runtime.authentication import authentication
from afluente.runtime.clients import client
from afluente.runtime.ingest import accept_points, s3_quarantine
from afluente.runtime.jitter import sleep_with_jitter
from afluente.runtime.limiting import rate_limits
from afluente.runtime.settings import WsIngestSettings


class WsIngest(msgspec.Struct, frozen=True):
    """What `ws_ingest` works with."""

    connections: ConnectionRegistry
    accept: AcceptPoints
    gateway: WebSocketConnections
    unanswered: UnansweredQueue
    limits: RateLimits


@cache
def ws_ingest() -> WsIngest:
    """Build `ws_ingest`."""
    settings = WsIngestSettings.read(os.environ)
    connections = ConnectionRegistry(
        store=DynamoConnections(client("dynamodb"), settings.connections_table),
        authenticate=authentication(settings),
        domains=settings.domains,
        ttl_seconds=settings.key_ttl_seconds,
        clock=time.monotonic,
    )
    return WsIngest(
        connections=connections,
        accept=accept_points(settings, s3_quarantine(settings)),
        gateway=WebSocketConnections(client("apigatewaymanagementapi", _management_url(settings))),
        unanswered=UnansweredQueue(client("sqs"), settings.unanswered_queue_url),
        limits=rate_limits(settings, sleep_with_jitter),
    )


def _management_url(settings: WsIngestSettings) -> str:
    """Where connections are managed: a host of the API's own, or by path where all services are at one endpoint."""
    endpoint = os.environ.get("AWS_ENDPOINT_URL")
    if endpoint is None:
        return settings.websocket_management_url
    return f"{endpoint}/_aws/execute-api/{settings.websocket_api_id}/{settings.websocket_stage}"
