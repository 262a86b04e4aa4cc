"""Progress of the parts of a job: how far each is loaded, and what was wrong with its rows."""

from collections import Counter
from collections.abc import Iterable, Mapping

import msgspec

from afluente.application.csv.chunks import Chunk, Position
from afluente.application.csv.faults import JobFailure, RejectedRow, RowFault, RowFaultCode

FIRST_OF_EACH = 5
"""Rows that a job shows of each error."""

MAX_NAMED_STREAMS = 1_000
"""Streams that a job names, shared among its parts: so its item stays within DynamoDB's 400 KB ("Item size")."""

_SHOWN_ROW_LENGTH = 200
_SHOWN_MESSAGE_LENGTH = 400
_SHOWN_COLUMN_LENGTH = 128


class ShownRow(msgspec.Struct, frozen=True, omit_defaults=True):
    """One of the first rows of an error; of a long row the beginning."""

    line: int
    row: str
    message: str
    column: str | None = None


class RowErrors(msgspec.Struct, frozen=True):
    """The number of rows with one error, and the first of them."""

    count: int = 0
    first: tuple[ShownRow, ...] = ()


class ChunkProgress(msgspec.Struct, frozen=True):
    """Progress within the chunk at the position of a part.

    Attributes:
        points: points of the chunk that the queue has, from its first one on.
        ends_at: bytes before the end of the chunk; it tells a chunk that another release cuts otherwise.
    """

    points: int = 0
    ends_at: int = 0


class PartProgress(msgspec.Struct, frozen=True, kw_only=True):
    """Progress of one part of a job; a part loads some of the file's streams.

    Attributes:
        position: where loading continues.
        bytes_done: bytes of the file as it is stored.
        rows_read: rows of data.
        points_queued: data points of the chunks before that, all of which the queue has.
        chunk: progress within the chunk that begins there.
        rows_rejected: rows with faults.
        errors: of rows, by code.
        streams: points of each stream that is named.
        first_timestamp, last_timestamp: the earliest and the latest, in Unix seconds.
        has_rejects: whether rejected rows are stored.
        damage: why it could not be read to its end.
        is_done: whether it was read to its end.
        attempts: attempts since it last made progress.
        blocked: invocations in a row that ended without a slot for its next pack.
        version: counts the changes, so that of two loaders of the part, one stops.
    """

    position: Position = Position()
    bytes_done: int = 0
    rows_read: int = 0
    points_queued: int = 0
    chunk: ChunkProgress = ChunkProgress()
    rows_rejected: int = 0
    errors: dict[RowFaultCode, RowErrors] = {}
    streams: dict[str, int] = {}
    first_timestamp: float | None = None
    last_timestamp: float | None = None
    has_rejects: bool = False
    damage: JobFailure | None = None
    is_done: bool = False
    attempts: int = 0
    blocked: int = 0
    version: int = 0

    @property
    def points(self) -> int:
        """Data points that the queue has."""
        return self.points_queued + self.chunk.points

    def points_of(self, chunk: Chunk) -> int:
        """Points of the next chunk that the queue has."""
        return self.chunk.points if self.chunk.ends_at == chunk.position.offset else 0


def after_pack(part: PartProgress, chunk: Chunk, points: int) -> PartProgress:
    """The progress of a part once so many points of its next chunk are queued."""
    within = ChunkProgress(points, chunk.position.offset)
    return msgspec.structs.replace(part, chunk=within, attempts=0, blocked=0)


def after_chunk(part: PartProgress, chunk: Chunk, *, named_streams: int) -> PartProgress:
    """The progress of a part once a chunk is queued, naming at most so many streams."""
    streams: Counter[str] = Counter()
    for series in chunk.series:
        streams[series.stream_id] += len(series)
    earliest = [min(series.timestamps) for series in chunk.series]
    latest = [max(series.timestamps) for series in chunk.series]
    return msgspec.structs.replace(
        with_counts(part, rejected=chunk.rejected, streams=streams, named_streams=named_streams),
        position=chunk.position,
        bytes_done=chunk.bytes_done,
        rows_read=part.rows_read + chunk.rows,
        points_queued=part.points_queued + streams.total(),
        chunk=ChunkProgress(),
        first_timestamp=min([*earliest, *_known(part.first_timestamp)], default=None),
        last_timestamp=max([*latest, *_known(part.last_timestamp)], default=None),
        has_rejects=part.has_rejects or bool(chunk.rejected),
        damage=chunk.damage,
        attempts=0,
        blocked=0,
    )


def with_counts(
    part: PartProgress, *, rejected: Iterable[RejectedRow], streams: Mapping[str, int], named_streams: int
) -> PartProgress:
    """Add rejected rows, and points of streams of which at most so many are named."""
    errors, rows = dict(part.errors), 0
    for row in rejected:
        rows += 1
        for fault in row.faults:
            errors[fault.code] = _one_more(errors.get(fault.code, RowErrors()), row, fault)
    named = dict(part.streams)
    for stream_id, points in streams.items():
        if stream_id in named or len(named) < named_streams:
            named[stream_id] = named.get(stream_id, 0) + points
    return msgspec.structs.replace(part, errors=errors, rows_rejected=part.rows_rejected + rows, streams=named)


def _one_more(errors: RowErrors, row: RejectedRow, fault: RowFault) -> RowErrors:
    first = errors.first
    if len(first) < FIRST_OF_EACH:
        # Bytes that are no text are shown as escapes: no JSON could hold what they were read as.
        shown = row.row[:_SHOWN_ROW_LENGTH].encode("utf-8", "backslashreplace").decode()
        column = fault.column if fault.column is None else fault.column[:_SHOWN_COLUMN_LENGTH]
        first = (*first, ShownRow(row.line, shown, fault.message[:_SHOWN_MESSAGE_LENGTH], column))
    return RowErrors(errors.count + 1, first)


def _known(time: float | None) -> list[float]:
    return [] if time is None else [time]
