"""Reads tables: one time column, every other numeric column a stream."""

import csv
import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from math import isfinite

from cli.core.errors import CommandError, ExitCode
from cli.sending.points import Fault, Read, Readable, SentPoint, Unreadable

TIME_COLUMNS = ("timestamp", "time", "date", "datetime", "ts")
"""What a time column may be called, in any case; the first of these that a table has is it."""

_DELIMITERS = (",", ";", "\t", "|")
_SAMPLED_ROWS = 200


@dataclass(frozen=True, slots=True)
class Table:
    """A table whose columns are understood.

    Attributes:
        time_column: name of the column that holds the times.
        streams: the columns that are sent, with the stream of each.
        left_out: columns that are not numeric, or were not chosen.
        points: what the rows give.
    """

    time_column: str
    streams: dict[str, str]
    left_out: tuple[str, ...]
    points: Iterator[Read]


def read_table(
    lines: Iterable[str],
    *,
    source: str,
    columns: Sequence[str] = (),
    stream_type: str | None = None,
) -> Table:
    """Read a table with a header.

    Times are Unix seconds, or ISO 8601 and in UTC where they name no zone: whichever the first one is. An empty cell is
    no point. A cell of a stream that is no finite number is `Unreadable`, never left out in silence.

    Args:
        lines: with their ends, as a file opened with `newline=""` gives them.
        source: the source; a stream is `{source}:{column}`.
        columns: the columns to send; none for all that are numeric in the first rows.
        stream_type: type of all streams.

    Raises:
        CommandError: there is no header, no time column, no numeric column, or no time that can be read.
    """
    rows = _rows(lines)
    header = _header(rows)
    time_index = _time_index(header)
    sample = list(itertools.islice(rows, _SAMPLED_ROWS))
    chosen = _chosen(header, time_index, columns, [row for _, row in sample])
    times = [row[time_index] for _, row in sample if len(row) > time_index]
    layout = _Layout(
        header=header,
        time_index=time_index,
        parse_time=_time_parser(header[time_index], times),
        streams={index: f"{source}:{header[index]}" for index in chosen},
        stream_type=stream_type,
    )
    return Table(
        time_column=header[time_index],
        streams={header[index]: stream for index, stream in layout.streams.items()},
        left_out=tuple(name for index, name in enumerate(header) if index != time_index and index not in chosen),
        points=_points(itertools.chain(sample, rows), layout),
    )


@dataclass(frozen=True, slots=True)
class _Layout:
    """Which cell of a row is what."""

    header: Sequence[str]
    time_index: int
    parse_time: Callable[[str], float]
    streams: dict[int, str]
    stream_type: str | None


def _points(rows: Iterable[tuple[int, list[str]]], layout: _Layout) -> Iterator[Read]:
    for line, row in rows:
        if not row:
            continue
        if len(row) != len(layout.header):
            message = f"the row has {len(row)} cells, the header {len(layout.header)}"
            yield Unreadable(line, ",".join(row), Fault("malformed", "row", message))
            continue
        try:
            timestamp = layout.parse_time(row[layout.time_index])
        except ValueError:
            message = f"'{row[layout.time_index]}' is not a time like those of the other rows"
            yield Unreadable(line, ",".join(row), Fault("wrong_type", layout.header[layout.time_index], message))
            continue
        yield from _points_of_row(line, row, timestamp, layout)


def _points_of_row(line: int, row: Sequence[str], timestamp: float, layout: _Layout) -> Iterator[Read]:
    for index, stream_id in layout.streams.items():
        cell = row[index]
        if not cell or cell.isspace():
            continue
        value = _number(cell)
        if value is None:
            yield Unreadable(line, cell, _cell_fault(layout.header[index], cell))
        else:
            yield Readable(line, SentPoint(stream_id, value, timestamp, layout.stream_type))


