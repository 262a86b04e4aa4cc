"""A stream of bytes in pieces of whole rows, each as points."""

import codecs
from collections.abc import Callable, Iterator
from typing import NamedTuple, Protocol

from afluente.adapters.codecs.csv.columns import ColumnReader, NotPlainError
from afluente.adapters.codecs.csv.layout import Layout
from afluente.adapters.codecs.csv.rows import RowReader, RowsRead, Streams
from afluente.application.csv.chunks import Chunk, Position
from afluente.application.csv.faults import (
    JobFailure,
    NotReadableError,
    RejectedRow,
    RowFault,
    RowFaultCode,
)

BLOCK_BYTES = 2 * 1024 * 1024
"""Of one piece. Part of what a repeated piece is the same by: another size would be other messages to the queue."""

EXACT_BYTES = 64 * 1024
"""A part of a block with something wrong in it is halved until it is no larger, so that the rest is read quickly."""

MAX_LINES = 100_000
"""Of one piece, all of which may have to be kept as rejected: very short ones come in smaller pieces."""

MAX_ROW_BYTES = 8 * 1024 * 1024
"""A row that is longer is no row."""

_READ_BYTES = 256 * 1024
_NEWLINE = b"\n"
_SHOWN_BYTES = 1_000


class ByteSource(Protocol):
    """What bytes are read from."""

    def read(self, size: int, /) -> bytes: ...


class Block(NamedTuple):
    """Whole rows of a file.

    Attributes:
        data: the rows; of wide encodings in UTF-8.
        stored: how many bytes they are in the file, unpacked.
        is_row_too_long: whether it is the beginning of one that is no row.
        damage: why nothing follows.
    """

    data: bytes
    stored: int
    is_row_too_long: bool = False
    damage: JobFailure | None = None


