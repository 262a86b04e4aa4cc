"""Pacing of CSV files: each pack waits for a slot of its message group, so that live points do not wait for a file."""

from collections.abc import Callable, Iterator, Sequence

import msgspec

from afluente.application.ingest.packs import MAX_PACK_POINTS, SealedPack, Series, SeriesPack, shard_group
from afluente.application.ingest.ports import BulkQueue, BulkSlots

MAX_WAIT_SECONDS = 10.0
"""Time to wait for a slot, before the part gives its invocation back."""

_TRANSPORT = "csv"
# Always the same: whoever has waited for long is to find a free slot as soon as whoever has just sent a pack.
_DELAY_SECONDS = 0.1


class SourcePoints(msgspec.Struct, frozen=True):
    """Points of one source that come in series; each of them is sound.

    Attributes:
        domain: of the source.
        source_id: the source.
        received_at: when they came, in Unix seconds.
        series: the points.
    """

    domain: str
    source_id: str
    received_at: float
    series: Sequence[Series]

    def packs(self, max_points: int, *, skipped: int) -> Iterator[Sequence[Series]]:
        """The series of one pack after the other, without the first points.

        Args:
            max_points: of a pack.
            skipped: number of points that are left out.
        """
        pack: list[Series] = []
        size = 0
        for one in self.series:
            begin = min(skipped, len(one))
            skipped -= begin
            while begin < len(one):
                end = min(len(one), begin + max_points - size)
                pack.append(Series(one.stream_id, one.stream_type, one.timestamps[begin:end], one.values[begin:end]))
                size += end - begin
                begin = end
                if size == max_points:
                    yield pack
                    pack, size = [], 0
        if pack:
            yield pack


class PacedPacks:
    """Sends packs of bulk, each once it holds a slot of its message group.

    The slot of a pack follows from its points: a sender who repeats them finds the slot that they hold already. What
    the classifier was done with before the slot was acquired again has no one to release it: the sequence number of the
    pack tells, and the sender releases it.

    Args:
        queue: of packs.
        slots: of the message groups.
        shards: number of shards that sources are spread over.
        max_points: of a pack.
        sleep: waits some seconds.
        clock: Unix seconds.
    """

    def __init__(
        self,
        *,
        queue: BulkQueue,
        slots: BulkSlots,
        shards: int,
        max_points: int = MAX_PACK_POINTS,
        sleep: Callable[[float], None],
        clock: Callable[[], float],
    ) -> None:
        self.max_points = max_points
        self._queue = queue
        self._slots = slots
        self._shards = shards
        self._sleep = sleep
        self._clock = clock

    def send(self, points: SourcePoints, series: Sequence[Series], *, is_time_left: Callable[[], bool]) -> int:
        """Send the points of a pack.

        Args:
            points: the source.
            series: the pack, one of those of `points`.
            is_time_left: tells whether there is time to wait for a slot.

        Returns:
            The number of points that are queued: fewer, if no slot became free in time.

        Raises:
            UnavailableError: the rest is not queued; sending it again is safe.
        """
        group = shard_group(f"{points.domain}/{points.source_id}", self._shards)
        whole = SeriesPack(group, points.domain, points.source_id, points.received_at, tuple(series), _TRANSPORT)
        queued = 0
        for pack in self._queue.seal(whole):
            if not self._send(pack, is_time_left):
                break
            queued += pack.points
        return queued

    def _send(self, pack: SealedPack, is_time_left: Callable[[], bool]) -> bool:
        gives_up_at = self._clock() + MAX_WAIT_SECONDS
        while (held := self._slots.acquire(pack.group, pack.slot)) is None:
            if self._clock() >= gives_up_at or not is_time_left():
                return False
            self._sleep(_DELAY_SECONDS)
        if self._queue.send(pack) <= held.released_through:
            self._slots.release(pack.group, pack.slot, held.released_through)
        return True