def _rows(lines: Iterable[str]) -> Iterator[tuple[int, list[str]]]:
    """The rows, each with the number of its last line."""
    iterator = iter(lines)
    first = next(iterator, "")
    reader = csv.reader(itertools.chain([first], iterator), delimiter=_delimiter(first))
    while True:
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise CommandError(f"line {reader.line_num} is no row of a table: {error}") from None
        yield reader.line_num, row


def _header(rows: Iterator[tuple[int, list[str]]]) -> list[str]:
    _, row = next(rows, (0, []))
    names = [name.strip() for name in row]
    if not any(names):
        raise CommandError("the table is empty", hint="its first line has to name the columns", code=ExitCode.USAGE)
    repeated = next((name for name in names if name and names.count(name) > 1), None)
    if repeated is not None:
        raise CommandError(f"two columns are called '{repeated}'", hint="rename one", code=ExitCode.USAGE)
    return names


def _delimiter(header: str) -> str:
    return max(_DELIMITERS, key=header.count)


def _time_index(header: Sequence[str]) -> int:
    names = [name.lower() for name in header]
    for candidate in TIME_COLUMNS:
        if candidate in names:
            return names.index(candidate)
    raise CommandError(
        f"no column is called {', '.join(TIME_COLUMNS)}; the columns are {', '.join(header)}",
        hint="rename the column that holds the times",
        code=ExitCode.USAGE,
    )


def _chosen(
    header: Sequence[str], time_index: int, columns: Sequence[str], sample: Sequence[Sequence[str]]
) -> list[int]:
    """The indices of the columns that are sent."""
    unknown = [name for name in columns if name not in header or header.index(name) == time_index]
    if unknown:
        others = [name for index, name in enumerate(header) if index != time_index]
        raise CommandError(
            f"the table has no column '{unknown[0]}' to send; it has {', '.join(others)}", code=ExitCode.USAGE
        )
    if columns:
        return [index for index, name in enumerate(header) if name in columns]
    # A column without a name is the row number that some programs write.
    named = [index for index, name in enumerate(header) if name and index != time_index]
    chosen = [index for index in named if _is_numeric(index, sample)]
    if not chosen:
        raise CommandError(
            "no column of the table is numeric", hint="choose columns with --column", code=ExitCode.USAGE
        )
    return chosen


def _is_numeric(index: int, sample: Sequence[Sequence[str]]) -> bool:
    """Whether most of the cells are numbers; a column without cells in the sample may have some further down."""
    cells = [row[index] for row in sample if len(row) > index and row[index].strip()]
    numbers = sum(_number(cell) is not None for cell in cells)
    return numbers * 2 >= len(cells)


def _time_parser(column: str, sample: Sequence[str]) -> Callable[[str], float]:
    """How the times of the table are read, by the first that can be."""
    for text in sample:
        for parse in (_unix_seconds, _iso_8601):
            try:
                parse(text)
            except ValueError:
                continue
            return parse
    if not sample:
        return _iso_8601
    raise CommandError(
        f"column '{column}' holds no times: '{sample[0]}' is neither ISO 8601 nor Unix seconds",
        hint="write times like 2024-05-01T12:00:00Z or 1714564800",
        code=ExitCode.USAGE,
    )


def _unix_seconds(text: str) -> float:
    seconds = _number(text)
    if seconds is None:
        raise ValueError(text)
    return seconds


def _iso_8601(text: str) -> float:
    moment = datetime.fromisoformat(text.strip())
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _number(cell: str) -> float | None:
    value = _float(cell)
    return value if value is not None and isfinite(value) else None


def _float(cell: str) -> float | None:
    # Python reads 1_000 as a number; no table means one by it.
    if "_" in cell:
        return None
    try:
        return float(cell)
    except ValueError:
        return None


def _cell_fault(column: str, cell: str) -> Fault:
    code, what = ("wrong_type", "a number") if _float(cell) is None else ("not_finite", "a finite number")
    return Fault(code, column, f"'{cell}' is not {what}; leave the cell empty where there is no value")
