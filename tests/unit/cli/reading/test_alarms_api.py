"""Alarms as the API tells them: all pages, and with `--follow` what comes."""

from collections.abc import Sequence
from typing import Any

import msgspec

from afluente.adapters.http.alarms import Alarm, AlarmList
from afluente.domain.alarms import AlarmEvent
from cli.core.api import Query
from cli.reading.alarms_api import LATENESS_SECONDS, alarms_by_api, as_published
from tests.factories import NOW, an_alarm_event


class Service:
    """Gives its pages in turn, and keeps what it was asked."""

    def __init__(self, *pages: tuple[Sequence[int], str | None]) -> None:
        self.pages = list(pages)
        self.asked: list[dict[str, Any]] = []

    def ask(self, method: str, path: str, _what: str, kind: type[AlarmList], query: Query) -> AlarmList:
        assert (method, path, kind) == ("GET", "/alarms", AlarmList)
        self.asked.append({name: value for name, value in (query.fields or {}).items() if value is not None})
        numbers, following = self.pages.pop(0)
        return AlarmList([an_alarm(number) for number in numbers], following)


def an_alarm(number: int) -> Alarm:
    """Reported so many seconds after NOW."""
    return Alarm(**msgspec.structs.asdict(an_event(number)), reported_at=NOW + number)


def an_event(number: int) -> AlarmEvent:
    return an_alarm_event(timestamp=NOW - 3600 + number)


def test_all_pages_are_read() -> None:
    service = Service(([1, 2], "1700000002-1"), ([3], None))

    found = list(alarms_by_api(service, key="iot/*", since=NOW, follow=False, clock=lambda: NOW + 60))  # type: ignore[arg-type] # a stand-in

    assert found == [an_event(1), an_event(2), an_event(3)]
    first, second = service.asked
    assert (first["key"], first["since"], "next" in first) == ("iot/*", f"{NOW:.3f}", False)
    # A little ahead, since this machine's clock may be behind.
    assert float(first["until"]) == NOW + 60 + LATENESS_SECONDS
    assert second == first | {"next": "1700000002-1"}


def test_who_follows_asks_again_from_a_little_before_the_newest() -> None:
    service = Service(([100], None), ([], None), ([100, 105], None))
    events = alarms_by_api(service, key=None, since=NOW, follow=True, sleep=lambda _: None, clock=lambda: NOW)  # type: ignore[arg-type] # a stand-in

    found = [next(events) for _ in range(3)]

    assert found == [an_event(100), an_event(100), an_event(105)]
    assert [float(asked["since"]) - NOW for asked in service.asked] == [0, 70, 70]


def test_an_event_is_written_as_it_was_published() -> None:
    event = an_event(1)

    assert msgspec.json.decode(as_published(event), type=AlarmEvent) == event
    assert "reported_at" not in as_published(event)
