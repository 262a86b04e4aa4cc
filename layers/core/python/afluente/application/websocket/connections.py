"""The record of an authenticated WebSocket connection."""

import msgspec

from afluente.application.limits.stage_limits import KeyLimits


class Connection(msgspec.Struct, frozen=True):
    """An authenticated connection of one source.

    Attributes:
        connection_id: the name that API Gateway gives it.
        domain: of the source.
        source_id: of the source.
        key_id: of the key that it authenticated with.
        opened_at: time of its authentication, in Unix seconds.
        limits: of the key, if it has its own.
    """

    connection_id: str
    domain: str
    source_id: str
    key_id: str
    opened_at: float
    limits: KeyLimits | None = None

    @property
    def source(self) -> str:
        """`domain/source_id`."""
        return f"{self.domain}/{self.source_id}"
