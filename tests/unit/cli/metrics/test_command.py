"""The options of `afluente metrics`, and its table."""

import sys

import pytest

from cli import main as command_line
from cli.core.errors import ExitCode
from cli.metrics.rendering import show_metrics
from cli.metrics.snapshot import Snapshot
from tests.unit.cli.metrics.test_exposition import a_snapshot


def test_two_ways_to_write_the_same_contradict_each_other(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["afluente", "metrics", "--json", "--serve", "0"])

    with pytest.raises(SystemExit) as ended:
        command_line.main()

    assert ended.value.code == ExitCode.USAGE
    assert "choose one" in capsys.readouterr().err


def test_the_table_has_percentiles_queues_and_counts(capsys: pytest.CaptureFixture[str]) -> None:
    show_metrics(a_snapshot())

    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["AcceptanceToKinesis", "http", "classifier", "4", "0.250", "s", "1.000", "s", "-"] in lines
    assert ["datapoints", "3", "2", "7.500", "s", "1"] in lines
    assert ["mqtt", "0", "0", "-", "0"] in lines
    assert ["PointsRejected", "classifier", "1", "0.02"] in lines


def test_the_table_of_a_stage_without_traffic_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    show_metrics(Snapshot(stage="local", since=0.0, until=60.0, counts=[], durations=[], queues=[]))

    assert "nothing was counted in that time" in capsys.readouterr().out
