"""Reading logs: each line once, however the answers are cut."""

from collections.abc import Callable
from typing import Any, cast

import pytest

from cli.reading import log_events
from cli.reading.log_events import LogEvent, read


class FakeLogs:
    """A log group that answers in pages, with tokens and ids as AWS does, or without as the emulator does."""

    def __init__(self, events: list[tuple[int, str]], *, page: int = 10_000, like_aws: bool = True) -> None:
        self.events = events
        self._page = page
        self._like_aws = like_aws

    def filter_log_events(self, **arguments: Any) -> dict[str, Any]:
        assert arguments["logGroupName"] == "group"
        found = [
            {"timestamp": timestamp, "message": message, "logStreamName": "s", "eventId": str(index)}
            for index, (timestamp, message) in enumerate(self.events)
            if timestamp >= arguments["startTime"]
        ]
        begin = int(arguments.get("nextToken", "0"))
        end = begin + self._page
        if not self._like_aws:
            return {"events": [{key: event[key] for key in event if key != "eventId"} for event in found[:end]]}
        return {"events": found[begin:end]} | ({"nextToken": str(end)} if end < len(found) else {})


def lines(logs: FakeLogs, since_ms: int = 0) -> list[str]:
    return [event.message for event in read(cast("Any", logs), "group", since_ms=since_ms, follow=False)]


EVENTS = [(1, "a\n"), (2, "b"), (2, "b"), (2, "c"), (3, "d")]


@pytest.mark.parametrize("like_aws", [True, False])
def test_all_lines_come_in_order_also_equal_ones(like_aws: bool) -> None:
    assert lines(FakeLogs(EVENTS, like_aws=like_aws)) == ["a", "b", "b", "c", "d"]


def test_lines_before_the_beginning_do_not_come() -> None:
    assert lines(FakeLogs(EVENTS), since_ms=3) == ["d"]


def test_pages_are_followed() -> None:
    assert lines(FakeLogs(EVENTS, page=2)) == ["a", "b", "b", "c", "d"]


def test_answers_that_are_cut_without_a_token_are_continued(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_events, "_PAGE", 4)
    assert lines(FakeLogs(EVENTS, page=4, like_aws=False)) == ["a", "b", "b", "c", "d"]


@pytest.mark.parametrize("like_aws", [True, False])
def test_following_gives_what_is_new_and_nothing_twice(like_aws: bool) -> None:
    logs = FakeLogs([(100_000, "a")], like_aws=like_aws)
    batches: list[list[tuple[int, str]]] = [[(100_001, "b")], [], [(95_000, "late"), (100_002, "c")]]
    events = read(cast("Any", logs), "group", since_ms=0, follow=True, sleep=adding(logs, batches))
    assert [next(events) for _ in range(4)] == [
        LogEvent(100_000, "a"),
        LogEvent(100_001, "b"),
        LogEvent(95_000, "late"),
        LogEvent(100_002, "c"),
    ]


def adding(logs: FakeLogs, batches: list[list[tuple[int, str]]]) -> Callable[[float], None]:
    def sleep(_: float) -> None:
        logs.events += batches.pop(0)

    return sleep
