"""Times in the forms that people use in tables."""

import itertools
import re
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo

import msgspec

from afluente.adapters.codecs.csv.numbers import NumberReader
from afluente.adapters.codecs.csv.options import UNITS
from afluente.adapters.codecs.csv.sampling import LOOKED_AT_ROWS, MOST, share
from afluente.application.csv.faults import (
    JobFault,
    NotReadableError,
    RowFault,
    RowFaultCode,
)

UNIX, ISO8601, CUSTOM = "unix", "iso8601", "custom"

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
# The years 1973 to 2100, in seconds: a timer that counts from a start is smaller, or its unit is given.
_PLAUSIBLE_SECONDS = (1e8, 4.1e9)
_YEAR = re.compile(r"(?:1[6-9]|20|21)\d\d")
# Dates, and times to the hour, the minute or the second, in digits alone; by the number of digits.
_COMPACT = re.compile(r"(?:19|20)\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])(?:(?:[01]\d|2[0-3])(?:[0-5]\d){0,2})?")
_COMPACT_PATTERNS = {8: "%Y%m%d", 10: "%Y%m%d%H", 12: "%Y%m%d%H%M", 14: "%Y%m%d%H%M%S"}
_TRIED_PATTERNS = 5

_DAY_FIRST, _MONTH_FIRST, _NAMED = "day-month", "month-day", "named"
_CLOCKS = (
    "%H:%M",
    "%H:%M:%S",
    "%H:%M:%S.%f",
    "%H:%M:%S,%f",
    "%I:%M %p",
    "%I:%M:%S %p",
    "%I:%M:%S.%f %p",
    "%I:%M%p",
    "%H.%M",
    "%H.%M.%S",
    "%H:%M:%S %z",
    "%H:%M:%S%z",
    "%H:%M UTC",
    "%H:%M:%S UTC",
    "%H:%M:%S.%f UTC",
    "%H%M",
    "%H%M%S",
)
_DIRECTIVES = {
    "Y": r"\d{4}",
    "y": r"\d{2}",
    "m": r"(?:1[0-2]|0?[1-9])",
    "d": r"(?:3[01]|[12]\d|0?[1-9])",
    "b": "(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)",
    "B": "(?:january|february|march|april|may|june|july|august|september|october|november|december)",
    "a": "(?:mon|tue|wed|thu|fri|sat|sun)",
    "H": r"(?:2[0-3]|[01]?\d)",
    "I": r"(?:1[0-2]|0?[1-9])",
    "M": r"[0-5]\d",
    "S": r"[0-5]\d",
    "f": r"\d{1,6}",
    "p": "[ap]m",
    "z": r"(?:[+-]\d\d:?\d\d|Z)",
}


class TimeForm(msgspec.Struct, frozen=True):
    """The form of the times of a file.

    Attributes:
        format: `unix`, `iso8601` or `custom`.
        pattern: of a custom format, for `strptime`.
        unit: of Unix times.
        timezone: of times that name none.
        ambiguous: treatment of a time that the clock showed twice: `reject`, `earlier` or `later`.
    """

    format: str
    pattern: str | None = None
    unit: str = "s"
    timezone: str = "UTC"
    ambiguous: str = "reject"

    def reader(self, numbers: NumberReader) -> Callable[[str], float | RowFault]:
        """A function from a cell to Unix seconds or a fault; to the microsecond, but for Unix times."""
        if self.format == UNIX:
            return _UnixTimes(self.unit, numbers).read
        return _CalendarTimes(self).read


def from_nanoseconds(nanoseconds: int) -> float:
    """Nanoseconds as seconds, rounded as `ColumnReader` does."""
    seconds, rest = divmod(nanoseconds, 10**9)
    return float(seconds) + rest / 1e9


