"""A stream of bytes in chunks of whole rows, each as points."""

from collections.abc import Callable, Iterator

from afluente.adapters.codecs.csv.blocks import Block, ByteSource, blocks, end_outside_quotes
from afluente.adapters.codecs.csv.columns import ColumnReader, NotPlainError
from afluente.adapters.codecs.csv.layout import Layout
from afluente.adapters.codecs.csv.rows import RowReader, RowsRead, Streams
from afluente.application.csv.chunks import Chunk, Position

EXACT_BYTES = 64 * 1024
"""Size down to which a block with a fault is halved, so that the rest of it is read quickly."""

_NEWLINE = b"\n"


class ChunkReader:
    """Reads a file that is open at a position.

    Args:
        layout: of the file.
        source_id: of the points.
        part: number of the part whose streams are read, from 0.
        parts: number of parts.
        clock: Unix seconds.
        now: points measured more than 300 s later are rejected, in Unix seconds: one time for all of a job, so that a
            repeated chunk is the same.
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
        self._reports_rows = streams.reports_rows
        self._clock = clock
        self._now = now

    def chunks(self, file: ByteSource, position: Position, bytes_done: Callable[[], int]) -> Iterator[Chunk]:
        """The chunks of the file.

        Args:
            file: open at the position.
            position: of the first chunk.
            bytes_done: gives the bytes read so far of the file as it is stored.
        """
        max_rows = self._layout.max_rows
        for block in blocks(file, self._layout):
            if max_rows is not None and position.row >= max_rows:
                return
            chunk = self._chunk(block, position, bytes_done)
            position = chunk.position
            yield chunk

    def _chunk(self, block: Block, position: Position, bytes_done: Callable[[], int]) -> Chunk:
        read = self._too_long(block, position) if block.is_row_too_long else self._read(block, position)
        after = Position(position.offset + block.stored, position.line + block.lines, position.row + read.rows)
        # Bytes read ahead of the chunk are not done; of a packed file their number is unknown.
        done = min(after.offset, bytes_done())
        return Chunk(read.series, self._clock(), read.rows, read.rejected, after, done, block.damage)

    def _read(self, block: Block, begins: Position) -> RowsRead:
        """Read sound rows quickly, and as few as possible exactly, which is slow."""
        data = block.data
        if self._layout.is_marked:
            return self._exact.read(block.text(self._layout.encoding), begins, self._now)
        try:
            return self._quick.read(data, begins.row, self._now)
        except NotPlainError:
            middle = end_outside_quotes(data[: len(data) // 2]) if len(data) > EXACT_BYTES else 0
            if not middle:
                return self._exact.read(block.text(self._layout.encoding), begins, self._now)
        first = self._read(block._replace(data=data[:middle]), begins)
        line = begins.line + data.count(_NEWLINE, 0, middle)
        second = self._read(block._replace(data=data[middle:]), Position(begins.offset, line, begins.row + first.rows))
        return RowsRead(first.series + second.series, first.rows + second.rows, first.rejected + second.rejected)

    def _too_long(self, block: Block, position: Position) -> RowsRead:
        return RowsRead((), 1, (block.rejected(position.line),) if self._reports_rows else ())
