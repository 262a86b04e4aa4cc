"""`afluente migrate shadow`: what the commands change, what they say, and with which code they end."""

import sys
from typing import Any

import pytest

from afluente.domain.constraints import Baseline
from afluente.domain.evaluation import Classification
from afluente.migration.application.canary import event_of
from afluente.migration.application.trial import (
    DifferenceCause,
    EventKind,
    NotedDifference,
    Phase,
    PointDifference,
    TrialCounts,
)
from cli import main as command_line
from cli.core.errors import ExitCode
from tests.factories import NOW
from tests.migration.unit.cli.migrating import Done
from tests.migration.unit.cli.test_canary import REGION, Canary, canary  # noqa: F401 - a fixture

STREAM = "iot/0f9c2f0e-7d3b-4d8b-9a62-6d1b7f3c9e01/42"
POINT_ID = "cf3849d1f5348d25f3bfe7b596b06ef4"


class Shadow:
    """A deployment that has a shadow classifier, and the commands over it."""

    def __init__(self, deployment: Canary, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self.deployment = deployment
        self.trial = deployment.trial
        self._monkeypatch = monkeypatch
        self._capsys = capsys

    def __call__(self, *arguments: str) -> Done:
        """Run `afluente migrate shadow` with the arguments."""
        words = ["afluente", "migrate", "shadow", *arguments, "--stage", "dev", "--region", REGION]
        self._monkeypatch.setattr(sys, "argv", words)
        self._capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            command_line.main()
        shown = self._capsys.readouterr()
        return Done(int(ended.value.code or 0), shown.out, shown.err)

    def found(self, counts: TrialCounts, *differences: PointDifference) -> None:
        """As a classifier counts and notes."""
        step = self.trial.settings().step
        self.trial.add(counts, step=step)
        self.trial.note([NotedDifference(1, difference) for difference in differences], step=step)


@pytest.fixture
def shadow(
    canary: Canary,  # noqa: F811 - a fixture
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Shadow:
    return Shadow(canary, monkeypatch, capsys)


def a_difference(stream: str = STREAM, **fields: Any) -> PointDifference:
    defaults: dict[str, Any] = {
        "cause": DifferenceCause.VALUE_ZONE,
        "legacy_class": Classification.NORMAL,
        "constraints_class": Classification.WARNING,
        "value": 30.0,
        "timestamp": NOW,
        "point_id": POINT_ID,
    }
    return PointDifference(stream=stream, **(defaults | fields))


def test_shadow_is_switched_on_and_off(shadow: Shadow) -> None:
    assert shadow("on") == Done(ExitCode.OK, "shadow is on\n", "")
    assert shadow("on") == Done(ExitCode.OK, "", "shadow is on already\n")
    assert shadow.trial.settings().shadow
    assert shadow("off") == Done(ExitCode.OK, "shadow is off\n", "")
    assert not shadow.trial.settings().shadow


def test_without_a_shadow_classifier_there_is_no_shadow(shadow: Shadow) -> None:
    shadow.deployment.configure({})

    shown = shadow("on")

    assert shown.code == ExitCode.FAILED
    assert "classifies the new way alone" in " ".join(shown.err.split())
    assert not shadow.trial.settings().shadow


def test_nothing_compared_is_no_success(shadow: Shadow) -> None:
    shadow("on")

    shown = shadow("report")

    assert shown.code == ExitCode.FAILED
    assert "nothing was compared yet" in shown.out


def test_no_differences_are_a_success(shadow: Shadow) -> None:
    shadow("on")
    shadow.found(TrialCounts(compared=1234, invocations=3))

    shown = shadow("report")

    assert shown == Done(
        ExitCode.OK,
        "shadow is on; step 1: 1,234 points classified in both ways\n0 differences, 0 errors of the new way\n",
        "",
    )


def test_differences_are_shown_by_cause_and_sensor(shadow: Shadow) -> None:
    shadow("on")
    rate = a_difference(cause=DifferenceCause.RATE, value=0.1, baseline=Baseline(NOW - 9, 20.5))
    shadow.found(TrialCounts(compared=9, differences=5), a_difference(), a_difference("iot/_/7"), rate)

    shown = shadow("report", "--limit", "2")

    assert shown.code == ExitCode.REJECTED
    lines = [line.split() for line in shown.out.splitlines()]
    assert ["value_zone", "2"] in lines
    assert ["rate", "1"] in lines
    assert "2 more, of which it was not noted which they are" in shown.out
    assert [STREAM, "rate", "1", "normal", "warning", "0.1", "20.5", "2023-11-14", "22:13:20.000", POINT_ID] in lines
    assert [STREAM, "value_zone", "1", "normal", "warning", "30", "nothing"] in [line[:7] for line in lines]
    assert "and 1 more sensors and causes" in shown.out


def test_a_program_gets_all_of_it(shadow: Shadow) -> None:
    shadow("on")
    shadow.found(TrialCounts(compared=9, differences=1), a_difference(baseline=Baseline(NOW - 9, 20.5)))

    shown = shadow("report", "--json", "--limit", "1")

    assert shown.code == ExitCode.REJECTED
    assert shown.document == {
        "step": 1,
        "shadow": True,
        "compared": 9,
        "errors": 0,
        "differences": 1,
        "invocations": 0,
        "added_p95_ms": None,
        "by_cause": {"value_zone": 1},
        "not_noted": 0,
        "sensors": [
            {
                "count": 1,
                "example": {
                    "stream": STREAM,
                    "cause": "value_zone",
                    "old": "normal",
                    "new": "warning",
                    "value": 30.0,
                    "timestamp": NOW,
                    "point_id": POINT_ID,
                    "baseline": [NOW - 9, 20.5],
                },
            }
        ],
    }


def test_errors_of_constraints_are_no_success_either(shadow: Shadow) -> None:
    shadow("on")
    shadow.found(TrialCounts(compared=9, errors=1))

    assert shadow("report").code == ExitCode.REJECTED


def test_what_took_a_canary_back_is_in_the_step_in_which_it_went(shadow: Shadow) -> None:
    before = shadow.trial.settings()
    running = before.in_next_step(NOW, phase=Phase.RUNNING, share=10)
    nothing = TrialCounts()
    shadow.trial.save(
        running, event_of(EventKind.STARTED, before, running, counts=nothing, now=NOW, by="cli", why="started")
    )
    shadow.deployment.count(TrialCounts(points=9, compared=9, differences=1))

    hint = "the canary went back in step 1: look at --step 1"
    assert hint in shadow("report").out
    assert hint not in shadow("report", "--step", "1").out
    # Which begins another step.
    shadow("on")
    assert hint in shadow("report").out
    shown = shadow("report", "--step", "1")
    assert (shown.code, "1 differences" in shown.out) == (ExitCode.REJECTED, True)
