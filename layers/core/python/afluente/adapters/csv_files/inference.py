"""A first look at a file: what its options are, as far as nobody said."""

import itertools
import re
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

import msgspec

from afluente.adapters.csv_files.layout import Layout, column_names, layout_of
from afluente.adapters.csv_files.numbers import Notation, NumberReader, notation_of
from afluente.adapters.csv_files.options import DEFAULT_NULLS, CSVIngestConfig
from afluente.adapters.csv_files.text import Encoding, Row, encoding_of, rows_of
from afluente.adapters.csv_files.times import (
    are_compact_times,
    are_years,
    looks_like_clock,
    looks_like_times,
    reading_of,
    share_of_pattern,
)
from afluente.application.csv_jobs import JobFault, NotReadableError, Position

SAMPLE_BYTES = 1024 * 1024
"""How much of the beginning of a file is looked at."""

MAX_COLUMNS = 4_000
"""Of a file, so that what is known of it stays within DynamoDB's 400 KB ("Item size")."""

REJECTED = "rejected_"
"""What the columns are called that a file of rejected rows has more: corrected and sent again, it needs no options."""

_USUAL_NAME = 25
_DELIMITERS = ("\t", ";", "|", ",")
_LOOKED_AT_ROWS = 200
_SHOWN_ROWS = 5
_ENOUGH = 0.9
_MOST = 0.5
# Rows of a measurement that is quicker than its clock may share their time; not so many of them.
_FEW = 8
_LEAST_DISTINCT = 0.4

_words_of = str.split
_TIME_NAMES = frozenset(
    _words_of(
        "timestamp time times date dates datetime ts timer epoch unix unixtime utc fecha hora fechahora tiempo zeit "
        "datum zeitstempel heure horodatage timestamps yyyymmdd"
    )
)
_ELAPSED_NAMES = frozenset(_words_of("elapsed since uptime"))
# Times of something else than the measurement.
_OTHER_TIMES = frozenset(
    _words_of(
        "birth dob born nacimiento geburtsdatum response reaction latency duration travel running cycle lap expiry due"
    )
)
_TIMER_NAMES = re.compile(
    r"(?:t|ts|time|timer|timestamp|epoch|unix|elapsed|tiempo|zeit|(?:time|timer|elapsed|timestamp|t)?_?"
    r"(?:ms|us|ns|s|sec|secs|seconds|millis|milliseconds|microseconds|nanoseconds))"
)
_YEAR_NAMES = frozenset(_words_of("year jahr annee año ano anio"))
_CLOCK_NAMES = frozenset(_words_of("time hora zeit uhrzeit heure ora clock tiempo"))
# A column so called names the stream of a row, whatever it holds.
_STREAM_NAMES = frozenset(
    _words_of(
        "symbol ticker sensor sensor_id sensorid sensor_name stream stream_id metric metric_name series series_id tag "
        "tag_name variable channel device device_id deviceid device_name station station_id meter meter_id host "
        "hostname instance node_id patient patient_id building_id machine machine_id asset asset_id"
    )
)
_PLAUSIBLE_TIMERS = ((1e9, 4.1e9), (1e12, 4.1e12), (1e15, 4.1e15), (1e18, 4.1e18))


class Column(msgspec.Struct, frozen=True):
    """A column as it is understood.

    Attributes:
        name: its name.
        role: `time`, `value`, `stream` or `left_out`.
        stream: the stream of its cells; `{…}` stands for what is not known, or differs from row to row.
        why: why it is taken so.
    """

    name: str
    role: str
    stream: str | None
    why: str


class Inspection(msgspec.Struct, frozen=True):
    """What a first look at a file tells.

    Attributes:
        config: every option that matters.
        layout: how the file is read by them.
        columns: all columns.
        notes: what was found odd.
        first_rows: the cells of the first rows.
        first_times: their times in ISO 8601, in UTC.
        distinct_streams: how many streams the sample has.
    """

    config: CSVIngestConfig
    layout: Layout
    columns: tuple[Column, ...]
    notes: tuple[str, ...]
    first_rows: tuple[tuple[str, ...], ...]
    first_times: tuple[str, ...]
    distinct_streams: int


