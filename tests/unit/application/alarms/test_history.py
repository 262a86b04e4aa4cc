"""Alarms in pages: the caller's own, each once, none left out, and no sign of those of others."""

from collections.abc import Iterator, Sequence

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from afluente.adapters.memory.alarms import MemoryAlarmLog
from afluente.application.access.grants import Action, Grant
from afluente.application.alarms.history import AlarmQuery, Place, ReportedAlarm, reported_alarms
from afluente.domain.alarms import AlarmChange
from tests.factories import NOW, a_grant, an_alarm_event

START_MS = int(NOW * 1000)
EVERYTHING = AlarmQuery(since=NOW, until=NOW + 3600)


def an_alarm(number: int = 0, at_ms: int = 0, **fields: object) -> ReportedAlarm:
    """An alarm that was reported so many milliseconds after NOW; another for each number."""
    return ReportedAlarm(START_MS + at_ms, an_alarm_event(timestamp=NOW + number, **fields))


def a_log(*reported: ReportedAlarm, page: int = 3) -> MemoryAlarmLog:
    log = MemoryAlarmLog(page=page)
    log.report(*reported)
    return log


def all_pages(log: MemoryAlarmLog, query: AlarmQuery, grant: Grant) -> list[list[float]]:
    """The times of the data of all alarms, page by page."""
    pages, place = [], query.place
    while True:
        page = reported_alarms(log, msgspec.structs.replace(query, place=place), grant)
        pages.append([reported.event.timestamp - NOW for reported in page.alarms])
        place = page.place
        if place is None:
            return pages


def test_alarms_come_in_pages_the_oldest_report_first() -> None:
    log = a_log(*(an_alarm(number, 700 * number) for number in range(5)))

    query = msgspec.structs.replace(EVERYTHING, limit=2)
    assert all_pages(log, query, a_grant()) == [[0, 1], [2, 3], [4]]
    assert all_pages(log, msgspec.structs.replace(EVERYTHING, limit=5), a_grant()) == [[0, 1, 2, 3, 4]]


def test_where_there_are_none_there_is_one_empty_page() -> None:
    assert all_pages(a_log(), EVERYTHING, a_grant()) == [[]]


def test_only_what_was_reported_in_time_is_told() -> None:
    log = a_log(*(an_alarm(number, at) for number, at in enumerate((-1, 0, 1999, 2000))))

    assert all_pages(log, AlarmQuery(since=NOW, until=NOW + 2), a_grant()) == [[1, 2]]


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({"domain": "iot"}, [0, 1, 2]),
        ({"domain": "health"}, [3]),
        ({"source_id": "oven-1"}, [1, 3]),
        ({"stream_id": "pressure"}, [2]),
        ({"state": AlarmChange.CLEARED}, [1]),
        ({"key": "iot/furnace-*"}, [0, 2]),
        ({"key": "*/pressure"}, [2]),
        ({"key": "iot"}, []),
        ({"domain": "iot", "source_id": "oven-1", "state": AlarmChange.RAISED}, []),
    ],
)
def test_what_is_asked_for_is_told_alone(asked: dict[str, object], told: list[float]) -> None:
    log = a_log(
        an_alarm(0),
        an_alarm(1, source_id="oven-1", state=AlarmChange.CLEARED),
        an_alarm(2, stream_id="pressure"),
        an_alarm(3, domain="health", source_id="oven-1"),
    )

    assert all_pages(log, msgspec.structs.replace(EVERYTHING, **asked), a_grant()) == [told]


def test_a_repeated_report_is_told_once_and_another_alarm_is_not_taken_for_it() -> None:
    log = a_log(an_alarm(0, 1), an_alarm(0, 2), an_alarm(0, 3, state=AlarmChange.CLEARED), an_alarm(1, 4))

    assert all_pages(log, EVERYTHING, a_grant()) == [[0, 0, 1]]


@pytest.mark.parametrize(
    ("scope", "told"),
    [
        ({"sources": ("acme-*",)}, [0, 2]),
        ({"sources": ("zeta-*",)}, [1, 3]),
        ({"domains": ("health",)}, []),
        ({"actions": (Action.JOBS,)}, []),
    ],
)
def test_a_caller_is_told_of_what_it_reaches_alone(scope: dict[str, object], told: list[float]) -> None:
    log = a_log(*(an_alarm(number, source_id=source) for number, source in enumerate(("acme-1", "zeta-1") * 2)))

    assert all_pages(log, EVERYTHING, a_grant(**scope)) == [told]


