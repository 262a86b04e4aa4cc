"""Rate limits: the admission of connections, requests, points and messages; docs/reference/limits.md."""

from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

import msgspec

from afluente.application.limits.decisions import Allowed, Batch, Demand, Throttled
from afluente.application.limits.limiter import Limiter
from afluente.application.limits.rules import Subject
from afluente.application.limits.stage_limits import KeyLimits, StageLimits

Decision = TypeVar("Decision", bound=Allowed | Throttled)


class Sender(msgspec.Struct, frozen=True):
    """The sender of a request.

    Attributes:
        address: IP address that the gateway saw; empty if it saw none.
        key_id: of its key.
        limits: of the key, if it has its own.
    """

    address: str
    key_id: str
    limits: KeyLimits | None = None


class RateLimits:
    """Admits requests within the limits of a stage: of the address first, then of the key, then of the source.

    Args:
        limiter: counts the requests and points.
        limits: of the stage.
        on_decisions: is given the decisions, to log and count them.
    """

    def __init__(
        self,
        limiter: Limiter,
        limits: StageLimits,
        *,
        on_decisions: Callable[[Sequence[Allowed | Throttled]], None] = lambda _: None,
    ) -> None:
        self._limiter = limiter
        self._limits = limits
        self._on_decisions = on_decisions

    def admit_connection(self, address: str, now: float) -> Allowed | Throttled:
        """Admit a connection by its address, before its sender is authenticated.

        Raises:
            UnavailableError: it cannot be counted, and the limits fail shut.
        """
        demands = [Demand(Subject.IP, address, self._limits.ip, 1)] if address else []
        return self._reported(self._limiter.acquire(demands, now))

    def admit_request(self, sender: Sender, now: float) -> Allowed | Throttled:
        """Admit a request, before its points are known.

        Raises:
            UnavailableError: it cannot be counted, and the limits fail shut.
        """
        return self._reported(self._limiter.acquire([*self._demands(sender, requests=1)], now))

    def admit_points(
        self, sender: Sender, points: Sequence[Batch], admitted: Allowed, now: float
    ) -> Allowed | Throttled:
        """Admit the points of an admitted request; throttled points cost no request either.

        Args:
            sender: of the request.
            points: of the request, each source once.
            admitted: the answer of `admit_request`.
            now: in Unix seconds.

        Returns:
            The decision, with the standings of the request and of its points; that they were not counted is
            reported only if `admitted` does not report it.

        Raises:
            UnavailableError: they cannot be counted, and the limits fail shut.
        """
        total = sum(batch.points for batch in points)
        return self._further([*self._demands(sender, points=total), *self._of_sources(points)], admitted, now)

    def admit_file(self, sender: Sender, size: int, admitted: Allowed, now: float) -> Allowed | Throttled:
        """Admit the bytes of a CSV file of an admitted request, as `admit_points` does.

        Args:
            sender: of the file.
            size: bytes that were not admitted before; none or fewer for nothing to admit.
            admitted: the answer of `admit_request`.
            now: in Unix seconds.

        Raises:
            UnavailableError: they cannot be counted, and the limits fail shut.
        """
        if size <= 0:
            return admitted
        limits = self._limits.csv.overridden_by(sender.limits)
        return self._further([Demand(Subject.CSV, sender.key_id, limits, points=size)], admitted, now)

    def admit_messages(
        self,
        messages: Sequence[Sequence[Batch]],
        now: float,
        *,
        run: Callable[..., Iterable[object]] = map,
        is_time_left: Callable[[], bool] = lambda: True,
    ) -> list[Allowed | Throttled]:
        """Admit messages of devices, which have no key and no address; each by itself, in their order.

        Args:
            messages: the points of each.
            now: in Unix seconds.
            run: maps, as an executor does concurrently.
            is_time_left: tells whether the store may be called still.

        Raises:
            UnavailableError: they cannot be counted, and the limits fail shut.
        """
        demands = [self._of_sources(message) for message in messages]
        decisions = self._limiter.acquire_each(demands, now, run=run, is_time_left=is_time_left)
        self._on_decisions(decisions)
        return decisions

    def _further(self, demands: Sequence[Demand], admitted: Allowed, now: float) -> Allowed | Throttled:
        """Admit what else an admitted request needs, or release it."""
        decision = self._limiter.acquire(demands, now)
        if isinstance(decision, Throttled):
            self._limiter.release(admitted, now)
            return self._reported(decision)
        return self._reported(
            msgspec.structs.replace(
                decision,
                standings=(*admitted.standings, *decision.standings),
                uncounted=None if admitted.uncounted else decision.uncounted,
            )
        )

    def _reported(self, decision: Decision) -> Decision:
        self._on_decisions([decision])
        return decision

    def _of_sources(self, points: Sequence[Batch]) -> list[Demand]:
        return [Demand(Subject.SOURCE, batch.source, self._limits.source, 1, batch.points) for batch in points]

    def _demands(self, sender: Sender, *, requests: int = 0, points: int = 0) -> Iterable[Demand]:
        if sender.address:
            yield Demand(Subject.IP, sender.address, self._limits.ip, requests, points)
        yield Demand(Subject.KEY, sender.key_id, self._limits.key.overridden_by(sender.limits), requests, points)
