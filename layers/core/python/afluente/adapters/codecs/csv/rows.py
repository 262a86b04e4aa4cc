"""Rows as points, one by one: exact and slow, with the faults of each row."""

import re
from collections.abc import Iterator
from hashlib import blake2b
from typing import NamedTuple

import msgspec

from afluente.adapters.codecs.csv.layout import Layout
from afluente.adapters.codecs.csv.rejects import unmarked
from afluente.adapters.codecs.csv.text import lines_of, rows_of
from afluente.application.csv.chunks import Position
from afluente.application.csv.faults import RejectedRow, RowFault, RowFaultCode
from afluente.application.ingest.packs import Series
from afluente.domain.datapoints import MIN_TIMESTAMP, arrival_fault
from afluente.domain.faults import FaultCode
from afluente.domain.stream_keys import part_faults

# Bytes that are no text, as the handler `surrogateescape` decodes them.
_UNDECODABLE = re.compile("[\udc80-\udcff]")
# Some tens of megabytes of names.
_MAX_KNOWN = 100_000
_ARRIVAL_CODES = {
    FaultCode.NOT_SECONDS: RowFaultCode.NOT_SECONDS,
    FaultCode.IN_FUTURE: RowFaultCode.IN_FUTURE,
}


Stream = tuple[str, str | None]
"""Id and type of a stream."""


class Streams:
    """The share of a file's streams that one part of a job reads.

    Args:
        layout: of the file.
        source_id: the source.
        part: number of the part, from 0.
        parts: number of parts.
    """

    def __init__(self, layout: Layout, source_id: str, part: int, parts: int) -> None:
        self._layout = layout
        self._source_id = source_id
        self._part = part
        self._parts = parts
        self._known: dict[tuple[int, str | None], Stream | RowFault | None] = {}

    @property
    def reports_rows(self) -> bool:
        """True of the one part that reports faults of whole rows, which every part reads."""
        return self._part == 0

    def columns(self) -> tuple[int, ...]:
        """Places of the columns whose cells the part reads."""
        values = self._layout.values
        return values if self._layout.stream_column is not None else values[self._part :: self._parts]

    def of(self, column: int, named: str | None) -> Stream | RowFault | None:
        """Id and type of a cell's stream; None if another part reads it, a fault if its name is not allowed.

        Args:
            column: place of the cell's column.
            named: the row's cell in the stream column, where there is one.
        """
        key = (column, named)
        if key not in self._known:
            if len(self._known) >= _MAX_KNOWN:
                self._known.clear()
            self._known[key] = self._find(column, named)
        return self._known[key]

    def _find(self, column: int, named: str | None) -> Stream | RowFault | None:
        stream_id = self._layout.stream_id(self._source_id, column, named)
        if named is not None and self._share_of(stream_id) != self._part:
            return None
        for fault in part_faults("stream", stream_id):
            return RowFault(RowFaultCode.BAD_STREAM_NAME, None, f"the stream {stream_id!a} {fault.message}")
        names = [self._layout.columns[column]] if named is None else [named.strip(), self._layout.columns[column]]
        return stream_id, self._layout.type_of(*names)

    def _share_of(self, stream_id: str) -> int:
        return blake2b(stream_id.encode("utf-8", "surrogatepass"), digest_size=4).digest()[-1] % self._parts


class RowsRead(msgspec.Struct, frozen=True):
    """The points of some rows by stream, the number of rows, and those that were rejected."""

    series: tuple[Series, ...]
    rows: int
    rejected: tuple[RejectedRow, ...] = ()


class ReadRow(NamedTuple):
    """A row with its points and its faults.

    Attributes:
        line: its first line in the file, from 1.
        lines: their number.
        points: stream, time and value of each, in the order of the cells.
        rejected: the row with its faults; None for one without a fault.
    """

    line: int
    lines: int
    points: list[tuple[Stream, float, float]]
    rejected: RejectedRow | None


