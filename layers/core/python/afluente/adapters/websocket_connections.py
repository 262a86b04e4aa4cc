"""What the service does to an open WebSocket: say something, close it."""

from typing import TYPE_CHECKING, Any

import msgspec
from botocore.exceptions import ClientError

from afluente.adapters.aws import unavailable

if TYPE_CHECKING:
    from collections.abc import Callable


class WebSocketConnections:
    """The connections of a WebSocket API, by its management endpoint.

    Args:
        client: gives the client of the management API for an endpoint.
    """

    def __init__(self, client: "Callable[[str], Any]") -> None:
        self._client = client

    def say(self, endpoint: str, connection_id: str, message: object) -> None:
        """Send a message; nothing where the connection is gone.

        Raises:
            UnavailableError: API Gateway does not take it.
        """
        with unavailable("API Gateway"):
            try:
                self._client(endpoint).post_to_connection(ConnectionId=connection_id, Data=msgspec.json.encode(message))
            except ClientError as error:
                _pass_if_gone(error)

    def close(self, endpoint: str, connection_id: str) -> None:
        """Close a connection; nothing where it is gone.

        Raises:
            UnavailableError: API Gateway does not do it.
        """
        with unavailable("API Gateway"):
            try:
                self._client(endpoint).delete_connection(ConnectionId=connection_id)
            except ClientError as error:
                _pass_if_gone(error)


def _pass_if_gone(error: ClientError) -> None:
    if error.response.get("Error", {}).get("Code") not in {"GoneException", "410"}:
        raise error