class _UnixTimes:
    def __init__(self, unit: str, numbers: NumberReader) -> None:
        self._unit = unit
        self._per_second = UNITS[unit]
        self._numbers = numbers

    def read(self, cell: str) -> float | RowFault:
        number = self._numbers.read(cell)
        if not isinstance(number, float):
            return _unreadable(f"{cell[:80]!a} is no number of {self._unit}")
        digits = self._numbers.plain(cell.strip())
        if self._unit == "ns" and digits.lstrip("+-").isdigit():
            return from_nanoseconds(int(digits))
        return number / self._per_second


class _CalendarTimes:
    def __init__(self, form: TimeForm) -> None:
        self._pattern = form.pattern
        self._zone = UTC if form.timezone == "UTC" else ZoneInfo(form.timezone)
        self._zone_name = form.timezone
        self._ambiguous = form.ambiguous

    def read(self, cell: str) -> float | RowFault:
        try:
            if self._pattern is None:
                time = datetime.fromisoformat(cell.strip())
            else:
                time = datetime.strptime(cell.strip(), self._pattern)  # noqa: DTZ007 - its zone follows
        except ValueError:
            form = "ISO 8601" if self._pattern is None else f"the form {self._pattern}"
            return _unreadable(f"{cell[:80]!a} is no time of {form}")
        if time.tzinfo is None:
            placed = self._placed(time)
            if isinstance(placed, RowFault):
                return placed
            time = placed
        try:
            return (time - _EPOCH) // _MICROSECOND / 1e6
        except OverflowError:
            return _unreadable(f"{cell[:80]!a} is beyond the years 1 to 9999")

    def _placed(self, time: datetime) -> datetime | RowFault:
        """A local time in its zone; a fault if the clock showed it twice, or never."""
        earlier, later = (time.replace(tzinfo=self._zone, fold=fold) for fold in (0, 1))
        if earlier.utcoffset() == later.utcoffset():
            return earlier
        if earlier.astimezone(UTC).astimezone(self._zone).replace(tzinfo=None) != time:
            message = f"{time} did not exist in {self._zone_name}: the clock was put forward past it"
            return RowFault(RowFaultCode.NONEXISTENT_TIME, None, message)
        if self._ambiguous == "reject":
            message = (
                f"{time} existed twice in {self._zone_name}, when the clock was put back; send times with their "
                'offset, or say {"ambiguous_times": "earlier"} or "later"'
            )
            return RowFault(RowFaultCode.AMBIGUOUS_TIME, None, message)
        return earlier if self._ambiguous == "earlier" else later


def looks_like_times(cells: Sequence[str], numbers: NumberReader) -> bool:
    """Tell whether most cells are times that are no plain numbers."""
    tried = cells[:LOOKED_AT_ROWS]
    if not tried or sum(numbers.is_number(cell) for cell in tried) > MOST * len(tried):
        return False
    return share(tried, _is_iso) > MOST or any(
        share_of_pattern(tried, pattern) > MOST for pattern, _ in _all_patterns(tried)
    )


def are_compact_times(cells: Sequence[str]) -> bool:
    """Tell whether most cells are times of equally many digits, such as 20240131 or 202401312359."""
    return compact_pattern(cells) is not None


def compact_pattern(cells: Sequence[str]) -> str | None:
    """The pattern of times in digits alone; None if most cells are no such times."""
    tried = [cell.strip() for cell in cells[:LOOKED_AT_ROWS]]
    lengths = {len(cell) for cell in tried if _COMPACT.fullmatch(cell)}
    if len(lengths) != 1 or share(tried, lambda cell: _COMPACT.fullmatch(cell) is not None) <= MOST:
        return None
    return _COMPACT_PATTERNS[lengths.pop()]


def are_years(cells: Sequence[str]) -> bool:
    """Tell whether the first cells are all years, such as 1987."""
    return bool(cells) and all(_YEAR.fullmatch(cell.strip()) for cell in cells[:LOOKED_AT_ROWS])


