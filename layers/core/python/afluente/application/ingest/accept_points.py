"""Accept points: every transport queues sound points and quarantines rejected ones before it acknowledges them."""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Sequence

import msgspec

from afluente.application.errors import UnavailableError
from afluente.application.ingest.packs import into_packs
from afluente.application.ingest.ports import PackQueue, Quarantine
from afluente.application.ingest.quarantine import QuarantinedRecord, QuarantineReason
from afluente.application.ingest.rejection import RejectedPoint, first_rejected
from afluente.application.limits.decisions import Batch
from afluente.domain.datapoints import DataPoint


class PointsRequest(msgspec.Struct, frozen=True):
    """The points of one request, partitioned into sound and rejected ones.

    Attributes:
        request_id: the transport's id of the request.
        transport: `http`, `mqtt` or `ws`.
        domain, source_id: of the points.
        received_at: when it came, in Unix seconds.
        points: the sound ones, in their order, with `ingested_at`.
        rejected: the others.
        origin: anything else known of its sender.
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
        """Number of points of each source; rejected ones count for the request's own."""
        numbers = Counter(point.source_id for point in self.points)
        if self.rejected or not numbers:
            numbers[self.source_id] += len(self.rejected)
        return [Batch(f"{self.domain}/{source_id}", number) for source_id, number in numbers.items()]


class AcceptPoints:
    """Queues sound points, and quarantines rejected ones.

    Args:
        queue: of packs.
        quarantine: of rejected points.
        shards: number of shards that sources are spread over.
    """

    def __init__(self, *, queue: PackQueue, quarantine: Quarantine, shards: int) -> None:
        self._queue = queue
        self._quarantine = quarantine
        self._shards = shards

    def __call__(self, request: PointsRequest) -> bool:
        """Accept a request; on return its sound points may be acknowledged.

        Returns:
            Whether the rejected points are quarantined. The client gets their faults in any case, so an
            unavailable quarantine does not fail the request.

        Raises:
            UnavailableError: not every sound point is queued; the client is to send the request again.
        """
        return not self.together([request])

    def together(
        self, requests: Sequence[PointsRequest], *, run: Callable[..., Iterable[bool]] = map
    ) -> frozenset[str]:
        """Accept several requests as if they were one.

        Args:
            requests: of one transport; the sound points of all of them are queued before a rejected one is quarantined.
            run: maps, as an executor does side by side.

        Returns:
            The ids of the requests whose rejected points are not quarantined.

        Raises:
            UnavailableError: not every sound point is queued; all requests have to be retried.
        """
        points = [point for request in requests for point in request.points]
        if points:
            self._queue.send(into_packs(points, self._shards, requests[0].transport))
        quarantined = run(self._quarantine_rejected, requests)
        return frozenset(request.request_id for request, done in zip(requests, quarantined, strict=True) if not done)

    def _quarantine_rejected(self, request: PointsRequest) -> bool:
        if not request.rejected:
            return True
        try:
            self._quarantine.put(_quarantined(request))
        except UnavailableError:
            return False
        return True


def _quarantined(request: PointsRequest) -> QuarantinedRecord:
    listed = first_rejected(request.rejected)
    return QuarantinedRecord(
        record_id=request.request_id,
        reason=QuarantineReason.REJECTED_POINTS,
        transport=request.transport,
        failed_at=request.received_at,
        message=f"{len(request.rejected)} point(s) of the request have faults",
        origin={"domain": request.domain, "source_id": request.source_id, **request.origin},
        faults={rejected.index: rejected.faults for rejected in listed.points},
        omitted=listed.omitted or msgspec.UNSET,
        # The standard library encodes what msgspec cannot: lone surrogates, numbers beyond a double.
        payload=json.dumps([rejected.raw for rejected in request.rejected]),
    )
