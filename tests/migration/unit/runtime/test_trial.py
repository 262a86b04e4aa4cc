"""The trial as the classifier has it: lines and metrics of what its figures changed."""

import json
from typing import Any

import pytest

from afluente.application.errors import UnavailableError
from afluente.migration.application.canary import event_of, rolled_back
from afluente.migration.application.trial import EventKind, Phase, TrialCounts, TrialEvent, TrialSettings
from afluente.runtime.migration.trial import log_event, log_unavailable, trial_monitor
from tests.factories import NOW

RUNNING = TrialSettings().in_next_step(NOW, phase=Phase.RUNNING, share=10)
COUNTS = TrialCounts(points=40, compared=40, errors=3, differences=1)


def an_event(kind: EventKind, after: TrialSettings) -> TrialEvent:
    return event_of(kind, RUNNING, after, counts=COUNTS, now=NOW + 9, by="classifier", why="1 difference")


def test_a_rollback_is_an_error_in_the_log_and_a_metric(
    log: list[dict[str, Any]], capsys: pytest.CaptureFixture[str]
) -> None:
    log_event(an_event(EventKind.ROLLED_BACK, rolled_back(RUNNING, NOW + 9)))

    (line,) = log
    assert (line["levelname"], line["code"], line["why"]) == ("ERROR", "CANARY_ROLLED_BACK", "1 difference")
    assert (line["share_before"], line["share"], line["points"], line["step_seconds"]) == (10, 0, 40, 9)
    reported = [json.loads(text) for text in capsys.readouterr().out.splitlines() if "_aws" in text]
    assert [metric["CanaryRolledBack"] for metric in reported] == [1]


def test_a_next_step_is_a_line_alone(log: list[dict[str, Any]], capsys: pytest.CaptureFixture[str]) -> None:
    log_event(an_event(EventKind.ADVANCED, RUNNING.in_next_step(NOW + 9, share=50)))

    (line,) = log
    assert (line["levelname"], line["code"], line["share"]) == ("INFO", "CANARY_ADVANCED", 50)
    assert "CanaryRolledBack" not in capsys.readouterr().out


def test_a_table_that_does_not_answer_is_logged(log: list[dict[str, Any]]) -> None:
    log_unavailable(UnavailableError("DynamoDB table migration: Throttled"))

    (line,) = log
    assert (line["levelname"], line["code"]) == ("WARNING", "TRIAL_UNAVAILABLE")
    assert "Throttled" in line["cause"]


def test_nothing_is_asked_before_the_first_question() -> None:
    assert trial_monitor("migration") is not None
