"""Admission of requests and points within the rate limits; docs/reference/limits.md."""

from collections.abc import Callable, Iterable, Sequence

import msgspec

from afluente.application.limits.limiter import (
    Allowed,
    Demand,
    Limiter,
    Throttled,
)
from afluente.application.limits.limits import KeyLimits, StageLimits, Subject


class Sender(msgspec.Struct, frozen=True):
    """Who sends a request.

    Attributes:
        address: that the gateway saw; empty where it saw none.
        key_id: of its key.
        limits: of the key, where it has its own.
    """

    address: str
    key_id: str
    limits: KeyLimits | None = None


class Batch(msgspec.Struct, frozen=True):
    """How many points a message brings, and of which source (`domain/source_id`)."""

    source: str
    points: int


class RateLimits:
    """Lets requests through within the limits of a stage: of the address first, then of the key, then of the source.

    Args:
        limiter: counts.
        limits: of the stage.
    """

    def __init__(self, limiter: Limiter, limits: StageLimits) -> None:
        self._limiter = limiter
        self._limits = limits

    def admit_connection(self, address: str, now: float) -> Allowed | Throttled:
        """Admit a connection by its address, before its sender is authenticated.

        Raises:
            UnavailableError: it cannot be counted, and the limits fail shut.
        """
        return self._limiter.take([Demand(Subject.IP, address, self._limits.ip, 1)] if address else [], now)

    def admit_request(self, sender: Sender, now: float) -> Allowed | Throttled:
        """Admit a request, before its points are known.

        Raises:
            UnavailableError: it cannot be counted, and the limits fail shut.
        """
        return self._limiter.take([*self._demands(sender, requests=1)], now)

    def admit_points(
        self, sender: Sender, points: Sequence[Batch], admitted: Allowed, now: float
    ) -> Allowed | Throttled:
        """Admit the points of an admitted request; throttled points cost no request either.

        Args:
            sender: of the request.
            points: that it brings, each source once.
            admitted: the answer of `admit_request`.
            now: in Unix seconds.

        Returns:
            What it took, with the standings of both; that it was not counted is not said a second time.

        Raises:
            UnavailableError: they cannot be counted, and the limits fail shut.
        """
        total = sum(batch.points for batch in points)
        taken = self._limiter.take([*self._demands(sender, points=total), *self._of_sources(points)], now)
        if isinstance(taken, Throttled):
            self._limiter.give_back(admitted, now)
            return taken
        return msgspec.structs.replace(
            taken,
            standings=(*admitted.standings, *taken.standings),
            uncounted=None if admitted.uncounted else taken.uncounted,
        )

    def admit_messages(
        self, messages: Sequence[Sequence[Batch]], now: float, *, run: Callable[..., Iterable[object]] = map
    ) -> list[Allowed | Throttled]:
        """Admit messages of devices, which have no key and no address; each by itself, in their order.

        Args:
            messages: what each brings.
            now: in Unix seconds.
            run: maps, as an executor does side by side.

        Raises:
            UnavailableError: they cannot be counted, and the limits fail shut.
        """
        return self._limiter.take_each([self._of_sources(message) for message in messages], now, run=run)

    def _of_sources(self, points: Sequence[Batch]) -> list[Demand]:
        return [Demand(Subject.SOURCE, batch.source, self._limits.source, 1, batch.points) for batch in points]

    def _demands(self, sender: Sender, *, requests: int = 0, points: int = 0) -> Iterable[Demand]:
        if sender.address:
            yield Demand(Subject.IP, sender.address, self._limits.ip, requests, points)
        yield Demand(Subject.KEY, sender.key_id, self._limits.key.with_(sender.limits), requests, points)
