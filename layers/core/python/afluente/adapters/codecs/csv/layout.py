"""Layout of a file: everything that reading it takes, from given and inferred options."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec

from afluente.adapters.codecs.csv.numbers import Notation
from afluente.adapters.codecs.csv.options import DEFAULT_NULLS, CSVIngestConfig
from afluente.adapters.codecs.csv.rejects import is_of_rejected_rows
from afluente.adapters.codecs.csv.text import Encoding
from afluente.adapters.codecs.csv.times import TimeForm
from afluente.application.csv.chunks import Position

_FORBIDDEN = str.maketrans(dict.fromkeys("/+#", "_"))


class Layout(msgspec.Struct, frozen=True, kw_only=True):
    """Layout of a file.

    Attributes:
        encoding: of its text.
        delimiter: between cells.
        columns: names of all columns.
        begins: where the rows of data begin.
        times: form of its times; None where rows are counted.
        time_columns: places of the columns of the time.
        values: places of the columns that are streams.
        stream_column: place of the column that names the stream.
        notation: of numbers.
        nulls: cells that hold no value.
        stream_types: by the name of the stream's column, or of the stream; under an empty name the type of all.
        start: time of the first row where rows are counted, or of a timer's zero, in Unix seconds.
        step: seconds from row to row.
        max_rows: rows that are read at the most.
        is_marked: whether it is a file of rejected rows, in which cells are marked.
    """

    encoding: Encoding
    delimiter: str
    columns: tuple[str, ...]
    begins: Position
    times: TimeForm | None
    time_columns: tuple[int, ...]
    values: tuple[int, ...]
    stream_column: int | None
    notation: Notation
    nulls: tuple[str, ...]
    stream_types: dict[str, str]
    start: float = 0.0
    step: float = 1.0
    max_rows: int | None = None
    is_marked: bool = False

    def type_of(self, *names: str) -> str | None:
        """The type of a stream, by the first of its names that has one."""
        return next((self.stream_types[name] for name in (*names, "") if name in self.stream_types), None)

    def stream_id(self, source_id: str, column: int, named: str | None = None) -> str:
        """The stream of a cell.

        Args:
            source_id: the source.
            column: place of the cell's column.
            named: the row's cell in the stream column, where there is one.
        """
        if named is None:
            return f"{source_id}:{stream_part(self.columns[column])}"
        if len(self.values) == 1:
            return f"{source_id}:{stream_part(named)}"
        return f"{source_id}:{stream_part(named)}:{stream_part(self.columns[column])}"


def layout_of(config: CSVIngestConfig, *, encoding: Encoding, columns: tuple[str, ...], begins: Position) -> Layout:
    """The layout by complete options."""
    places = {name: place for place, name in enumerate(columns)}
    time_columns = tuple(places[name] for name in config.timestamp_column or ())
    types = config.stream_type if isinstance(config.stream_type, dict) else {"": config.stream_type or ""}
    times = TimeForm(
        config.timestamp_format or "iso8601",
        config.timestamp_pattern,
        config.timestamp_unit or "s",
        config.timezone or "UTC",
        config.ambiguous_times,
    )
    return Layout(
        encoding=encoding,
        delimiter=config.delimiter or ",",
        columns=columns,
        begins=begins,
        times=times if time_columns else None,
        time_columns=time_columns,
        values=tuple(places[name] for name in config.value_columns or ()),
        stream_column=places[config.stream_column] if config.stream_column else None,
        notation=Notation(config.decimal or ".", config.thousands or ""),
        nulls=DEFAULT_NULLS if config.null_values is None else ("", *config.null_values),
        stream_types={name: its for name, its in types.items() if its},
        start=_seconds(config.start),
        step=config.step or 1.0,
        max_rows=config.max_rows,
        is_marked=is_of_rejected_rows(columns),
    )


def stream_part(name: str) -> str:
    """The name of a column, or a cell, as part of a stream id: without the characters that no key may hold."""
    return "".join(sign for sign in name.strip().translate(_FORBIDDEN) if sign.isprintable())


def column_names(header: Iterable[str]) -> tuple[str, ...]:
    """Names of columns by their header: an empty one is `column_3`, a repeated one `value_2`."""
    # In order; a header may have thousands of one name, so the next count of each is kept.
    names: dict[str, None] = {}
    counts: dict[str, int] = {}
    for place, cell in enumerate(header, start=1):
        readable = cell.encode("utf-8", "backslashreplace").decode()
        name = wished = readable.strip() or f"column_{place}"
        while name in names:
            counts[wished] = counts.get(wished, 1) + 1
            name = f"{wished}_{counts[wished]}"
        names[name] = None
    return tuple(names)


def to_document(layout: Layout) -> dict[str, Any]:
    """A layout as a JSON value."""
    document: dict[str, Any] = msgspec.to_builtins(layout)
    return document


def from_document(document: Mapping[str, Any]) -> Layout:
    """The layout of a document by `to_document`."""
    return msgspec.convert(document, Layout)


def _seconds(start: float | datetime | None) -> float:
    if isinstance(start, datetime):
        return (start if start.tzinfo else start.replace(tzinfo=UTC)).timestamp()
    return start or 0.0
