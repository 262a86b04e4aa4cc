"""The function that accepts points over WebSocket."""

from constructs import Construct

from infra.checks import acknowledge, as_reported
from infra.constructs.data_stores import DataStores
from infra.constructs.functions.capabilities import accept_points, check_keys, limit_rates
from infra.constructs.functions.service_function import (
    GATEWAY_TIMEOUT,
    MAX_FIFO_BATCH,
    RECEIVE,
    ServiceFunction,
)
from infra.constructs.layers import Layers
from infra.constructs.websocket_api import StreamApi, UnansweredConnections
from infra.stage import Stage


class WsIngest(ServiceFunction):
    """Answers the WebSocket API, and closes connections that do not authenticate in time."""

    def __init__(
        self,
        scope: Construct,
        id_: str,
        *,
        stage: Stage,
        data: DataStores,
        layers: Layers,
        api: StreamApi,
        unanswered: UnansweredConnections,
    ) -> None:
        super().__init__(
            scope,
            id_,
            stage=stage,
            package="ws_ingest",
            layers=layers.common,
            timeout=GATEWAY_TIMEOUT,
            key=data.encryption.key,
        )
        accept_points(self, stage, data)
        check_keys(self, data)
        limit_rates(self, stage, data)
        self._connections(data, unanswered)
        self._answers(api)

    def _connections(self, data: DataStores, unanswered: UnansweredConnections) -> None:
        """Keep the connections, and look at each new one when its time to authenticate is over."""
        connections = data.tables.connections
        self.configure(
            {
                "AFLUENTE_CONNECTIONS_TABLE": connections.table_name,
                "AFLUENTE_UNANSWERED_QUEUE_URL": unanswered.queue.queue_url,
            }
        )
        self.allow(["dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:DeleteItem"], connections.table_arn)
        self.consume("Unanswered", unanswered.queue, ["sqs:SendMessage", *RECEIVE], batch_size=MAX_FIFO_BATCH)

    def _answers(self, api: StreamApi) -> None:
        """Send messages to connections, and close them."""
        self.configure(
            {
                "AFLUENTE_WEBSOCKET_API_ID": api.api.api_id,
                "AFLUENTE_WEBSOCKET_STAGE": api.stage.stage_name,
                "AFLUENTE_WEBSOCKET_MANAGEMENT_URL": api.management_url,
            }
        )
        self.allow(["execute-api:ManageConnections"], api.connections_arn())
        acknowledge(
            self.role,
            f"AwsSolutions-IAM5[Resource::{as_reported(self, api.connections_arn())}]",
            "A connection is known when a client makes it: no grant can be narrower than those of this API.",
        )
