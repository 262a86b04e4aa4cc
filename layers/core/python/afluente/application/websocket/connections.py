"""Connections: who is at the other end of a WebSocket, and how far the source has been acknowledged."""

from collections.abc import Callable, Collection, Sequence
from typing import Protocol

import msgspec
from cachetools import TTLCache

from afluente.application.access.authentication import Authentication
from afluente.application.access.grants import Action, Grant
from afluente.application.limits.stage_limits import KeyLimits
from afluente.domain.datapoints import DataPoint
from afluente.domain.stream_keys import MISSING_SOURCE, domain_faults, part_faults

_REMEMBERED = 10_000


class Connection(msgspec.Struct, frozen=True):
    """An authenticated connection; it sends for one source.

    Attributes:
        connection_id: as API Gateway names it.
        domain: the source's.
        source_id: whose points come over it.
        key_id: of the key that it authenticated with.
        opened_at: when it did, in Unix seconds.
        limits: of the key, where it has its own.
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


class ConnectionStore(Protocol):
    """Where connections are kept, and the sequence up to which each source is acknowledged."""

    def find(self, connection_id: str) -> Connection | None:
        """The connection with this id, as the last `open` left it; None where there is none.

        Raises:
            UnavailableError: the store does not answer.
        """
        ...

    def open(self, connection: Connection) -> None:
        """Keep a connection, in place of the one with the same id.

        Raises:
            UnavailableError: the store does not answer.
        """
        ...

    def close(self, connection_id: str) -> None:
        """Forget a connection.

        Raises:
            UnavailableError: the store does not answer.
        """
        ...

    def last_sequence(self, source: str) -> int | None:
        """The sequence acknowledged last for a source (`domain/source_id`).

        Raises:
            UnavailableError: the store does not answer.
        """
        ...

    def acknowledged(self, source: str, sequence: int, now: float) -> None:
        """Keep the sequence that is acknowledged; the last one counts, be it smaller: a sender may count anew.

        Raises:
            UnavailableError: the store does not answer.
        """
        ...


class RefusedError(Exception):
    """A connection may not send what it asks for; says why and the way out.

    Attributes:
        is_known: whether the key is good, and it is the source that it may not write.
    """

    def __init__(self, reason: str, *, is_known: bool = False) -> None:
        super().__init__(reason)
        self.is_known = is_known


class Connections:
    """Opens connections for callers with a key, and knows them again.

    Args:
        store: where they are kept.
        authenticate: tells whose a key is.
        domains: the domains that are open.
        ttl_seconds: how long a key that was taken back may go on over an open connection.
        clock: a monotonic clock, in seconds.
    """

    def __init__(
        self,
        *,
        store: ConnectionStore,
        authenticate: Authentication,
        domains: Collection[str],
        ttl_seconds: float,
        clock: Callable[[], float],
    ) -> None:
        self._store = store
        self._authenticate = authenticate
        self._domains = domains
        self._checked: TTLCache[str, Connection] = TTLCache(_REMEMBERED, ttl_seconds, timer=clock)

    def open(self, connection_id: str, *, domain: object, source_id: object, api_key: object, now: float) -> Connection:
        """Authenticate a connection.

        Raises:
            RefusedError: the key is not good, or not for this source, or the connection is for another one.
            UnavailableError: a store does not answer.
        """
        if not isinstance(api_key, str) or not api_key:
            raise RefusedError("api_key is required: a string")
        grant = self._authenticate(api_key, now)
        if grant is None:
            raise RefusedError("the key is unknown, expired or revoked; ask the operators for one")
        source_id = MISSING_SOURCE if source_id is None else source_id
        faults = [*domain_faults(domain), *part_faults("source_id", source_id)]
        if faults:
            raise RefusedError("; ".join(f"{fault.field} {fault.message}" for fault in faults), is_known=True)
        connection = Connection(connection_id, str(domain), str(source_id), grant.key_id, now, grant.limits)
        self._check_reach(connection, grant)
        before = self._store.find(connection_id)
        if before is not None and before.source != connection.source:
            # Others who serve the connection may remember for a while what it was for.
            told = f"the connection is for {before.source}; make another one for {connection.source}"
            raise RefusedError(told, is_known=True)
        self._store.open(connection)
        self._checked[connection_id] = connection
        return connection

    def find(self, connection_id: str, now: float) -> Connection | None:
        """The connection, if it has authenticated and its key is still good, as of `ttl_seconds` ago at the most.

        Raises:
            UnavailableError: a store does not answer.
        """
        checked = self._checked.get(connection_id)
        if checked is not None:
            return checked
        found = self._store.find(connection_id)
        grant = self._authenticate.still_valid(found.key_id, now) if found else None
        if found is None or grant is None:
            return None
        found = self._checked[connection_id] = msgspec.structs.replace(found, limits=grant.limits)
        return found

    def last_sequence(self, connection: Connection) -> int | None:
        """The sequence acknowledged last for the source of a connection; None where there is none.

        Raises:
            UnavailableError: the store does not answer.
        """
        return self._store.last_sequence(connection.source)

    def acknowledged(self, connection: Connection, points: Sequence[DataPoint], now: float) -> None:
        """Keep the last sequence of points that are queued. It may lag behind them, and never leads.

        Raises:
            UnavailableError: the store does not answer.
        """
        last = next((point.sequence for point in reversed(points) if point.sequence is not None), None)
        if last is not None:
            self._store.acknowledged(connection.source, last, now)

    def close(self, connection_id: str) -> None:
        """Forget a connection.

        Raises:
            UnavailableError: the store does not answer; it forgets by itself in time.
        """
        self._checked.pop(connection_id, None)
        self._store.close(connection_id)

    def _check_reach(self, connection: Connection, grant: Grant) -> None:
        missing = grant.missing(Action.INGEST, connection.domain, connection.source_id)
        if missing:
            told = f"the key {grant.key_id} lacks the scope {missing}; ask the operators for a key that has it"
            raise RefusedError(told, is_known=True)
        # Only now: whether a domain is there is nobody's business who does not reach it.
        if connection.domain not in self._domains:
            its_own = ", ".join(sorted(name for name in self._domains if grant.missing_domain(name) is None))
            raise RefusedError(f"the domain '{connection.domain}' is not open; open are {its_own}", is_known=True)
