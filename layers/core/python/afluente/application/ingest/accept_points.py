"""Accept points: what every transport does with the points of a request before it acknowledges them."""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Sequence

import msgspec

from afluente.application.errors import UnavailableError
from afluente.application.ingest.packs import into_packs
from afluente.application.ingest.ports import PackQueue, Quarantine
from afluente.application.ingest.quarantine import QuarantinedRecord, QuarantineReason
from afluente.application.limits.rate_limits import Batch
from afluente.domain.datapoints import DataPoint
from afluente.domain.faults import Fault


class RejectedPoint(msgspec.Struct, frozen=True):
    """A point of a request that cannot be taken.

    Attributes:
        index: its place in the request, from 0.
        faults: everything that is wrong with it.
        raw: the point as it came.
    """

    index: int
    faults: tuple[Fault, ...]
    raw: object


class PointsRequest(msgspec.Struct, frozen=True):
    """The points of one request, sorted into those that can be taken and those that cannot.

    Attributes:
        request_id: the transport's id of the request.
        transport: how it came: `http`, …
        domain, source_id: where the points come from.
        received_at: when it came, in Unix seconds.
        points: those that can be taken, in their order, with `ingested_at`.
        rejected: the others.
        origin: what else is known of where it came from.
    """

    request_id: str
    transport: str
    domain: str
    source_id: str
    received_at: float
    points: Sequence[DataPoint]
    rejected: Sequence[RejectedPoint]
    origin: dict[str, str] = {}

    @property
    def batches(self) -> list[Batch]:
        """How many points it brings of each source, the rejected ones with those of its own."""
        numbers = Counter(point.source_id for point in self.points)
        if self.rejected or not numbers:
            numbers[self.source_id] += len(self.rejected)
        return [Batch(f"{self.domain}/{source_id}", number) for source_id, number in numbers.items()]


class AcceptPoints:
    """Queues the good points of a request, and keeps the bad ones in quarantine.

    Args:
        queue: where good points go.
        quarantine: where bad points go.
        shards: how many shards sources are spread over.
    """

    def __init__(self, *, queue: PackQueue, quarantine: Quarantine, shards: int) -> None:
        self._queue = queue
        self._quarantine = quarantine
        self._shards = shards

    def __call__(self, request: PointsRequest) -> bool:
        """Take the points of a request in; on return the good ones may be acknowledged.

        Returns:
            Whether the rejected points are kept. The client is told of them in any case, so an unavailable quarantine
            does not fail the request.

        Raises:
            UnavailableError: the good points are not all queued; the client is to send the request again.
        """
        return not self.together([request])

    def together(
        self, requests: Sequence[PointsRequest], *, run: Callable[..., Iterable[bool]] = map
    ) -> frozenset[str]:
        """Take the points of several requests in as if they were one.

        Args:
            requests: the good points of all of them are queued before a bad one is kept.
            run: maps, as an executor does side by side.

        Returns:
            The ids of the requests whose rejected points are not kept.

        Raises:
            UnavailableError: the good points are not all queued; all requests are to come again.
        """
        points = [point for request in requests for point in request.points]
        if points:
            self._queue.send(into_packs(points, self._shards))
        kept = run(self._keep_rejected, requests)
        return frozenset(request.request_id for request, is_kept in zip(requests, kept, strict=True) if not is_kept)

    def _keep_rejected(self, request: PointsRequest) -> bool:
        if not request.rejected:
            return True
        try:
            self._quarantine.put(_quarantined(request))
        except UnavailableError:
            return False
        return True


def _quarantined(request: PointsRequest) -> QuarantinedRecord:
    return QuarantinedRecord(
        record_id=request.request_id,
        reason=QuarantineReason.REJECTED_POINTS,
        transport=request.transport,
        failed_at=request.received_at,
        message=f"{len(request.rejected)} point(s) of the request have faults",
        origin={"domain": request.domain, "source_id": request.source_id, **request.origin},
        faults={rejected.index: rejected.faults for rejected in request.rejected},
        # The standard library keeps what msgspec cannot: lone surrogates, numbers beyond a double.
        payload=json.dumps([rejected.raw for rejected in request.rejected]),
    )