@pytest.mark.parametrize(
    ("asked", "missing"),
    [
        ({}, None),
        ({"domain": "iot"}, None),
        ({"domain": "health"}, "domain:health"),
        ({"source_id": "acme-1"}, None),
        ({"source_id": "zeta-1"}, "source:zeta-1"),
        ({"domain": "health", "source_id": "zeta-1"}, "domain:health"),
        # What is no name is looked for, and found where it is reached.
        ({"key": "health/*"}, None),
    ],
)
def test_what_is_asked_for_by_name_and_out_of_reach_is_told_as_missing(
    asked: dict[str, object], missing: str | None
) -> None:
    query = msgspec.structs.replace(EVERYTHING, **asked)

    assert query.missing(a_grant(domains=("iot",), sources=("acme-*",))) == missing
    assert query.missing(a_grant(actions=(Action.INGEST,))) == "action:alarms"


def test_a_place_is_of_no_use_to_another_key() -> None:
    reported = [an_alarm(number, 100 * number, source_id=f"{'az'[number % 2]}-1") for number in range(12)]
    log, query = a_log(*reported), msgspec.structs.replace(EVERYTHING, limit=2)
    place = reported_alarms(log, query, a_grant(sources=("a-*",))).place
    assert place is not None

    page = reported_alarms(log, msgspec.structs.replace(query, place=place), a_grant(sources=("z-*",)))

    assert {reported.event.source_id for reported in page.alarms} == {"z-1"}


def test_a_page_that_would_take_too_many_looks_is_given_back_with_the_place_to_go_on_from() -> None:
    others = [an_alarm(number, 400 * number, source_id="zeta-1") for number in range(95)]
    log = a_log(*others, an_alarm(95, 400 * 95, source_id="acme-1"), page=1)

    pages = all_pages(log, EVERYTHING, a_grant(sources=("acme-*",)))

    assert pages[-1] == [95]
    assert len(pages) > 5
    assert not any(pages[:-1])


def test_a_second_with_very_many_is_read_to_its_end() -> None:
    log = a_log(*(an_alarm(number, number, source_id="zeta-1") for number in range(900)), an_alarm(900, 900), page=1)

    assert all_pages(log, EVERYTHING, a_grant(sources=("furnace-*",)))[-1] == [900]


class EmptyPages:
    """A log that has nothing to say for a long time, as CloudWatch Logs may."""

    def pages(self, since_ms: int, until_ms: int) -> Iterator[Sequence[ReportedAlarm]]:
        assert since_ms < until_ms
        for _ in range(50):
            yield ()
        yield (an_alarm(7, 10),)


def test_empty_looks_are_gone_through() -> None:
    page = reported_alarms(EmptyPages(), EVERYTHING, a_grant())

    assert [reported.event.timestamp - NOW for reported in page.alarms] == [7]
    assert page.place is None


def test_a_place_counts_those_of_its_second_alone() -> None:
    log = a_log(*(an_alarm(number, 250 * number) for number in range(8)))

    page = reported_alarms(log, msgspec.structs.replace(EVERYTHING, limit=6), a_grant())

    assert page.place == Place(int(NOW) + 1, 2)


REPORTS = st.lists(st.tuples(st.integers(0, 4_000), st.sampled_from(("acme-1", "acme-2", "zeta-1"))), max_size=40).map(
    lambda reports: [an_alarm(number, at, source_id=source) for number, (at, source) in enumerate(reports)]
)


@given(REPORTS, st.integers(1, 7), st.integers(1, 5))
def test_all_pages_together_have_each_alarm_of_the_caller_once(
    reports: list[ReportedAlarm], limit: int, page: int
) -> None:
    log, query = a_log(*reports, page=page), msgspec.structs.replace(EVERYTHING, limit=limit)
    own = sorted(reported.event.timestamp - NOW for reported in reports if reported.event.source_id.startswith("acme-"))

    pages = all_pages(log, query, a_grant(sources=("acme-*",)))

    assert sorted(told for page_of_them in pages for told in page_of_them) == own
    assert all(len(told) <= limit for told in pages)


@given(REPORTS, REPORTS, st.integers(1, 7))
def test_what_others_report_within_a_few_looks_changes_nothing_of_what_is_told(
    own: list[ReportedAlarm], others: list[ReportedAlarm], limit: int
) -> None:
    mine = [msgspec.structs.replace(its, event=msgspec.structs.replace(its.event, source_id="acme-1")) for its in own]
    foreign = [
        msgspec.structs.replace(its, event=msgspec.structs.replace(its.event, source_id="zeta-1")) for its in others
    ]
    query, grant = msgspec.structs.replace(EVERYTHING, limit=limit), a_grant(sources=("acme-*",))

    alone = reported_alarms(a_log(*mine, page=100), query, grant)
    among_others = reported_alarms(a_log(*mine, *foreign, page=100), query, grant)

    assert alone == among_others