class RowReader:
    """Reads the rows of a block.

    Args:
        layout: of the file.
        streams: of the part.
    """

    def __init__(self, layout: Layout, streams: Streams) -> None:
        self._layout = layout
        self._streams = streams
        self._numbers = layout.notation.reader()
        self._read_time = layout.times.reader(self._numbers) if layout.times else None
        self._nulls = frozenset(layout.nulls)
        named = () if layout.stream_column is None else (layout.stream_column,)
        self._used = (*layout.time_columns, *named, *layout.values)

    def read(self, text: str, begins: Position, now: float) -> RowsRead:
        """Read whole rows, without empty ones, as series.

        Args:
            text: the rows.
            begins: where they begin.
            now: Unix seconds.
        """
        series: dict[Stream, tuple[list[float], list[float]]] = {}
        rejected = []
        rows = 0
        for row in self.rows(text, begins, now):
            rows += 1
            for stream, time, value in row.points:
                times, values = series.setdefault(stream, ([], []))
                times.append(time)
                values.append(value)
            if row.rejected is not None:
                rejected.append(row.rejected)
        read = tuple(Series(*stream, times, values) for stream, (times, values) in series.items())
        return RowsRead(read, rows, tuple(rejected))

    def rows(self, text: str, begins: Position, now: float) -> Iterator[ReadRow]:
        """Read whole rows, without empty ones, one by one; the arguments are those of `read`."""
        lines = lines_of(text)
        place = begins.row
        for row in rows_of(lines, self._layout.delimiter):
            if row.cells is not None and not any(cell.strip() for cell in row.cells):
                continue
            if self._layout.max_rows is not None and place >= self._layout.max_rows:
                return
            cells = list(map(unmarked, row.cells)) if row.cells and self._layout.is_marked else row.cells
            points, faults = self._read_row(cells, place, now)
            place += 1
            line, rejected = begins.line + row.first, None
            if faults:
                raw = "".join(lines[row.first : row.first + row.lines]).rstrip("\r\n")
                rejected = RejectedRow(line, raw, tuple(faults))
            yield ReadRow(line, row.lines, points, rejected)

    def _read_row(
        self, cells: list[str] | None, place: int, now: float
    ) -> tuple[list[tuple[Stream, float, float]], list[RowFault]]:
        """The points of a row, and the faults that this part reports."""
        time = self._fault_of_row(cells) or self._time(cells or [], place, now)
        if isinstance(time, RowFault):
            return [], [time] if self._streams.reports_rows else []
        cells = cells or []
        named = None if self._layout.stream_column is None else cells[self._layout.stream_column]
        points: list[tuple[Stream, float, float]] = []
        faults: list[RowFault] = []
        for column in self._streams.columns():
            cell = cells[column].strip()
            stream = None if cell in self._nulls else self._streams.of(column, named)
            if stream is None:
                continue
            value = self._value(cell, column, stream)
            if isinstance(value, RowFault):
                faults.append(value)
            elif not isinstance(stream, RowFault):
                points.append((stream, time, value))
        return points, faults

    def _value(self, cell: str, column: int, stream: Stream | RowFault) -> float | RowFault:
        name = self._layout.columns[column]
        if isinstance(stream, RowFault):
            return RowFault(stream.code, name, stream.message)
        value = self._numbers.read(cell)
        if isinstance(value, RowFaultCode):
            what = "a finite number" if value is RowFaultCode.NOT_FINITE else "a number"
            return RowFault(value, name, f"{cell[:80]!a} is not {what}")
        return value

    def _fault_of_row(self, cells: list[str] | None) -> RowFault | None:
        if cells is None:
            message = "its quotes do not match: one is never closed, or stands in the middle of a cell"
            return RowFault(RowFaultCode.UNTERMINATED_QUOTE, None, message)
        if len(cells) != len(self._layout.columns):
            message = f"the row has {len(cells)} cell(s), the header {len(self._layout.columns)}"
            return RowFault(RowFaultCode.RAGGED_ROW, None, message)
        if any(_UNDECODABLE.search(cells[column]) for column in self._used):
            message = f"holds bytes that are no {self._layout.encoding.name}"
            return RowFault(RowFaultCode.UNDECODABLE, None, message)
        if self._layout.stream_column is not None and cells[self._layout.stream_column].strip() in self._nulls:
            return RowFault(RowFaultCode.MISSING_STREAM, None, "the cell that names the stream is empty")
        return None

    def _time(self, cells: list[str], place: int, now: float) -> float | RowFault:
        if self._read_time is None:
            time: float | RowFault = self._layout.start + place * self._layout.step
        else:
            parts = [cells[column].strip() for column in self._layout.time_columns]
            if any(part in self._nulls for part in parts):
                return RowFault(RowFaultCode.MISSING_TIME, None, "the cell of the time is empty")
            time = self._read_time(" ".join(parts))
            if self._layout.start and isinstance(time, float):
                time = self._layout.start + time
        if isinstance(time, RowFault):
            return time
        if time < MIN_TIMESTAMP:
            return RowFault(RowFaultCode.UNREADABLE_TIME, None, "the time is before the year 1")
        fault = arrival_fault(time, now)
        return RowFault(_ARRIVAL_CODES[fault.code], None, fault.message) if fault else time
