"""What the service does to an open WebSocket: say something, close it, look at it again after a while."""

from typing import TYPE_CHECKING

import msgspec
from botocore.exceptions import ClientError

from afluente.adapters.aws.calls import unavailable

if TYPE_CHECKING:
    from mypy_boto3_apigatewaymanagementapi import ApiGatewayManagementApiClient
    from mypy_boto3_sqs import SQSClient


class WebSocketConnections:
    """The connections of a WebSocket API.

    Args:
        client: of the management API, at the address of the API's stage.
    """

    def __init__(self, client: "ApiGatewayManagementApiClient") -> None:
        self._client = client

    def say(self, connection_id: str, message: object) -> None:
        """Send a message; nothing where the connection is gone.

        Raises:
            UnavailableError: API Gateway does not take it.
        """
        with unavailable("API Gateway"):
            try:
                self._client.post_to_connection(ConnectionId=connection_id, Data=msgspec.json.encode(message))
            except ClientError as error:
                _pass_if_gone(error)

    def close(self, connection_id: str) -> None:
        """Close a connection; nothing where it is gone.

        Raises:
            UnavailableError: API Gateway does not do it.
        """
        with unavailable("API Gateway"):
            try:
                self._client.delete_connection(ConnectionId=connection_id)
            except ClientError as error:
                _pass_if_gone(error)


class UnansweredQueue:
    """Has the function look at a connection again once its time to authenticate is over, by a queue that delays.

    Args:
        client: of SQS.
        queue_url: of a queue whose delay is that time.
    """

    def __init__(self, client: "SQSClient", queue_url: str) -> None:
        self._client = client
        self._queue_url = queue_url

    def put(self, connection_id: str) -> None:
        """Have the function look at a connection.

        Raises:
            UnavailableError: SQS does not take it.
        """
        with unavailable("SQS"):
            self._client.send_message(QueueUrl=self._queue_url, MessageBody=connection_id)


def _pass_if_gone(error: ClientError) -> None:
    if error.response.get("Error", {}).get("Code") not in {"GoneException", "410"}:
        raise error
