"""The contract of `TrialStore`: settings with one winner, counters that add up, differences, events."""

from collections.abc import Callable

import pytest

from afluente.adapters.aws.dynamodb import Attributes
from afluente.application.errors import UnavailableError
from afluente.domain.constraints import Baseline
from afluente.domain.evaluation import Classification
from afluente.migration.adapters.dynamodb_trial import KEPT_SECONDS, DynamoTrial
from afluente.migration.adapters.memory import MemoryTrial
from afluente.migration.application.canary import event_of
from afluente.migration.application.ports import TrialStore
from afluente.migration.application.trial import (
    DifferenceCause,
    EventKind,
    Gates,
    NotedDifference,
    Phase,
    PointDifference,
    TrialCounts,
    TrialEvent,
    TrialSettings,
    added,
)
from tests.contract.local_aws import LocalAws, fail
from tests.factories import NOW

FIRST = TrialSettings().in_next_step(
    NOW,
    shadow=True,
    phase=Phase.RUNNING,
    share=10,
    include=frozenset({"máquina 1", "b"}),
    exclude=frozenset({"c"}),
    steps=(5, 10, 100),
    gates=Gates(max_error_rate=0.5, max_added_p95_ms=1.5, max_differences=3, min_seconds=1.5, min_points=7),
)
COUNTS = TrialCounts(points=7, compared=9, errors=1, differences=2, invocations=1, added_ms=added(4.2))
DIFFERENCE = PointDifference(
    stream=f"iot/{'ñ' * 128}/{'ü' * 128}",
    cause=DifferenceCause.RATE,
    legacy_class=Classification.ANOMALY,
    constraints_class=Classification.NORMAL,
    value=-1e300,
    timestamp=NOW + 0.125,
    point_id="ab",
    baseline=Baseline(NOW, 0.1),
)


@pytest.fixture
def trial(backend: LocalAws | None) -> TrialStore:
    return MemoryTrial() if backend is None else on(backend)


def on(aws: LocalAws) -> DynamoTrial:
    return DynamoTrial(aws.client("dynamodb"), a_table(aws), clock=lambda: NOW)


def a_table(aws: LocalAws) -> str:
    return aws.table("id", "entry", sort_form="S")


def an_event(before: TrialSettings, after: TrialSettings, now: float = NOW) -> TrialEvent:
    return event_of(EventKind.SET, before, after, counts=COUNTS, now=now, by="cli", why="because")


# --- settings --------------------------------------------------------------------------------------------------------


def test_before_anybody_saved_settings_the_canary_is_idle(trial: TrialStore) -> None:
    assert trial.settings() == TrialSettings()
    assert list(trial.events()) == []


def test_settings_are_found_as_they_were_saved(trial: TrialStore) -> None:
    assert trial.save(FIRST, an_event(TrialSettings(), FIRST))

    assert trial.settings() == FIRST


def test_of_two_who_change_the_same_settings_one_does(trial: TrialStore) -> None:
    one, other = FIRST, TrialSettings().changed(shadow=True)

    assert trial.save(one, an_event(TrialSettings(), one))
    assert not trial.save(other, an_event(TrialSettings(), other))

    assert trial.settings() == one
    assert len(list(trial.events())) == 1


@pytest.mark.parametrize("version", [0, 1, 3])
def test_settings_that_do_not_follow_those_kept_are_not_saved(trial: TrialStore, version: int) -> None:
    trial.save(FIRST, an_event(TrialSettings(), FIRST))
    other = TrialSettings(version=version, share=50)

    assert not trial.save(other, an_event(FIRST, other))
    assert trial.settings() == FIRST


def test_the_first_settings_follow_those_of_an_idle_canary(trial: TrialStore) -> None:
    later = TrialSettings(version=2)

    assert not trial.save(later, an_event(FIRST, later))
    assert trial.settings() == TrialSettings()


def test_events_are_listed_from_the_latest_on(trial: TrialStore) -> None:
    settings = TrialSettings()
    expected: list[TrialEvent] = []
    for second in (0.0, 0.25, 11.0):
        following = settings.changed(share=settings.share + 1)
        expected.insert(0, an_event(settings, following, NOW + second))
        trial.save(following, expected[0])
        settings = following

    assert list(trial.events()) == expected


