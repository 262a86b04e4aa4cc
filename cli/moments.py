"""Moments that people write on a command line."""

import re
from datetime import UTC, datetime, timedelta

import typer

_AGO = re.compile(r"(\d+)\s*([smhdw])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def parse_moment(text: str, now: datetime) -> datetime:
    """Read `10m` (that long before `now`), or an ISO 8601 date or time, in UTC where it names no zone.

    Raises:
        ValueError: it is neither.
    """
    ago = _AGO.fullmatch(text.strip())
    if ago:
        return now - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def since_option(text: str) -> datetime:
    """`parse_moment` as the parser of an option."""
    try:
        return parse_moment(text, datetime.now(UTC))
    except ValueError:
        raise typer.BadParameter(f"'{text}' is neither a span such as 10m, 2h or 1d nor an ISO 8601 time") from None
