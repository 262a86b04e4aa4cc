"""Pages of alarms: each of the caller's own once, and no sign of those of other callers."""

from collections.abc import Iterator, Sequence

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from afluente.adapters.memory.alarms import MemoryAlarmLog
from afluente.application.access.grants import Action, Grant
from afluente.application.alarms.history import AlarmQuery, Cursor, list_alarms
from afluente.application.alarms.ports import ReportedAlarm
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
    pages, cursor = [], query.cursor
    while True:
        page = list_alarms(log, msgspec.structs.replace(query, cursor=cursor), grant)
        pages.append([reported.event.timestamp - NOW for reported in page.alarms])
        cursor = page.cursor
        if cursor is None:
            return pages


def test_alarms_come_in_pages_the_oldest_report_first() -> None:
    log = a_log(*(an_alarm(number, 700 * number) for number in range(5)))

    query = msgspec.structs.replace(EVERYTHING, limit=2)
    assert all_pages(log, query, a_grant()) == [[0, 1], [2, 3], [4]]
    assert all_pages(log, msgspec.structs.replace(EVERYTHING, limit=5), a_grant()) == [[0, 1, 2, 3, 4]]


def test_an_empty_log_has_one_empty_page() -> None:
    assert all_pages(a_log(), EVERYTHING, a_grant()) == [[]]


def test_alarms_are_listed_by_the_time_of_their_reports() -> None:
    log = a_log(*(an_alarm(number, at) for number, at in enumerate((-1, 0, 1999, 2000))))

    assert all_pages(log, AlarmQuery(since=NOW, until=NOW + 2), a_grant()) == [[1, 2]]


@pytest.mark.parametrize(
    ("fields", "listed"),
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
def test_a_query_selects_alarms_by_their_fields(fields: dict[str, object], listed: list[float]) -> None:
    log = a_log(
        an_alarm(0),
        an_alarm(1, source_id="oven-1", state=AlarmChange.CLEARED),
        an_alarm(2, stream_id="pressure"),
        an_alarm(3, domain="health", source_id="oven-1"),
    )

    assert all_pages(log, msgspec.structs.replace(EVERYTHING, **fields), a_grant()) == [listed]


def test_a_repeated_report_is_listed_once_and_another_alarm_beside_it() -> None:
    log = a_log(an_alarm(0, 1), an_alarm(0, 2), an_alarm(0, 3, state=AlarmChange.CLEARED), an_alarm(1, 4))

    assert all_pages(log, EVERYTHING, a_grant()) == [[0, 0, 1]]


def test_events_of_one_alarm_are_listed_once_and_in_the_order_of_its_transitions() -> None:
    events = [an_alarm(transition, at_ms, transition=transition) for at_ms, transition in enumerate((1, 3, 3, 2, 1))]
    log = a_log(*events, an_alarm(7, 2, transition=1, alarm_id="another"))

    assert all_pages(log, EVERYTHING, a_grant()) == [[1, 2, 7, 3]]


@pytest.mark.parametrize(
    ("scope", "listed"),
    [
        ({"sources": ("acme-*",)}, [0, 2]),
        ({"sources": ("zeta-*",)}, [1, 3]),
        ({"domains": ("health",)}, []),
        ({"actions": (Action.JOBS,)}, []),
    ],
)
def test_alarms_are_listed_within_the_reach_of_the_caller(scope: dict[str, object], listed: list[float]) -> None:
    log = a_log(*(an_alarm(number, source_id=source) for number, source in enumerate(("acme-1", "zeta-1") * 2)))

    assert all_pages(log, EVERYTHING, a_grant(**scope)) == [listed]


@pytest.mark.parametrize(
    ("asked", "missing"),
    [
        ({}, None),
        ({"domain": "iot"}, None),
        ({"domain": "health"}, "domain:health"),
        ({"source_id": "acme-1"}, None),
        ({"source_id": "zeta-1"}, "source:zeta-1"),
        ({"domain": "health", "source_id": "zeta-1"}, "domain:health"),
        # A pattern is no name: it selects what is within reach.
        ({"key": "health/*"}, None),
    ],
)
def test_a_named_domain_or_source_out_of_reach_is_missing(asked: dict[str, object], missing: str | None) -> None:
    query = msgspec.structs.replace(EVERYTHING, **asked)

    assert query.missing(a_grant(domains=("iot",), sources=("acme-*",))) == missing
    assert query.missing(a_grant(actions=(Action.INGEST,))) == "action:alarms"


def test_a_cursor_with_another_key_selects_alarms_of_that_key() -> None:
    reported = [an_alarm(number, 100 * number, source_id=f"{'az'[number % 2]}-1") for number in range(12)]
    log, query = a_log(*reported), msgspec.structs.replace(EVERYTHING, limit=2)
    cursor = list_alarms(log, query, a_grant(sources=("a-*",))).cursor
    assert cursor is not None

    page = list_alarms(log, msgspec.structs.replace(query, cursor=cursor), a_grant(sources=("z-*",)))

    assert {reported.event.source_id for reported in page.alarms} == {"z-1"}


def test_a_page_that_needs_too_many_reads_is_returned_with_a_cursor() -> None:
    others = [an_alarm(number, 400 * number, source_id="zeta-1") for number in range(95)]
    log = a_log(*others, an_alarm(95, 400 * 95, source_id="acme-1"), page=1)

    pages = all_pages(log, EVERYTHING, a_grant(sources=("acme-*",)))

    assert pages[-1] == [95]
    assert len(pages) > 5
    assert not any(pages[:-1])


def test_the_first_second_is_read_to_its_end() -> None:
    log = a_log(*(an_alarm(number, number, source_id="zeta-1") for number in range(900)), an_alarm(900, 900), page=1)

    assert all_pages(log, EVERYTHING, a_grant(sources=("furnace-*",)))[-1] == [900]


class EmptyPages:
    """A log with many empty pages before the first alarm, as of CloudWatch Logs."""

    def pages(self, since_ms: int, until_ms: int) -> Iterator[Sequence[ReportedAlarm]]:
        assert since_ms < until_ms
        for _ in range(50):
            yield ()
        yield (an_alarm(7, 10),)


def test_empty_pages_of_the_log_are_passed_over() -> None:
    page = list_alarms(EmptyPages(), EVERYTHING, a_grant())

    assert [reported.event.timestamp - NOW for reported in page.alarms] == [7]
    assert page.cursor is None


def test_a_cursor_counts_the_alarms_of_its_second() -> None:
    log = a_log(*(an_alarm(number, 250 * number) for number in range(8)))

    page = list_alarms(log, msgspec.structs.replace(EVERYTHING, limit=6), a_grant())

    assert page.cursor == Cursor(int(NOW) + 1, 2)


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

    assert sorted(alarm for page_of_them in pages for alarm in page_of_them) == own
    assert all(len(one) <= limit for one in pages)


@given(REPORTS, REPORTS, st.integers(1, 7))
def test_alarms_of_others_do_not_change_the_page(
    own: list[ReportedAlarm], others: list[ReportedAlarm], limit: int
) -> None:
    mine = [msgspec.structs.replace(its, event=msgspec.structs.replace(its.event, source_id="acme-1")) for its in own]
    foreign = [
        msgspec.structs.replace(its, event=msgspec.structs.replace(its.event, source_id="zeta-1")) for its in others
    ]
    query, grant = msgspec.structs.replace(EVERYTHING, limit=limit), a_grant(sources=("acme-*",))

    alone = list_alarms(a_log(*mine, page=100), query, grant)
    among_others = list_alarms(a_log(*mine, *foreign, page=100), query, grant)

    assert alone == among_others