def inspect(sample: bytes, *, is_whole: bool, given: CSVIngestConfig, file: str) -> Inspection:
    """Look at the beginning of a file.

    Args:
        sample: its first bytes, unpacked.
        is_whole: whether that is all of it.
        given: the options that are said.
        file: its name.

    Raises:
        NotReadableError: it is no CSV, not as it was said to be, or can be read in two ways.
    """
    return _Look(sample, is_whole=is_whole, given=given, file=file).inspection()


class _Look:
    """The steps of a look, each on what the one before found."""

    def __init__(self, sample: bytes, *, is_whole: bool, given: CSVIngestConfig, file: str) -> None:
        if not sample.strip():
            raise NotReadableError(JobFault.EMPTY_FILE, f"{file} is empty")
        self.given = given
        self.notes: list[str] = []
        self.encoding: Encoding = encoding_of(sample, is_whole=is_whole, given=given.encoding)
        self.is_whole = is_whole
        self.lines = self._lines(sample)
        self.nulls = frozenset(DEFAULT_NULLS if given.null_values is None else ("", *given.null_values))
        self.skip, self.delimiter = self._head()
        self.rows = list(rows_of(self.lines[self.skip :], self.delimiter))
        # Only rows with as many cells as most: what is wrong with the others is told row by row.
        self.width = _width([row.cells for row in self.rows[:_LOOKED_AT_ROWS] if row.cells])
        self.has_header = self._has_header() if given.has_header is None else given.has_header
        self.names = self._names()
        self.cells = self._columns()
        self.notation = notation_of(
            [cell for column in self.cells.values() for cell in column],
            decimal=given.decimal,
            thousands=given.thousands,
            has_commas=self.delimiter != ",",
        )
        self.numbers: NumberReader = self.notation.reader()

    def inspection(self) -> Inspection:
        """What was found."""
        time_columns = self._time_columns()
        form, pattern, unit = self._time_reading(time_columns)
        stream_column = self._stream_column(time_columns)
        self._check_times(time_columns, stream_column)
        values = self._values({*time_columns, *([stream_column] if stream_column else [])})
        resolved = {
            "timestamp_column": time_columns,
            "value_columns": values,
            "timestamp_format": form,
            "timestamp_pattern": pattern,
            "timestamp_unit": unit,
            "timezone": self._timezone(pattern) if time_columns else self.given.timezone,
            "skip_rows": self.skip,
            "delimiter": self.delimiter,
            "decimal": self.notation.decimal,
            "thousands": self.notation.thousands,
            "encoding": self.encoding.name,
            "has_header": self.has_header,
            "stream_column": stream_column,
        }
        config = self.given.model_copy(update=resolved)
        layout = layout_of(config, encoding=self.encoding, columns=self.names, begins=self._begins())
        data = [tuple(row) for row in self._data_rows()[:_SHOWN_ROWS]]
        return Inspection(
            config=config,
            layout=layout,
            columns=self._described(layout),
            notes=tuple(self.notes),
            first_rows=tuple(data),
            first_times=tuple(self._shown_time(layout, place, row) for place, row in enumerate(data)),
            distinct_streams=self._distinct(layout),
        )

    # --- lines, rows and columns -------------------------------------------------------------------------------------

    def _lines(self, sample: bytes) -> list[str]:
        text = self.encoding.decode(sample[self.encoding.mark :])
        if text.lstrip()[:1] in {"{", "<"}:
            what = "JSON: send NDJSON with `afluente send http`" if text.lstrip()[0] == "{" else "HTML or XML"
            raise NotReadableError(JobFault.NOT_CSV, f"the file is {what}, or its first line is no row of a table")
        lines = text.split("\n")
        lines = [f"{line}\n" for line in lines[:-1]] + ([lines[-1]] if lines[-1] else [])
        if not self.is_whole and len(lines) > 1:
            lines.pop()
        elif not self.is_whole or ("\r" in text and len(lines) == 1 and text.strip().count("\r")):
            raise NotReadableError(JobFault.NOT_CSV, "the file has no ends of lines (LF or CRLF) where rows would end")
        return lines

    def _head(self) -> tuple[int, str]:
        """How many lines are before the table, and its delimiter."""
        given = self.given
        first = self.lines[0].strip().lower()
        if first.startswith("sep=") and len(first) == len("sep=;") and given.skip_rows is None:
            self.notes.append("the first line says the delimiter, as Excel has it")
            return 1, given.delimiter or first[-1]
        skip = given.skip_rows or 0
        if skip >= len(self.lines):
            message = f"skip_rows is {skip}, and the first {len(self.lines)} lines are all that was looked at"
            raise NotReadableError(JobFault.INVALID_OPTIONS, message)
        delimiter = given.delimiter or self._delimiter(skip)
        if given.skip_rows is None:
            skip = self._preamble(delimiter)
        return skip, delimiter

    def _first_rows(self, skip: int, delimiter: str) -> list[Row]:
        return list(itertools.islice(rows_of(self.lines[skip:], delimiter), _LOOKED_AT_ROWS))

    def _delimiter(self, skip: int) -> str:
        best, best_score = ",", (0.0, 0)
        for delimiter in _DELIMITERS:
            widths = [len(row.cells) for row in self._first_rows(skip, delimiter) if row.cells]
            width, count = Counter(widths).most_common(1)[0] if widths else (1, 0)
            share = count / max(1, len(widths))
            if width > 1 and share >= _ENOUGH:
                return delimiter
            if width > 1 and (share, width) > best_score:
                best, best_score = delimiter, (share, width)
        return best

    def _preamble(self, delimiter: str) -> int:
        """Lines before the first row that is as wide as most: a title, or comments."""
        rows = [row for row in self._first_rows(0, delimiter) if not self.lines[row.first].startswith("#")]
        width = _width([row.cells for row in rows if row.cells])
        place = next((place for place, row in enumerate(rows) if row.cells and len(row.cells) == width), 0)
        if place and len(rows[place - 1].cells or []) == width - 1 > 1 and not _has_digit_cells(rows[place - 1]):
            # A header without the last delimiter that each row ends with, or without a name for the names of rows.
            place -= 1
        begin = rows[place].first if rows else 0
        if begin:
            self.notes.append(f"the first {begin} line(s) are no rows of the table and are skipped")
        return begin

    def _data_rows(self) -> list[list[str]]:
        rows = self.rows[1:] if self.has_header else self.rows
        return [row.cells for row in rows if row.cells and len(row.cells) == self.width]

    def _has_header(self) -> bool:
        first = self.rows[0].cells if self.rows else None
        if first is None:
            return True
        rest = [row.cells for row in self.rows[1:_LOOKED_AT_ROWS] if row.cells and len(row.cells) == self.width]
        is_number = (
            notation_of(
                [cell for cells in rest for cell in cells],
                decimal=self.given.decimal,
                thousands=self.given.thousands,
                has_commas=self.delimiter != ",",
            )
            .reader()
            .is_number
        )
        if not rest:
            return not any(is_number(cell) for cell in first)
        for place, cell in enumerate(first[: self.width]):
            column = [row[place] for row in rest if row[place].strip() not in self.nulls]
            is_data = _is_time_like if _share(column, is_number) <= _MOST else is_number
            if _share(column, is_data) > _MOST:
                return not is_data(cell)
        return True

    def _names(self) -> tuple[str, ...]:
        first = self.rows[0].cells if self.rows else None
        if not self.has_header:
            return column_names([""] * self.width)
        header = first or []
        if len(header) == self.width - 1 and self._data_rows():
            ends_empty = not any(row[-1].strip() for row in self._data_rows())
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
        if len(names) != self.width:
            # Rows are held to the header: that they differ is told of each of them.
            self.notes.append(f"the header has {len(names)} cells, most rows have {self.width}")
        return names

    def _columns(self) -> dict[str, list[str]]:
        """The cells of each column that hold something."""
        rows = self._data_rows()
        return {
            name: [row[place] for row in rows if place < len(row) and row[place].strip() not in self.nulls]
            for place, name in enumerate(self.names)
        }

    def _begins(self) -> Position:
        lines = self.skip + (self.rows[0].lines if self.has_header and self.rows else 0)
        offset = self.encoding.mark + self.encoding.length_of("".join(self.lines[:lines]))
        return Position(offset, lines + 1, 0)

    # --- times -------------------------------------------------------------------------------------------------------

    def _time_columns(self) -> tuple[str, ...]:
        if self.given.timestamp_column is not None:
            self._check_known("timestamp_column", self.given.timestamp_column)
            return self.given.timestamp_column
        if self.given.step is not None:
            return ()
        if self.given.start is not None:
            timer = self._timer()
            return (timer,) if timer else ()
        found = self._of_pattern() or self._named_time() or self._only_time() or self._timer() or self._unread_time()
        if found is None:
            self.notes.append("no column holds times: the time of a row is its place, in seconds from `start`")
            return ()
        clock = self._clock_beside(found)
        return (found, clock) if clock else (found,)

    def _of_pattern(self) -> str | None:
        """The column that the pattern that was said reads."""
        pattern = self.given.timestamp_pattern
        if pattern is None:
            return None
        return self._first(lambda _name, cells: share_of_pattern(cells[:_LOOKED_AT_ROWS], pattern) > _MOST)

    def _named_time(self) -> str | None:
        """The column of times that is called so; of several the one that is called just so, or has most times."""
        found = [name for name, cells in self.cells.items() if cells and self._is_named_time(name, cells)]
        return max(found, key=lambda name: (_word(name) in _TIME_NAMES, len(set(self.cells[name]))), default=None)

    def _is_named_time(self, name: str, cells: Sequence[str]) -> bool:
        words = _words(name)
        if words & _OTHER_TIMES:
            return False
        if words & _YEAR_NAMES and are_years(cells):
            return True
        return bool(words & _TIME_NAMES) and (looks_like_times(cells, self.numbers) or are_compact_times(cells))

    def _unread_time(self) -> str | None:
        """A column that is a time by its name, though not one that can be read: better refused than not seen.

        Not where nothing is measured: what is no table at all may well hold such a word.
        """
        if not any(_share(cells, self.numbers.is_number) > _MOST for cells in self.cells.values()):
            return None
        return self._first(
            lambda name, _cells: bool(_words(name) & (_TIME_NAMES | _ELAPSED_NAMES)) and not _words(name) & _OTHER_TIMES
        )

    def _only_time(self) -> str | None:
        return self._first(lambda _name, cells: looks_like_times(cells, self.numbers))

    def _timer(self) -> str | None:
        """A column of numbers that is a time by its name, or by its size and order."""
        is_said = self.given.timestamp_unit is not None or self.given.timestamp_format == "unix"

        def is_timer(name: str, cells: Sequence[str]) -> bool:
            numbers = [n for n in map(self.numbers.read, cells[:_LOOKED_AT_ROWS]) if isinstance(n, float)]
            if not numbers or len(numbers) <= _MOST * len(cells[:_LOOKED_AT_ROWS]):
                return False
            if is_said and _TIMER_NAMES.fullmatch(_word(name)):
                return True
            rises = sorted(numbers) == numbers
            plausible = any(low <= min(numbers) and max(numbers) <= high for low, high in _PLAUSIBLE_TIMERS)
            if plausible and (_words(name) & _TIME_NAMES or _TIMER_NAMES.fullmatch(_word(name))):
                return True
            return rises and bool(
                _TIMER_NAMES.fullmatch(_word(name))
                or is_said
                or (plausible and name == self.names[0] and len(numbers) > 1)
            )

        return self._first(is_timer)

    def _clock_beside(self, found: str) -> str | None:
        """The column of the time of day, where the one that was found holds days alone."""
        if any(":" in cell or re.search(r"\dT\d", cell) for cell in self.cells[found][:_LOOKED_AT_ROWS]):
            return None
        return self._first(
            lambda name, cells: name != found and bool(_words(name) & _CLOCK_NAMES) and looks_like_clock(cells)
        )

    def _time_reading(self, columns: Sequence[str]) -> tuple[str | None, str | None, str | None]:
        given = self.given
        if not columns:
            return None, None, None
        if given.timestamp_pattern is not None:
            return "custom", given.timestamp_pattern, None
        if given.timestamp_unit is not None or given.timestamp_format == "iso8601":
            return given.timestamp_format or "unix", None, given.timestamp_unit
        cells = [cell for cell in self._times_of(columns) if cell not in self.nulls]
        form, pattern, unit = reading_of(cells, " ".join(columns), self.numbers)
        if given.timestamp_format == "unix" and form != "unix":
            message = f"timestamp_format is unix, and {cells[0]!a} in column {' '.join(columns)!a} is no number"
            raise NotReadableError(JobFault.UNREADABLE_TIMES, message)
        return form, pattern, unit

    def _timezone(self, pattern: str | None) -> str:
        given = self.given.timezone
        if pattern is not None and pattern.endswith("UTC") and given not in {None, "UTC"}:
            message = f"timezone is {given}, and the times say that they are in UTC; leave the option out"
            raise NotReadableError(JobFault.INVALID_OPTIONS, message)
        return given or "UTC"

    def _times_of(self, columns: Sequence[str]) -> list[str]:
        places = [self.names.index(name) for name in columns]
        rows = self._data_rows()
        return [" ".join(row[place].strip() for place in places) for row in rows if max(places) < len(row)]

    # --- streams -----------------------------------------------------------------------------------------------------

    def _stream_column(self, time_columns: Sequence[str]) -> str | None:
        """The column that names the stream of each row (long format)."""
        if self.given.stream_column is not None:
            self._check_known("stream_column", (self.given.stream_column,))
            return self.given.stream_column
        if not time_columns:
            return None
        taken = {*time_columns, *(self.given.value_columns or ())}
        called = [
            name for name in self.names if name not in taken and _word(name) in _STREAM_NAMES and self.cells[name]
        ]
        # Of several, those that are the same throughout tell nothing apart.
        called = [name for name in called if len(set(self.cells[name])) > 1] or called[:1]
        if len(called) > 1:
            message = (
                f"the columns {', '.join(called)} can each name the stream of a row; say which is the stream_column"
            )
            raise NotReadableError(JobFault.AMBIGUOUS_STREAMS, message)
        return called[0] if called else self._telling_apart(time_columns, taken)

    def _telling_apart(self, time_columns: Sequence[str], taken: set[str]) -> str | None:
        """A column of text that tells rows of the same time apart."""
        places = [self.names.index(name) for name in time_columns]
        rows = [row for row in self._data_rows() if len(row) >= len(self.names)]
        times = [" ".join(row[place].strip() for place in places) for row in rows]
        for place, name in enumerate(self.names):
            cells = self.cells[name]
            if name in taken or len(cells) < _ENOUGH * len(rows) or _share(cells, self.numbers.is_number) > _MOST:
                continue
            if not looks_like_clock(cells) and _names_streams([row[place] for row in rows], times):
                return name
        return None

    def _check_times(self, time_columns: Sequence[str], stream_column: str | None) -> None:
        """Refuse a file most of whose rows share their time, though nothing says that they are of several streams."""
        if stream_column is not None or self.given.timestamp_column is not None or not time_columns:
            return
        times = self._times_of(time_columns)
        distinct = len(set(times))
        if len(times) >= _FEW and distinct < _LEAST_DISTINCT * len(times):
            column = " ".join(time_columns)
            message = (
                f"{len(times)} rows have {distinct} times between them in column {column!a}: a column may name their "
                "stream (say stream_column), or the time be in several columns (say timestamp_column as a list); to "
                "read the file as it is, say timestamp_column"
            )
            raise NotReadableError(JobFault.AMBIGUOUS_STREAMS, message)

    def _values(self, taken: set[str]) -> tuple[str, ...]:
        if self.given.value_columns is not None:
            self._check_known("value_columns", self.given.value_columns)
            for name in taken & set(self.given.value_columns):
                message = (
                    f"value_columns: {name!a} is taken for the time or for the name of the stream; say which it is"
                )
                raise NotReadableError(JobFault.INVALID_OPTIONS, message)
            return self.given.value_columns
        values = tuple(name for name, cells in self.cells.items() if name not in taken and self._is_value(name, cells))
        if not values:
            names = ", ".join(self.names)
            message = f"no column holds numbers (columns: {names}); say value_columns, delimiter or decimal"
            raise NotReadableError(JobFault.NO_VALUES, message)
        return values

    def _is_value(self, name: str, cells: Sequence[str]) -> bool:
        if name.startswith(REJECTED) or self._are_row_numbers(name, cells):
            return False
        if not cells:
            # Its first cells are empty; those that follow may not be.
            return not self.is_whole and not re.fullmatch(r"column_\d+", name)
        return _share(cells, self.numbers.is_number) > _MOST

    def _are_row_numbers(self, name: str, cells: Sequence[str]) -> bool:
        """Whether a column is what programs put before a table: without a name, and 0, 1, 2, …."""
        if not self.has_header or name != "column_1" or not cells:
            return False
        first = self.numbers.read(cells[0])
        return first in {0.0, 1.0} and all(
            self.numbers.read(cell) == first + place for place, cell in enumerate(cells[:_LOOKED_AT_ROWS])
        )

    def _distinct(self, layout: Layout) -> int:
        if layout.stream_column is None:
            return len(layout.values)
        place = layout.stream_column
        return len({row[place] for row in self._data_rows() if place < len(row)}) * len(layout.values)

    # --- what people are told ----------------------------------------------------------------------------------------

    def _described(self, layout: Layout) -> tuple[Column, ...]:
        source = self.given.source_id or "{source_id}"
        described = []
        for place, name in enumerate(self.names):
            if place in layout.time_columns:
                described.append(Column(name, "time", None, _how(layout)))
            elif place == layout.stream_column:
                described.append(Column(name, "stream", None, "names the stream of each row"))
            elif place in layout.values:
                named = None if layout.stream_column is None else f"{{{self.names[layout.stream_column]}}}"
                described.append(Column(name, "value", layout.stream_id(source, place, named), "numeric"))
            else:
                described.append(Column(name, "left_out", None, self._why_left_out(name)))
        return tuple(described)

    def _why_left_out(self, name: str) -> str:
        if name.startswith(REJECTED):
            return "tells why the row was rejected"
        if self.given.value_columns is not None:
            return "not among value_columns"
        if self._are_row_numbers(name, self.cells[name]):
            return "row numbers"
        return "not numeric" if self.cells[name] else "empty"

    def _shown_time(self, layout: Layout, place: int, row: Sequence[str]) -> str:
        if layout.times is None:
            seconds: object = layout.start + place * layout.step
        else:
            cell = " ".join(row[column].strip() for column in layout.time_columns if column < len(row))
            seconds = layout.times.reader(self.numbers)(cell)
        if not isinstance(seconds, float):
            return "unreadable"
        try:
            return datetime.fromtimestamp(seconds, UTC).isoformat().replace("+00:00", "Z")
        except (ValueError, OverflowError, OSError):
            return "beyond the years 1 to 9999"

    # --- helpers -----------------------------------------------------------------------------------------------------

    def _first(self, is_it: Callable[[str, Sequence[str]], bool]) -> str | None:
        return next((name for name, cells in self.cells.items() if cells and is_it(name, cells)), None)

    def _check_known(self, option: str, names: Sequence[str]) -> None:
        unknown = [name for name in names if name not in self.names]
        if unknown:
            known = ", ".join(self.names)
            message = f"{option}: the file has no column {unknown[0]!a}; its columns are {known}"
            raise NotReadableError(JobFault.UNKNOWN_COLUMN, message)


