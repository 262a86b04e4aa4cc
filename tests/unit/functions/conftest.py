"""Handlers of functions that are composed of memory twins."""

import json
import logging
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple, NoReturn

import pytest

from afluente.runtime.core.emf import Unit
from afluente.runtime.core.observability import logger

EVENTS = Path(__file__).parents[2] / "events"

CONTEXT = SimpleNamespace(aws_request_id="invocation-1")


def no_sensors() -> NoReturn:
    """In place of the legacy service's sensors, which only packets need."""
    raise AssertionError("no packet is sent here")


@pytest.fixture
def event() -> Callable[[str], dict[str, Any]]:
    """A new copy of an event as AWS hands it over."""

    def read(name: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((EVENTS / f"{name}.json").read_text(encoding="utf-8"))
        return found

    return read


class LogLines(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.codes: list[str] = []
        self.lines: list[dict[str, Any]] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.__dict__)
        self.codes.append(record.__dict__["code"])


@pytest.fixture
def log() -> Iterator[LogLines]:
    """The log of a function."""
    lines = LogLines()
    logger().addHandler(lines)
    yield lines
    logger()._logger.removeHandler(lines)


@pytest.fixture
def counted(capsys: pytest.CaptureFixture[str]) -> Callable[[], dict[str, int]]:
    """The counts that a function has reported since they were last looked at, by name."""

    def read() -> dict[str, int]:
        found: Counter[str] = Counter()
        for metric in metrics_in(capsys.readouterr().out):
            if metric.unit == Unit.COUNT:
                found[metric.name] += metric.value
        return dict(found)

    return read


@pytest.fixture
def durations(capsys: pytest.CaptureFixture[str]) -> Callable[[], dict[tuple[str, str], list[float]]]:
    """The durations that a function has reported since they were last looked at, by name and transport."""

    def read() -> dict[tuple[str, str], list[float]]:
        metrics = metrics_in(capsys.readouterr().out)
        return {(its.name, its.dimensions["transport"]): its.value for its in metrics if its.unit == Unit.SECONDS}

    return read


class ReportedMetric(NamedTuple):
    """A metric of a line of the log."""

    name: str
    unit: str
    dimensions: dict[str, str]
    value: Any


def metrics_in(output: str) -> list[ReportedMetric]:
    """The metrics that are reported in an output."""
    lines = [json.loads(line) for line in output.splitlines() if '"CloudWatchMetrics"' in line]
    return [
        ReportedMetric(
            metric["Name"],
            metric["Unit"],
            {name: line[name] for name in directive["Dimensions"][0]},
            line[metric["Name"]],
        )
        for line in lines
        for directive in line["_aws"]["CloudWatchMetrics"]
        for metric in directive["Metrics"]
    ]


@pytest.fixture(scope="session", autouse=True)
def _logger_on_the_real_output() -> None:
    """The logger keeps the output that it first finds, which is to be one that outlives a test."""
    logger()
