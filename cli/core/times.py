"""Moments that people write on a command line, and that they are shown."""

import re
from datetime import UTC, datetime, timedelta

import typer

_SPAN = re.compile(r"(\d+)\s*([smhdw])")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def parse_span(text: str) -> timedelta | None:
    """Read `30s`, `10m`, `2h`, `1d` or `1w`; None for anything else."""
    span = _SPAN.fullmatch(text.strip())
    return timedelta(**{_UNITS[span[2]]: int(span[1])}) if span else None


def parse_time(text: str) -> datetime:
    """Read an ISO 8601 date or time, in UTC where it names no zone.

    Raises:
        ValueError: it is none.
    """
    read = datetime.fromisoformat(text)
    return read if read.tzinfo else read.replace(tzinfo=UTC)


def since_option(text: str) -> datetime:
    """As the parser of an option: so long ago, or a time."""
    return _read_moment(text, -1)


def until_option(text: str) -> datetime:
    """As the parser of an option: so long from now, or a time."""
    return _read_moment(text, 1)


def span_option(text: str) -> float:
    """As the parser of an option: so long, in seconds."""
    # A default comes as it is.
    if isinstance(text, float):
        return text
    try:
        span = parse_span(text)
    except OverflowError:
        span = None
    if span is None:
        raise typer.BadParameter(f"'{text}' is no span such as 10m, 2h or 7d")
    return span.total_seconds()


def iso_time(timestamp: float) -> str:
    """A time in ISO 8601, in UTC.

    Args:
        timestamp: in Unix seconds.
    """
    return (_EPOCH + timedelta(seconds=timestamp)).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _read_moment(text: str, direction: int) -> datetime:
    try:
        span = parse_span(text)
        return datetime.now(UTC) + direction * span if span is not None else parse_time(text)
    except (ValueError, OverflowError):
        raise typer.BadParameter(f"'{text}' is neither a span such as 10m, 2h or 1d nor an ISO 8601 time") from None