def looks_like_clock(cells: Sequence[str]) -> bool:
    """Tell whether most cells are times of day."""
    tried = cells[:LOOKED_AT_ROWS]
    # Plain numbers count only in four digits or six: 100 may be ten o'clock or one.
    if any(cell.strip().isdigit() and len(cell.strip()) not in {4, 6} for cell in tried):
        return False
    return any(share(tried, _matches(clock)) > MOST for _, clock in _clocks())


def share_of_pattern(cells: Sequence[str], pattern: str) -> float:
    """The share of the cells that a pattern of `strptime` reads, from 0 to 1."""
    return share(cells, lambda cell: _strptime(cell, pattern) is not None)


def form_of(cells: Sequence[str], column: str, numbers: NumberReader) -> tuple[str, str | None, str | None]:
    """Format, pattern and unit of the times in cells that are not empty.

    Raises:
        NotReadableError: they are no times, or ambiguous.
    """
    tried = cells[:LOOKED_AT_ROWS]
    compact = compact_pattern(tried) or ("%Y" if are_years(tried) else None)
    if compact is not None:
        return CUSTOM, compact, None
    if share(tried, numbers.is_number) > MOST:
        return UNIX, None, _unit_of([n for n in map(numbers.read, tried) if isinstance(n, float)], column)
    if share(tried, _is_iso) > MOST:
        return ISO8601, None, None
    fitting = [(pattern, order) for pattern, order in _all_patterns(tried) if share_of_pattern(tried, pattern) > MOST]
    if not fitting:
        example = tried[0] if tried else ""
        message = (
            f"the times of column {column!a} are of no known form: {example!a}; say timestamp_format custom and a "
            "timestamp_pattern such as %d.%m.%Y %H:%M, another timestamp_column, or none ([]) to have rows counted"
        )
        raise NotReadableError(JobFault.UNREADABLE_TIMES, message)
    by_order = {order: pattern for pattern, order in reversed(fitting)}
    if _DAY_FIRST in by_order and _MONTH_FIRST in by_order:
        return CUSTOM, _decided(cells, column, by_order[_DAY_FIRST], by_order[_MONTH_FIRST]), None
    return CUSTOM, max(fitting, key=lambda fit: share_of_pattern(tried, fit[0]))[0], None


def _decided(cells: Sequence[str], column: str, day_first: str, month_first: str) -> str:
    """The one of two patterns without which some cell could not be read."""
    only_day_first = only_month_first = False
    for cell in cells:
        by_day, by_month = _strptime(cell, day_first), _strptime(cell, month_first)
        only_day_first |= by_day is not None and by_month is None
        only_month_first |= by_month is not None and by_day is None
    if only_day_first != only_month_first:
        return day_first if only_day_first else month_first
    shown = next(cell for cell in cells if _strptime(cell, day_first) and _strptime(cell, month_first))
    readings = [
        f"{time:%-d %B %Y} (timestamp_pattern {pattern})"
        for pattern in (day_first, month_first)
        if (time := _strptime(shown, pattern))
    ]
    decides = "rows of both kinds are there" if only_day_first else "no day of the first rows decides it"
    message = f"{shown.strip()!a} in column {column!a} can be {' or '.join(readings)}, and {decides}; say which"
    raise NotReadableError(JobFault.AMBIGUOUS_DATES, message)


