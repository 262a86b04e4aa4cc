"""In-memory twin of the port of WebSocket connections."""

from afluente.application.websocket.connections import Connection


class MemoryConnections:
    """Connections by id, and the last acknowledged sequence by source; none expires."""

    def __init__(self) -> None:
        self._connections: dict[str, Connection] = {}
        self._sequences: dict[str, int] = {}

    def find(self, connection_id: str) -> Connection | None:
        return self._connections.get(connection_id)

    def open(self, connection: Connection) -> None:
        self._connections[connection.connection_id] = connection

    def close(self, connection_id: str) -> None:
        self._connections.pop(connection_id, None)

    def last_sequence(self, source: str) -> int | None:
        return self._sequences.get(source)

    def save_sequence(self, source: str, sequence: int, now: float) -> None:
        del now
        self._sequences[source] = sequence
