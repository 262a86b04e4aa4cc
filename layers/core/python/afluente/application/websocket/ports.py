"""The port of WebSocket connections: their store."""

from typing import Protocol

from afluente.application.websocket.connections import Connection


class ConnectionStore(Protocol):
    """Open connections by id, and the last acknowledged sequence of each source (`domain/source_id`).

    Every method raises `UnavailableError` if the store does not answer.
    """

    def find(self, connection_id: str) -> Connection | None:
        """The connection with this id, as `open` stored it last; None if there is none."""
        ...

    def open(self, connection: Connection) -> None:
        """Store a connection, replacing the one with the same id."""
        ...

    def close(self, connection_id: str) -> None:
        """Delete a connection, if there is one with this id."""
        ...

    def last_sequence(self, source: str) -> int | None:
        """The sequence of a source that was acknowledged last; None if there is none."""
        ...

    def save_sequence(self, source: str, sequence: int, now: float) -> None:
        """Store the last acknowledged sequence, even if it is smaller than the one before: a sender may start anew."""
        ...