def _unit_of(numbers: Sequence[float], column: str) -> str:
    lowest, highest = _PLAUSIBLE_SECONDS
    middle = sorted(numbers)[len(numbers) // 2]
    for unit, per_second in UNITS.items():
        if lowest <= middle / per_second <= highest:
            return unit
    for unit, names in _UNIT_NAMES.items():
        if names.search(column.lower()):
            return unit
    shown = ", ".join(f"{number:g}" for number in numbers[:3])
    message = (
        f"the numbers of column {column!a} ({shown}, …) are no Unix times of this age: they can be a timer that counts "
        's, ms, us or ns (say {"timestamp_unit": "ms"} or another), or times of a form (say timestamp_pattern); '
        '{"timestamp_column": []} has rows counted'
    )
    raise NotReadableError(JobFault.AMBIGUOUS_UNIT, message)


_UNIT_NAMES = {
    "ms": re.compile(r"(?:^|[^a-z])ms(?:ecs?)?(?:$|[^a-z])|milli"),
    "us": re.compile(r"(?:^|[^a-z])(?:us|usecs?|µs)(?:$|[^a-z])|micro"),
    "ns": re.compile(r"(?:^|[^a-z])(?:ns|nsecs?)(?:$|[^a-z])|nano"),
    "s": re.compile(r"(?:^|[^a-z])(?:s|secs?|seconds?|segundos?)(?:$|[^a-z])|unix|epoch"),
}


def _all_patterns(cells: Sequence[str]) -> list[tuple[str, str]]:
    """The patterns that read one of the first cells, since the very first may be damaged."""
    return list(dict.fromkeys(itertools.chain.from_iterable(_patterns(cell) for cell in cells[:_TRIED_PATTERNS])))


def _patterns(cell: str) -> Iterator[tuple[str, str]]:
    """The patterns of dates, alone or with a time of day, that read a cell, each with its order.

    By expressions of our own: `strptime` compiles its own anew for all but the last few patterns.
    """
    text = cell.strip()
    for date, order, date_expression in _dates():
        found = date_expression.match(text)
        if found is None:
            continue
        rest = text[found.end() :]
        if not rest:
            yield date, order
        elif rest[0] == " ":
            for clock, clock_expression in _clocks():
                if clock_expression.fullmatch(rest[1:]):
                    yield f"{date} {clock}", order


@cache
def _dates() -> tuple[tuple[str, str, re.Pattern[str]], ...]:
    forms = [("%Y%m%d", _NAMED), ("%Y-%m", _NAMED), ("%Y/%m", _NAMED), ("%m/%Y", _NAMED)]
    for sign in ("/", ".", "-", " "):
        forms.append((f"%Y{sign}%m{sign}%d", _NAMED))
        for year in ("%Y", "%y"):
            forms += [(f"%d{sign}%m{sign}{year}", _DAY_FIRST), (f"%m{sign}%d{sign}{year}", _MONTH_FIRST)]
    for month in ("%b", "%B"):
        for year in ("%Y", "%y"):
            named = (
                f"{month} %d {year}",
                f"{month} %d, {year}",
                f"%d {month} {year}",
                f"%d-{month}-{year}",
                f"%d/{month}/{year}",
            )
            forms += [(form, _NAMED) for form in named]
        forms += [(form, _NAMED) for form in (f"%a %d {month} %Y", f"%a, %d {month} %Y", f"{month} %Y", f"{month}-%Y")]
    return tuple((form, order, _expression(form)) for form, order in forms)


@cache
def _clocks() -> tuple[tuple[str, re.Pattern[str]], ...]:
    return tuple((clock, _expression(clock)) for clock in _CLOCKS)


def _expression(pattern: str) -> re.Pattern[str]:
    return re.compile(re.sub(r"%(\w)|(\W)", _piece, pattern), re.IGNORECASE)


def _piece(found: re.Match[str]) -> str:
    return _DIRECTIVES[found[1]] if found[1] else re.escape(found[2])


def _strptime(cell: str, pattern: str) -> datetime | None:
    try:
        return datetime.strptime(cell.strip(), pattern)  # noqa: DTZ007 - only to see if it can be read
    except ValueError:
        return None


def _is_iso(cell: str) -> bool:
    try:
        datetime.fromisoformat(cell.strip())
    except ValueError:
        return False
    return True


def _matches(expression: re.Pattern[str]) -> Callable[[str], bool]:
    return lambda cell: expression.fullmatch(cell.strip()) is not None


def _unreadable(message: str) -> RowFault:
    return RowFault(RowFaultCode.UNREADABLE_TIME, None, message)
