"""The registry of connections: opens them for callers with a key, and finds them again while the key is valid."""

from collections.abc import Callable, Collection, Sequence

import msgspec
from cachetools import TTLCache

from afluente.application.access.authentication import Authentication
from afluente.application.access.grants import Action, Grant
from afluente.application.websocket.connections import Connection
from afluente.application.websocket.ports import ConnectionStore
from afluente.domain.datapoints import DataPoint
from afluente.domain.stream_keys import MISSING_SOURCE, domain_faults, part_faults

_CACHED_CONNECTIONS = 10_000


class RefusedError(Exception):
    """A connection that may not send for its source; the message has the cause and a hint.

    Attributes:
        is_known: True if the key is valid but does not reach the source.
    """

    def __init__(self, reason: str, *, is_known: bool = False) -> None:
        super().__init__(reason)
        self.is_known = is_known


class ConnectionRegistry:
    """Opens connections for callers with a key, and finds them again through a cache.

    Args:
        store: of connections.
        authenticate: gives the grant of a key.
        domains: the open domains.
        ttl_seconds: time for which a connection is cached, and so outlives the end of its key.
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
        self._cache: TTLCache[str, Connection] = TTLCache(_CACHED_CONNECTIONS, ttl_seconds, timer=clock)

    def open(self, connection_id: str, *, domain: object, source_id: object, api_key: object, now: float) -> Connection:
        """Authenticate a connection.

        Raises:
            RefusedError: the key is not valid or does not reach this source, or the connection is of another source.
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
            # Other containers may still have the connection with its first source in their caches.
            message = f"the connection is for {before.source}; make another one for {connection.source}"
            raise RefusedError(message, is_known=True)
        self._store.open(connection)
        self._cache[connection_id] = connection
        return connection

    def find(self, connection_id: str, now: float) -> Connection | None:
        """An authenticated connection whose key is valid, or was within the last `ttl_seconds`; None otherwise.

        Raises:
            UnavailableError: a store does not answer.
        """
        cached = self._cache.get(connection_id)
        if cached is not None:
            return cached
        found = self._store.find(connection_id)
        grant = self._authenticate.still_valid(found.key_id, now) if found else None
        if found is None or grant is None:
            return None
        found = self._cache[connection_id] = msgspec.structs.replace(found, limits=grant.limits)
        return found

    def last_sequence(self, connection: Connection) -> int | None:
        """The sequence acknowledged last for the source of a connection; None if there is none.

        Raises:
            UnavailableError: the store does not answer.
        """
        return self._store.last_sequence(connection.source)

    def acknowledge(self, connection: Connection, points: Sequence[DataPoint], now: float) -> None:
        """Store the last sequence of queued points; it may lag behind the queue, and never leads.

        Raises:
            UnavailableError: the store does not answer.
        """
        last = next((point.sequence for point in reversed(points) if point.sequence is not None), None)
        if last is not None:
            self._store.save_sequence(connection.source, last, now)

    def close(self, connection_id: str) -> None:
        """Forget a connection.

        Raises:
            UnavailableError: the store does not answer; its record expires.
        """
        self._cache.pop(connection_id, None)
        self._store.close(connection_id)

    def _check_reach(self, connection: Connection, grant: Grant) -> None:
        missing = grant.missing(Action.INGEST, connection.domain, connection.source_id)
        if missing:
            message = f"the key {grant.key_id} lacks the scope {missing}; ask the operators for a key that has it"
            raise RefusedError(message, is_known=True)
        # After the grant, so that a key learns nothing of domains beyond its reach.
        if connection.domain not in self._domains:
            reached = ", ".join(sorted(name for name in self._domains if grant.missing_domain(name) is None))
            raise RefusedError(f"the domain '{connection.domain}' is not open; open are {reached}", is_known=True)