# --- counters --------------------------------------------------------------------------------------------------------


def test_a_step_of_which_nothing_was_counted_has_nothing(trial: TrialStore) -> None:
    trial.add(COUNTS, step=1)

    assert trial.counts(2) == TrialCounts()


def test_counts_of_a_step_add_up(trial: TrialStore) -> None:
    more = TrialCounts(points=1, invocations=1, added_ms=added(1e9))

    assert trial.add(COUNTS, step=3) == COUNTS
    assert trial.add(more, step=3) == COUNTS.plus(more)
    assert trial.add(TrialCounts(), step=3) == COUNTS.plus(more)
    assert trial.counts(3) == COUNTS.plus(more)


# --- differences -----------------------------------------------------------------------------------------------------


def test_differences_are_counted_by_stream_and_cause_with_the_first_of_them(trial: TrialStore) -> None:
    zone = PointDifference(
        stream="iot/a/1",
        cause=DifferenceCause.VALUE_ZONE,
        legacy_class=Classification.ALERT,
        constraints_class=Classification.WARNING,
        value=1.5,
        timestamp=NOW,
        point_id="cd",
    )
    later = PointDifference(
        stream=DIFFERENCE.stream,
        cause=DIFFERENCE.cause,
        legacy_class=Classification.NORMAL,
        constraints_class=Classification.ANOMALY,
        value=2.5,
        timestamp=NOW + 9,
        point_id="ef",
    )

    trial.note([NotedDifference(2, DIFFERENCE), NotedDifference(1, zone)], step=4)
    trial.note([NotedDifference(3, later)], step=4)

    noted = sorted(trial.differences(4), key=lambda its: its.count)
    assert noted == [NotedDifference(1, zone), NotedDifference(5, DIFFERENCE)]
    assert list(trial.differences(5)) == []


def test_counts_and_differences_are_kept_for_a_while(aws: LocalAws) -> None:
    client, table = aws.client("dynamodb"), a_table(aws)
    trial = DynamoTrial(client, table, clock=lambda: NOW + 0.5)

    trial.add(COUNTS, step=1)
    trial.note([NotedDifference(1, DIFFERENCE)], step=1)

    expiries = [item["expires_at"] for item in client.scan(TableName=table)["Items"]]
    assert expiries == [{"N": str(int(NOW) + KEPT_SECONDS)}] * 2


# --- a table that fails ----------------------------------------------------------------------------------------------


CALLS: dict[str, list[Callable[[TrialStore], object]]] = {
    "GetItem": [lambda trial: trial.settings(), lambda trial: trial.counts(1)],
    "TransactWriteItems": [lambda trial: trial.save(FIRST, an_event(TrialSettings(), FIRST))],
    "UpdateItem": [
        lambda trial: trial.add(COUNTS, step=1),
        lambda trial: trial.note([NotedDifference(1, DIFFERENCE)], step=1),
    ],
    "Query": [lambda trial: list(trial.differences(1)), lambda trial: list(trial.events())],
}


@pytest.mark.parametrize("damaged", [{}, {"record": {"S": "{"}}, {"record": {"S": '{"share":"all"}'}}])
def test_settings_that_cannot_be_read_are_as_if_the_table_did_not_answer(aws: LocalAws, damaged: Attributes) -> None:
    client, table = aws.client("dynamodb"), a_table(aws)
    client.put_item(TableName=table, Item={"id": {"S": "trial"}, "entry": {"S": "settings"}, **damaged})

    with pytest.raises(UnavailableError, match="trial/settings"):
        DynamoTrial(client, table).settings()


@pytest.mark.parametrize("operation", CALLS)
def test_a_table_that_fails_is_unavailable(aws: LocalAws, operation: str) -> None:
    client, table = aws.client("dynamodb"), a_table(aws)
    fail(client, operation)

    for call in CALLS[operation]:
        with pytest.raises(UnavailableError, match=table):
            call(DynamoTrial(client, table))