def _names_streams(named: Sequence[str], times: Sequence[str]) -> bool:
    """Whether a column tells streams apart: since a time comes once for each of its values."""
    distinct = len(set(named))
    if distinct == 1 or distinct > _MOST * len(named):
        return False
    return len(set(times)) <= _MOST * len(times) and len(set(zip(named, times, strict=False))) >= _ENOUGH * len(times)


def _has_digit_cells(row: Row) -> bool:
    return any(cell.strip()[:1].isdigit() for cell in row.cells or [])


def _how(layout: Layout) -> str:
    times = layout.times
    if times is None:
        return ""
    if times.format == "unix":
        return f"Unix time in {times.unit}"
    form = times.pattern or "ISO 8601"
    return f"{form}, in {times.timezone} where it names no zone"


def _is_time_like(cell: str) -> bool:
    return looks_like_times([cell], Notation().reader())


def _width(rows: Sequence[Sequence[str]]) -> int:
    return Counter(map(len, rows)).most_common(1)[0][0] if rows else 0


def _word(name: str) -> str:
    return re.sub(r"\W+", "_", name.strip().lower()).strip("_")


def _words(name: str) -> set[str]:
    return {*re.split(r"[\W_]+", re.sub(r"([a-z])([A-Z])", r"\1_\2", name).lower()), _word(name).replace("_", "")}


def _share(cells: Sequence[str], holds: Callable[[str], bool]) -> float:
    tried = cells[:_LOOKED_AT_ROWS]
    return sum(map(holds, tried)) / len(tried) if tried else 0.0
