"""Open WebSockets in API Gateway: messages to them, their end, and the queue of those yet to authenticate."""

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

    def send(self, connection_id: str, message: object) -> None:
        """Send a message; does nothing if the connection is closed.

        Raises:
            UnavailableError: API Gateway does not accept it.
        """
        with unavailable("API Gateway"):
            try:
                self._client.post_to_connection(ConnectionId=connection_id, Data=msgspec.json.encode(message))
            except ClientError as error:
                _raise_unless_closed(error)

    def close(self, connection_id: str) -> None:
        """Close a connection; does nothing if it is closed already.

        Raises:
            UnavailableError: API Gateway does not answer.
        """
        with unavailable("API Gateway"):
            try:
                self._client.delete_connection(ConnectionId=connection_id)
            except ClientError as error:
                _raise_unless_closed(error)


class UnansweredQueue:
    """Schedules a check of connections that have not authenticated, by a queue that delays its messages.

    Args:
        client: of SQS.
        queue_url: of a queue whose delay is the time to authenticate.
    """

    def __init__(self, client: "SQSClient", queue_url: str) -> None:
        self._client = client
        self._queue_url = queue_url

    def put(self, connection_id: str) -> None:
        """Schedule the check of a connection.

        Raises:
            UnavailableError: SQS does not accept the message.
        """
        with unavailable("SQS"):
            self._client.send_message(QueueUrl=self._queue_url, MessageBody=connection_id)


def _raise_unless_closed(error: ClientError) -> None:
    if error.response.get("Error", {}).get("Code") not in {"GoneException", "410"}:
        raise error
