"""Reads CSV files with the service's own codec: the same streams, times and rejected rows as of an uploaded file."""

from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO, cast

from rich.console import Console

from afluente.adapters.codecs.csv.blocks import blocks
from afluente.adapters.codecs.csv.inference import Inspection, inspect, sample_of
from afluente.adapters.codecs.csv.options import CSVIngestConfig
from afluente.adapters.codecs.csv.rows import ReadRow, RowReader, Streams
from afluente.adapters.codecs.csv.unpacking import open_unpacked
from afluente.application.csv.chunks import Position
from afluente.application.csv.faults import JobFailure, NotReadableError, RejectedRow
from cli.core.errors import CommandError, ExitCode
from cli.sending.inputs import Input
from cli.sending.points import Fault, Read, Readable, SentPoint, Unreadable

_WHOLE_ROW = "row"


class CsvReader:
    """Reads an open CSV file, plain or packed.

    Args:
        opened: the file.
        source: of the points.
        options: of the file; those that are not given are inferred from its first MiB.
        now: points measured more than 300 s later are rejected, in Unix seconds.

    Attributes:
        inspection: how the file is read.

    Raises:
        CommandError: it cannot be read, or is ambiguous.
    """

    def __init__(self, opened: Input, *, source: str, options: Mapping[str, Any], now: float) -> None:
        self._input = opened
        self._source = source
        self._now = now
        self._bytes_read = 0
        file = _Rewound(open_unpacked(cast("BinaryIO", opened.file), opened.name))
        given = CSVIngestConfig.model_validate({**options, "source_id": source})
        try:
            sample, is_whole = sample_of(cast("BinaryIO", file))
            self.inspection: Inspection = inspect(sample, is_whole=is_whole, given=given, file=opened.name)
        except NotReadableError as error:
            raise _not_readable(opened.name, error.reason) from None
        file.rewind(self.inspection.layout.begins.offset)
        self._file = file

    def bytes_read(self) -> int:
        """Bytes of the file up to the row that was read last."""
        return self._bytes_read

    def reads(self) -> Iterator[Read]:
        """The points and the rejected rows, in the order of the file.

        Raises:
            CommandError: the file is damaged; all that comes before the damage has been read.
        """
        layout = self.inspection.layout
        reader = RowReader(layout, Streams(layout, self._source, 0, 1))
        position = layout.begins
        for block in blocks(self._file, layout):
            if layout.max_rows is not None and position.row >= layout.max_rows:
                return
            rows, lines = 0, block.lines
            begins, ends = self._bytes_read, self._input.bytes_read()
            if block.is_row_too_long:
                rows = 1
                yield _unreadable(block.rejected(position.line))
            else:
                for row in reader.rows(block.text(layout.encoding), position, self._now):
                    rows += 1
                    yield from _reads_of(row)
                    # The bytes of one row are not known, of a packed file least of all: those of a line on average.
                    done = row.line + row.lines - position.line
                    self._bytes_read = begins + (ends - begins) * done // max(done, lines)
            self._bytes_read = ends
            position = Position(position.offset + block.stored, position.line + lines, position.row + rows)
            if block.damage is not None:
                raise _not_readable(self._input.name, block.damage)


def show_reading(console: Console, inspection: Inspection, *, with_left_out: bool) -> None:
    """Show how a file is read.

    Args:
        console: standard error.
        inspection: of the file.
        with_left_out: whether columns that are left out are shown.
    """
    times = [column.name for column in inspection.columns if column.role == "time"]
    streams = [column.stream or "" for column in inspection.columns if column.role == "value"]
    left_out = [f"{column.name} ({column.why})" for column in inspection.columns if column.role == "left_out"]
    time = " and ".join(times) or "by the place of the row"
    console.print(f"time: {time} · streams: {', '.join(streams)}", markup=False, soft_wrap=True)
    if left_out and with_left_out:
        console.print(f"left out: {', '.join(left_out)}", markup=False, soft_wrap=True)
    for note in inspection.notes:
        console.print(f"note: {note}", markup=False, soft_wrap=True)


class _Rewound:
    """A file whose beginning is read twice, though it may be no file that can be rewound: a pipe, or a packed one."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._beginning: bytes | None = b""
        self._waiting = b""

    def read(self, size: int, /) -> bytes:
        if self._beginning is None and self._waiting:
            data, self._waiting = self._waiting[:size], self._waiting[size:]
            return data
        data = self._file.read(size)
        if self._beginning is not None:
            self._beginning += data
        return data

    def rewind(self, offset: int) -> None:
        """Read from an offset within the beginning on; it is not kept any more."""
        self._waiting = (self._beginning or b"")[offset:]
        self._beginning = None


def _reads_of(row: ReadRow) -> Iterator[Read]:
    for (stream_id, stream_type), time, value in row.points:
        yield Readable(row.line, SentPoint(stream_id, value, time, stream_type))
    if row.rejected is not None:
        yield _unreadable(row.rejected)


def _unreadable(row: RejectedRow) -> Unreadable:
    # Bytes that are no text are kept in it as surrogates, which JSON cannot hold.
    text = row.row.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    faults = tuple(Fault(fault.code, fault.column or _WHOLE_ROW, fault.message) for fault in row.faults)
    return Unreadable(row.line, text, faults)


def _not_readable(name: str, reason: JobFailure) -> CommandError:
    return CommandError(
        f"{name}: {reason.message} ({reason.code})",
        hint="see how it is read with 'afluente csv inspect FILE'; what is wrong or missing there goes into --option",
        code=ExitCode.USAGE,
    )
