"""Moments on a command line."""

from datetime import UTC, datetime, timedelta

import pytest
import typer

from cli.core.times import parse_span, parse_time, since_option, until_option


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("30s", timedelta(seconds=30)),
        ("10m", timedelta(minutes=10)),
        (" 2 h ", timedelta(hours=2)),
        ("1d", timedelta(days=1)),
        ("2w", timedelta(weeks=2)),
        ("2", None),
        ("-2h", None),
        ("2y", None),
    ],
)
def test_spans(text: str, span: timedelta | None) -> None:
    assert parse_span(text) == span


def test_a_time_without_a_zone_is_in_utc() -> None:
    assert parse_time("2024-05-01") == datetime(2024, 5, 1, tzinfo=UTC)
    assert parse_time("2024-05-01T02:00+02:00") == datetime(2024, 5, 1, tzinfo=UTC)


def test_a_span_is_back_from_now_or_on_from_now() -> None:
    now = datetime.now(UTC)
    assert timedelta(0) <= since_option("1h") - (now - timedelta(hours=1)) < timedelta(minutes=1)
    assert timedelta(0) <= until_option("1h") - (now + timedelta(hours=1)) < timedelta(minutes=1)


def test_a_time_is_itself_in_both_directions() -> None:
    assert since_option("2024-05-01") == until_option("2024-05-01") == datetime(2024, 5, 1, tzinfo=UTC)


@pytest.mark.parametrize("text", ["yesterday", "", "999999999999w"])
def test_anything_else_is_wrong_usage(text: str) -> None:
    with pytest.raises(typer.BadParameter, match="neither a span"):
        since_option(text)