class ChunkReader:
    """Reads a file that is open at a position.

    Args:
        layout: how it is read.
        source_id: of the points.
        part: which part of the streams is wanted, from 0.
        parts: how many parts there are.
        clock: Unix seconds.
        now: what is measured more than 300 s later is rejected, in Unix seconds: one time for all of a job, so that a
            piece which is read again gives the same.
    """

    def __init__(
        self,
        layout: Layout,
        source_id: str,
        *,
        part: int,
        parts: int,
        clock: Callable[[], float],
        now: float,
    ) -> None:
        streams = Streams(layout, source_id, part, parts)
        self._layout = layout
        self._quick = ColumnReader(layout, streams)
        self._exact = RowReader(layout, streams)
        self._tells_of_rows = streams.tell_of_rows
        self._clock = clock
        self._now = now

    def chunks(self, file: ByteSource, position: Position, bytes_done: Callable[[], int]) -> Iterator[Chunk]:
        """The pieces of the file.

        Args:
            file: at the position.
            position: where it is.
            bytes_done: how many bytes of it as it is stored were read so far.
        """
        most = self._layout.max_rows
        for block in blocks(file, self._layout):
            if most is not None and position.row >= most:
                return
            chunk = self._chunk(block, position, bytes_done)
            position = chunk.position
            yield chunk

    def _chunk(self, block: Block, position: Position, bytes_done: Callable[[], int]) -> Chunk:
        read = self._too_long(block, position) if block.is_row_too_long else self._read(block.data, position)
        after = Position(
            position.offset + block.stored, position.line + block.data.count(_NEWLINE), position.row + read.rows
        )
        # What was read ahead of the piece is not done; of a packed file it cannot be told.
        done = min(after.offset, bytes_done())
        return Chunk(read.series, self._clock(), read.rows, read.rejected, after, done, block.damage)

    def _read(self, data: bytes, begins: Position) -> RowsRead:
        """Read rows quickly where nothing is wrong with them, and exactly, which is slow, as few as can be."""
        if self._layout.is_marked:
            return self._exact.read(self._text(data), begins, self._now)
        try:
            return self._quick.read(data, begins.row, self._now)
        except NotPlainError:
            middle = _end_outside_quotes(data[: len(data) // 2]) if len(data) > EXACT_BYTES else 0
            if not middle:
                return self._exact.read(self._text(data), begins, self._now)
        first = self._read(data[:middle], begins)
        line = begins.line + data.count(_NEWLINE, 0, middle)
        second = self._read(data[middle:], Position(begins.offset, line, begins.row + first.rows))
        return RowsRead(first.series + second.series, first.rows + second.rows, first.rejected + second.rejected)

    def _text(self, data: bytes) -> str:
        encoding = self._layout.encoding
        return data.decode("utf-8", "surrogatepass") if encoding.is_wide else encoding.decode(data)

    def _too_long(self, block: Block, position: Position) -> RowsRead:
        text = block.data.decode("utf-8", "replace").rstrip()
        fault = RowFault(RowFaultCode.ROW_TOO_LONG, None, f"the row is longer than {MAX_ROW_BYTES} bytes")
        rejected = (RejectedRow(position.line, text, (fault,)),) if self._tells_of_rows else ()
        return RowsRead((), 1, rejected)


def blocks(file: ByteSource, layout: Layout) -> Iterator[Block]:
    """The bytes of a file in blocks of whole rows."""
    stored_length = _lengths(layout)
    reader: ByteSource = _Narrowed(file, layout.encoding.name) if layout.encoding.is_wide else file
    waiting = b""
    while True:
        damage = None
        try:
            while len(waiting) < BLOCK_BYTES and (more := reader.read(_READ_BYTES)):
                waiting += more
        except NotReadableError as error:
            damage = error.reason
        if damage is not None or len(waiting) < BLOCK_BYTES:
            # Where the file was cut off, so may be its last row: it is rejected if it is not as the others.
            yield from _last_blocks(waiting, stored_length, damage)
            return
        # Of a block's size exactly, so that from here the same blocks follow whatever was read ahead.
        end = _end_of_block(waiting[:BLOCK_BYTES])
        if end:
            yield Block(waiting[:end], stored_length(waiting[:end]))
            waiting = waiting[end:]
            continue
        block, waiting = _long_row(waiting, reader, stored_length)
        yield block


def _last_blocks(waiting: bytes, stored_length: Callable[[bytes], int], damage: JobFailure | None) -> Iterator[Block]:
    while waiting.count(_NEWLINE) > MAX_LINES and (end := _end_of_block(waiting)) < len(waiting):
        yield Block(waiting[:end], stored_length(waiting[:end]))
        waiting = waiting[end:]
    if waiting or damage:
        yield Block(waiting, stored_length(waiting), damage=damage)


def _end_of_block(data: bytes) -> int:
    """Where a block ends: after whole rows, and not more of them than are to be in memory one by one."""
    # Quotes that match nowhere are told of row by row.
    end = _end_outside_quotes(data) or data.rfind(_NEWLINE) + 1
    while data.count(_NEWLINE, 0, end) > MAX_LINES and (half := _end_outside_quotes(data[: end // 2])):
        end = half
    return end


def _end_outside_quotes(data: bytes) -> int:
    """The last end of a line that is not within quotes; 0 where there is none."""
    last = data.rfind(_NEWLINE) + 1
    if b'"' not in data:
        return last
    end, is_open = last, data.count(b'"', 0, last) % 2 == 1
    while end and is_open:
        before = data.rfind(_NEWLINE, 0, end - 1) + 1
        is_open ^= data.count(b'"', before, end) % 2 == 1
        end = before
    return end


def _long_row(waiting: bytes, reader: ByteSource, stored_length: Callable[[bytes], int]) -> tuple[Block, bytes]:
    """A row that does not end within a block: read on to its end, and past it if it is too long to be one."""
    while (
        len(waiting) < MAX_ROW_BYTES and _NEWLINE not in waiting[-_READ_BYTES:] and (more := reader.read(_READ_BYTES))
    ):
        waiting += more
    end = waiting.find(_NEWLINE) + 1
    if end:
        return Block(waiting[:end], stored_length(waiting[:end])), waiting[end:]
    shown, stored, rest = waiting[:_SHOWN_BYTES], stored_length(waiting), b""
    while more := reader.read(_READ_BYTES):
        end = more.find(_NEWLINE) + 1
        if end:
            stored += stored_length(more[:end])
            rest = more[end:]
            shown += _NEWLINE
            break
        stored += stored_length(more)
    return Block(shown, stored, is_row_too_long=True), rest


def _lengths(layout: Layout) -> Callable[[bytes], int]:
    """How many bytes of the file the bytes of a block are."""
    if not layout.encoding.is_wide:
        return len
    return lambda data: layout.encoding.length_of(data.decode("utf-8", "surrogatepass"))


class _Narrowed:
    """Text of a wide encoding as UTF-8."""

    def __init__(self, file: ByteSource, encoding: str) -> None:
        self._file = file
        self._decoder = codecs.getincrementaldecoder(encoding)("replace")

    def read(self, size: int) -> bytes:
        data = self._file.read(size)
        return self._decoder.decode(data, final=not data).encode("utf-8", "surrogatepass")
