"""The table at the beginning of a file: its encoding, delimiter, header and columns."""

import itertools
from collections import Counter
from collections.abc import Callable, Sequence

import msgspec

from afluente.adapters.codecs.csv.layout import column_names
from afluente.adapters.codecs.csv.numbers import Notation, NumberReader, notation_of
from afluente.adapters.codecs.csv.options import DEFAULT_NULLS, CSVIngestConfig
from afluente.adapters.codecs.csv.rejects import is_of_rejected_rows, unmarked
from afluente.adapters.codecs.csv.sampling import ENOUGH, LOOKED_AT_ROWS, MOST, share
from afluente.adapters.codecs.csv.text import Encoding, Row, encoding_of, lines_of, rows_of
from afluente.adapters.codecs.csv.times import looks_like_times
from afluente.application.csv.chunks import Position
from afluente.application.csv.faults import JobFault, NotReadableError

MAX_COLUMNS = 4_000
"""Columns of a file, so that its layout stays within DynamoDB's 400 KB ("Item size")."""

_USUAL_NAME = 25
_DELIMITERS = ("\t", ";", "|", ",")


class SampledTable:
    """The rows and columns of a sample, inferred step by step.

    Attributes:
        is_whole: whether the sample is the whole file.
        encoding: of its text.
        skip: lines before the table.
        delimiter: between cells.
        has_header: whether its first row names the columns.
        data_rows: the rows with as many cells as most, without the header.
        names: of all columns.
        cells: those of each column that hold a value.
        notation: of its numbers.
        numbers: reads them.
        notes: oddities.
    """

    def __init__(self, sample: bytes, *, is_whole: bool, given: CSVIngestConfig) -> None:
        self._given = given
        self.notes: list[str] = []
        self.encoding: Encoding = encoding_of(sample, is_whole=is_whole, given=given.encoding)
        self.is_whole = is_whole
        self._lines = self._lines_of(sample)
        self.nulls = frozenset(DEFAULT_NULLS if given.null_values is None else ("", *given.null_values))
        self.skip, self.delimiter = self._head()
        self._rows = _as_sent(list(rows_of(self._lines[self.skip :], self.delimiter)))
        # Only rows with as many cells as most; the others are rejected when the file is loaded.
        self._width = _width([row.cells for row in self._rows[:LOOKED_AT_ROWS] if row.cells])
        self.has_header = self._has_header() if given.has_header is None else given.has_header
        self.data_rows = self._data_rows()
        self.names = self._names()
        self.cells = self._columns()
        self.notation = self._notation([cell for column in self.cells.values() for cell in column])
        self.numbers: NumberReader = self.notation.reader()

    def first(self, holds: Callable[[str, Sequence[str]], bool]) -> str | None:
        """The first column with values that satisfies a condition."""
        return next((name for name, cells in self.cells.items() if cells and holds(name, cells)), None)

    def check_known(self, option: str, names: Sequence[str]) -> None:
        """Check that an option names columns of the file.

        Raises:
            NotReadableError: it names another.
        """
        unknown = [name for name in names if name not in self.names]
        if unknown:
            known = ", ".join(self.names)
            message = f"{option}: the file has no column {unknown[0]!a}; its columns are {known}"
            raise NotReadableError(JobFault.UNKNOWN_COLUMN, message)

    def are_row_numbers(self, name: str) -> bool:
        """Tell whether a column is the index that programs put before a table: no name, and 0, 1, 2, …."""
        cells = self.cells[name]
        if not self.has_header or name != "column_1" or not cells:
            return False
        first = self.numbers.read(cells[0])
        return first in {0.0, 1.0} and all(
            self.numbers.read(cell) == first + place for place, cell in enumerate(cells[:LOOKED_AT_ROWS])
        )

    def begins(self) -> Position:
        """The position of the first row of data."""
        lines = self.skip + (self._rows[0].lines if self.has_header and self._rows else 0)
        offset = self.encoding.mark + self.encoding.length_of("".join(self._lines[:lines]))
        return Position(offset, lines + 1, 0)

    def _lines_of(self, sample: bytes) -> list[str]:
        text = self.encoding.decode(sample[self.encoding.mark :])
        if text.lstrip()[:1] in {"{", "<"}:
            what = "JSON: send NDJSON with `afluente send http`" if text.lstrip()[0] == "{" else "HTML or XML"
            raise NotReadableError(JobFault.NOT_CSV, f"the file is {what}, or its first line is no row of a table")
        lines = lines_of(text)
        if not self.is_whole and len(lines) > 1:
            lines.pop()
        elif not self.is_whole or ("\r" in text and len(lines) == 1 and text.strip().count("\r")):
            raise NotReadableError(JobFault.NOT_CSV, "the file has no ends of lines (LF or CRLF) where rows would end")
        return lines

    def _head(self) -> tuple[int, str]:
        """The number of lines before the table, and its delimiter."""
        given = self._given
        first = self._lines[0].strip().lower()
        if first.startswith("sep=") and len(first) == len("sep=;") and given.skip_rows is None:
            self.notes.append("the first line says the delimiter, as Excel has it")
            return 1, given.delimiter or first[-1]
        skip = given.skip_rows or 0
        if skip >= len(self._lines):
            message = f"skip_rows is {skip}, and the first {len(self._lines)} lines are all that was looked at"
            raise NotReadableError(JobFault.INVALID_OPTIONS, message)
        delimiter = given.delimiter or self._delimiter(skip)
        if given.skip_rows is None:
            skip = self._preamble(delimiter)
        return skip, delimiter

    def _first_rows(self, skip: int, delimiter: str) -> list[Row]:
        return list(itertools.islice(rows_of(self._lines[skip:], delimiter), LOOKED_AT_ROWS))

    def _delimiter(self, skip: int) -> str:
        best, best_score = ",", (0.0, 0)
        for delimiter in _DELIMITERS:
            widths = [len(row.cells) for row in self._first_rows(skip, delimiter) if row.cells]
            width, count = Counter(widths).most_common(1)[0] if widths else (1, 0)
            score = count / max(1, len(widths)), width
            if width > 1 and score[0] >= ENOUGH:
                return delimiter
            if width > 1 and score > best_score:
                best, best_score = delimiter, score
        return best

    def _preamble(self, delimiter: str) -> int:
        """The number of lines before the first row that is as wide as most: a title, or comments."""
        rows = [row for row in self._first_rows(0, delimiter) if not self._lines[row.first].startswith("#")]
        width = _width([row.cells for row in rows if row.cells])
        place = next((place for place, row in enumerate(rows) if row.cells and len(row.cells) == width), 0)
        if place and len(rows[place - 1].cells or []) == width - 1 > 1 and not _has_digit_cells(rows[place - 1]):
            # A header without the last delimiter that each row ends with, or without a name for the names of rows.
            place -= 1
        begin = rows[place].first if rows else 0
        if begin:
            self.notes.append(f"the first {begin} line(s) are no rows of the table and are skipped")
        return begin

    def _has_header(self) -> bool:
        first = self._rows[0].cells if self._rows else None
        if first is None:
            return True
        rest = [row.cells for row in self._rows[1:LOOKED_AT_ROWS] if row.cells and len(row.cells) == self._width]
        is_number = self._notation([cell for cells in rest for cell in cells]).reader().is_number
        if not rest:
            return not any(is_number(cell) for cell in first)
        for place, cell in enumerate(first[: self._width]):
            column = [row[place] for row in rest if row[place].strip() not in self.nulls]
            is_data = _is_time_like if share(column, is_number) <= MOST else is_number
            if share(column, is_data) > MOST:
                return not is_data(cell)
        return True

    def _data_rows(self) -> list[list[str]]:
        rows = self._rows[1:] if self.has_header else self._rows
        return [row.cells for row in rows if row.cells and len(row.cells) == self._width]

    def _names(self) -> tuple[str, ...]:
        first = self._rows[0].cells if self._rows else None
        if not self.has_header:
            return column_names([""] * self._width)
        header = first or []
        if len(header) == self._width - 1 and self.data_rows:
            ends_empty = not any(row[-1].strip() for row in self.data_rows)
            header = [*header, ""] if ends_empty else ["", *header]
        names = column_names(header)
        if any(not cell.strip() for cell in header):
            self.notes.append("a column without a name is called by its place: column_1, column_2, …")
        if len({cell.strip() for cell in header if cell.strip()}) < sum(1 for cell in header if cell.strip()):
            self.notes.append("a name that comes again has its count put after it: value, value_2, …")
        if len(names) > MAX_COLUMNS or sum(map(len, names)) > MAX_COLUMNS * _USUAL_NAME:
            message = (
                f"the file has {len(names)} columns; {MAX_COLUMNS} are allowed: write it in long format, or in parts"
            )
            raise NotReadableError(JobFault.NOT_CSV, message)
        if len(names) != self._width:
            # Rows are held to the header: each one that differs is rejected.
            self.notes.append(f"the header has {len(names)} cells, most rows have {self._width}")
        return names

    def _columns(self) -> dict[str, list[str]]:
        """The cells of each column that hold a value."""
        rows = self.data_rows
        return {
            name: [row[place] for row in rows if place < len(row) and row[place].strip() not in self.nulls]
            for place, name in enumerate(self.names)
        }

    def _notation(self, cells: Sequence[str]) -> Notation:
        given = self._given
        has_commas = self.delimiter != ","
        return notation_of(cells, decimal=given.decimal, thousands=given.thousands, has_commas=has_commas)


def _as_sent(rows: list[Row]) -> list[Row]:
    """The rows without the marks of a file of rejected rows."""
    if not rows or not is_of_rejected_rows(rows[0].cells or ()):
        return rows
    return [
        row if row.cells is None else msgspec.structs.replace(row, cells=[unmarked(cell) for cell in row.cells])
        for row in rows
    ]


def _has_digit_cells(row: Row) -> bool:
    return any(cell.strip()[:1].isdigit() for cell in row.cells or [])


def _is_time_like(cell: str) -> bool:
    return looks_like_times([cell], Notation().reader())


def _width(rows: Sequence[Sequence[str]]) -> int:
    return Counter(map(len, rows)).most_common(1)[0][0] if rows else 0
