"""The columns that hold a row's time, and its form: by given options, names of columns, and cells."""

import re
from collections.abc import Sequence

from afluente.adapters.codecs.csv.options import CSVIngestConfig
from afluente.adapters.codecs.csv.sampled_table import SampledTable
from afluente.adapters.codecs.csv.sampling import LOOKED_AT_ROWS, MOST, share
from afluente.adapters.codecs.csv.times import (
    are_compact_times,
    are_years,
    form_of,
    looks_like_clock,
    looks_like_times,
    share_of_pattern,
)
from afluente.application.csv.faults import JobFault, NotReadableError

_words_of = str.split
_TIME_NAMES = frozenset(
    _words_of(
        "timestamp time times date dates datetime ts timer epoch unix unixtime utc fecha hora fechahora tiempo zeit "
        "datum zeitstempel heure horodatage timestamps yyyymmdd"
    )
)
_ELAPSED_NAMES = frozenset(_words_of("elapsed since uptime"))
# Times of anything but the measurement.
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
_PLAUSIBLE_TIMERS = ((1e9, 4.1e9), (1e12, 4.1e12), (1e15, 4.1e15), (1e18, 4.1e18))


class TimeColumns:
    """The columns of a table that hold times.

    Attributes:
        names: the columns, in the order in which they are read; none where rows are counted.
        format: `iso8601`, `unix` or `custom`.
        pattern: of `custom`.
        unit: of `unix`.
    """

    def __init__(self, table: SampledTable, given: CSVIngestConfig) -> None:
        self._table = table
        self._given = given
        self.names = self._find()
        self.format, self.pattern, self.unit = self._form()

    def timezone(self) -> str | None:
        """The zone of times that name none.

        Raises:
            NotReadableError: they name UTC, and another zone is given.
        """
        if not self.names:
            return self._given.timezone
        given = self._given.timezone
        if self.pattern is not None and self.pattern.endswith("UTC") and given not in {None, "UTC"}:
            message = f"timezone is {given}, and the times say that they are in UTC; leave the option out"
            raise NotReadableError(JobFault.INVALID_OPTIONS, message)
        return given or "UTC"

    def of_rows(self) -> list[str]:
        """The time cells of each row that has them."""
        places = [self._table.names.index(name) for name in self.names]
        rows = self._table.data_rows
        return [" ".join(row[place].strip() for place in places) for row in rows if max(places) < len(row)]

    def _find(self) -> tuple[str, ...]:
        if self._given.timestamp_column is not None:
            self._table.check_known("timestamp_column", self._given.timestamp_column)
            return self._given.timestamp_column
        if self._given.step is not None:
            return ()
        if self._given.start is not None:
            timer = self._timer()
            return (timer,) if timer else ()
        found = self._by_pattern() or self._named_time() or self._only_time() or self._timer() or self._unread_time()
        if found is None:
            self._table.notes.append("no column holds times: the time of a row is its place, in seconds from `start`")
            return ()
        clock = self._clock_beside(found)
        return (found, clock) if clock else (found,)

    def _by_pattern(self) -> str | None:
        """The column that the given pattern reads."""
        pattern = self._given.timestamp_pattern
        if pattern is None:
            return None
        return self._table.first(lambda _name, cells: share_of_pattern(cells[:LOOKED_AT_ROWS], pattern) > MOST)

    def _named_time(self) -> str | None:
        """The column of times named as one; of several the one with a usual name, or with most times."""
        found = [name for name, cells in self._table.cells.items() if cells and self._is_named_time(name, cells)]
        return max(found, key=lambda name: (word(name) in _TIME_NAMES, len(set(self._table.cells[name]))), default=None)

    def _is_named_time(self, name: str, cells: Sequence[str]) -> bool:
        words = _words(name)
        if words & _OTHER_TIMES:
            return False
        if words & _YEAR_NAMES and are_years(cells):
            return True
        return bool(words & _TIME_NAMES) and (looks_like_times(cells, self._table.numbers) or are_compact_times(cells))

    def _unread_time(self) -> str | None:
        """A column that is a time by its name, though its cells cannot be read: better refused than ignored.

        None if no column holds numbers: a file that is no table may well hold such a word.
        """
        if not any(share(cells, self._table.numbers.is_number) > MOST for cells in self._table.cells.values()):
            return None
        return self._table.first(
            lambda name, _cells: bool(_words(name) & (_TIME_NAMES | _ELAPSED_NAMES)) and not _words(name) & _OTHER_TIMES
        )

    def _only_time(self) -> str | None:
        return self._table.first(lambda _name, cells: looks_like_times(cells, self._table.numbers))

    def _timer(self) -> str | None:
        """A column of numbers that is a time by its name, or by its size and order."""
        is_given = self._given.timestamp_unit is not None or self._given.timestamp_format == "unix"

        def is_timer(name: str, cells: Sequence[str]) -> bool:
            numbers = [n for n in map(self._table.numbers.read, cells[:LOOKED_AT_ROWS]) if isinstance(n, float)]
            if not numbers or len(numbers) <= MOST * len(cells[:LOOKED_AT_ROWS]):
                return False
            if is_given and _TIMER_NAMES.fullmatch(word(name)):
                return True
            rises = sorted(numbers) == numbers
            plausible = any(low <= min(numbers) and max(numbers) <= high for low, high in _PLAUSIBLE_TIMERS)
            if plausible and (_words(name) & _TIME_NAMES or _TIMER_NAMES.fullmatch(word(name))):
                return True
            return rises and bool(
                _TIMER_NAMES.fullmatch(word(name))
                or is_given
                or (plausible and name == self._table.names[0] and len(numbers) > 1)
            )

        return self._table.first(is_timer)

    def _clock_beside(self, found: str) -> str | None:
        """The column of the time of day, where the found one holds days only."""
        if any(":" in cell or re.search(r"\dT\d", cell) for cell in self._table.cells[found][:LOOKED_AT_ROWS]):
            return None
        return self._table.first(
            lambda name, cells: name != found and bool(_words(name) & _CLOCK_NAMES) and looks_like_clock(cells)
        )

    def _form(self) -> tuple[str | None, str | None, str | None]:
        given, columns = self._given, self.names
        if not columns:
            return None, None, None
        if given.timestamp_pattern is not None:
            return "custom", given.timestamp_pattern, None
        if given.timestamp_unit is not None or given.timestamp_format == "iso8601":
            return given.timestamp_format or "unix", None, given.timestamp_unit
        cells = [cell for cell in self.of_rows() if cell not in self._table.nulls]
        form, pattern, unit = form_of(cells, " ".join(columns), self._table.numbers)
        if given.timestamp_format == "unix" and form != "unix":
            message = f"timestamp_format is unix, and {cells[0]!a} in column {' '.join(columns)!a} is no number"
            raise NotReadableError(JobFault.UNREADABLE_TIMES, message)
        return form, pattern, unit


def word(name: str) -> str:
    """The name of a column as one word."""
    return re.sub(r"\W+", "_", name.strip().lower()).strip("_")


def _words(name: str) -> set[str]:
    return {*re.split(r"[\W_]+", re.sub(r"([a-z])([A-Z])", r"\1_\2", name).lower()), word(name).replace("_", "")}
