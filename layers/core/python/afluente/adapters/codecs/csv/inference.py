"""Inference: the options of a file, found in its beginning where they are not given."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import BinaryIO

import msgspec

from afluente.adapters.codecs.csv.layout import Layout, layout_of
from afluente.adapters.codecs.csv.options import CSVIngestConfig
from afluente.adapters.codecs.csv.rejects import REJECTED
from afluente.adapters.codecs.csv.sampled_table import SampledTable
from afluente.adapters.codecs.csv.stream_columns import StreamColumns
from afluente.adapters.codecs.csv.time_columns import TimeColumns
from afluente.application.csv.faults import JobFault, NotReadableError

SAMPLE_BYTES = 1024 * 1024
"""Bytes of the beginning of a file that are inspected."""

_SHOWN_ROWS = 5


class Column(msgspec.Struct, frozen=True):
    """A column and its role.

    Attributes:
        name: its name.
        role: `time`, `value`, `stream` or `left_out`.
        stream: the stream of its cells; `{…}` stands for a part that is unknown, or differs from row to row.
        why: reason for the role.
    """

    name: str
    role: str
    stream: str | None
    why: str


class Inspection(msgspec.Struct, frozen=True):
    """The result of inspecting the beginning of a file.

    Attributes:
        config: the options, given and inferred.
        layout: of the file by these options.
        columns: all columns.
        notes: oddities.
        first_rows: the cells of the first rows.
        first_times: their times in ISO 8601, in UTC.
        distinct_streams: number of streams in the sample.
    """

    config: CSVIngestConfig
    layout: Layout
    columns: tuple[Column, ...]
    notes: tuple[str, ...]
    first_rows: tuple[tuple[str, ...], ...]
    first_times: tuple[str, ...]
    distinct_streams: int


def sample_of(file: BinaryIO) -> tuple[bytes, bool]:
    """The beginning of a file, unpacked, and whether that is all of it.

    Raises:
        NotReadableError: it is damaged, and there is no line before the damage.
    """
    sample = b""
    try:
        # A reader may give less at a time than requested.
        while len(sample) <= SAMPLE_BYTES and (more := file.read(SAMPLE_BYTES + 1 - len(sample))):
            sample += more
    except NotReadableError:
        # The lines before the damage are read all the same; loading reports the damage when it gets there.
        if b"\n" not in sample:
            raise
        return sample, False
    return sample[:SAMPLE_BYTES], len(sample) <= SAMPLE_BYTES


def inspect(sample: bytes, *, is_whole: bool, given: CSVIngestConfig, file: str) -> Inspection:
    """Inspect the beginning of a file, and infer the options that are not given.

    Args:
        sample: its first bytes, unpacked.
        is_whole: whether that is all of it.
        given: the given options.
        file: its name.

    Raises:
        NotReadableError: it is no CSV, contradicts the given options, or is ambiguous.
    """
    if not sample.strip():
        raise NotReadableError(JobFault.EMPTY_FILE, f"{file} is empty")
    table = SampledTable(sample, is_whole=is_whole, given=given)
    times = TimeColumns(table, given)
    streams = StreamColumns(table, times, given)
    resolved = {
        "timestamp_column": times.names,
        "value_columns": streams.values,
        "timestamp_format": times.format,
        "timestamp_pattern": times.pattern,
        "timestamp_unit": times.unit,
        "timezone": times.timezone(),
        "skip_rows": table.skip,
        "delimiter": table.delimiter,
        "decimal": table.notation.decimal,
        "thousands": table.notation.thousands,
        "encoding": table.encoding.name,
        "has_header": table.has_header,
        "stream_column": streams.named_by,
    }
    config = given.model_copy(update=resolved)
    layout = layout_of(config, encoding=table.encoding, columns=table.names, begins=table.begins())
    shown = [tuple(row) for row in table.data_rows[:_SHOWN_ROWS]]
    return Inspection(
        config=config,
        layout=layout,
        columns=_described(table, layout, given),
        notes=tuple(table.notes),
        first_rows=tuple(shown),
        first_times=tuple(_shown_time(table, layout, place, row) for place, row in enumerate(shown)),
        distinct_streams=_distinct(table, layout),
    )


def _described(table: SampledTable, layout: Layout, given: CSVIngestConfig) -> tuple[Column, ...]:
    source = given.source_id or "{source_id}"
    described = []
    for place, name in enumerate(table.names):
        if place in layout.time_columns:
            described.append(Column(name, "time", None, _time_form(layout)))
        elif place == layout.stream_column:
            described.append(Column(name, "stream", None, "names the stream of each row"))
        elif place in layout.values:
            named = None if layout.stream_column is None else f"{{{table.names[layout.stream_column]}}}"
            described.append(Column(name, "value", layout.stream_id(source, place, named), "numeric"))
        else:
            described.append(Column(name, "left_out", None, _why_left_out(table, given, name)))
    return tuple(described)


def _time_form(layout: Layout) -> str:
    times = layout.times
    if times is None:
        return ""
    if times.format == "unix":
        return f"Unix time in {times.unit}"
    form = times.pattern or "ISO 8601"
    return f"{form}, in {times.timezone} where it names no zone"


def _why_left_out(table: SampledTable, given: CSVIngestConfig, name: str) -> str:
    if name.startswith(REJECTED):
        return "tells why the row was rejected"
    if given.value_columns is not None:
        return "not among value_columns"
    if table.are_row_numbers(name):
        return "row numbers"
    return "not numeric" if table.cells[name] else "empty"


def _shown_time(table: SampledTable, layout: Layout, place: int, row: Sequence[str]) -> str:
    if layout.times is None:
        seconds: object = layout.start + place * layout.step
    else:
        cell = " ".join(row[column].strip() for column in layout.time_columns if column < len(row))
        seconds = layout.times.reader(table.numbers)(cell)
    if not isinstance(seconds, float):
        return "unreadable"
    try:
        return datetime.fromtimestamp(seconds, UTC).isoformat().replace("+00:00", "Z")
    except (ValueError, OverflowError, OSError):
        return "beyond the years 1 to 9999"


def _distinct(table: SampledTable, layout: Layout) -> int:
    if layout.stream_column is None:
        return len(layout.values)
    place = layout.stream_column
    return len({row[place] for row in table.data_rows if place < len(row)}) * len(layout.values)
