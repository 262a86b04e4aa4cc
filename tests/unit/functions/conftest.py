"""Handlers of functions that are composed of memory twins."""

import json
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NoReturn

import pytest

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
    """The metrics that a function has reported since they were last looked at, by name."""

    def read() -> dict[str, int]:
        found: dict[str, int] = {}
        for line in capsys.readouterr().out.splitlines():
            metrics = json.loads(line) if '"CloudWatchMetrics"' in line else {}
            for directive in metrics.get("_aws", {}).get("CloudWatchMetrics", []):
                for metric in directive["Metrics"]:
                    found[metric["Name"]] = found.get(metric["Name"], 0) + int(sum(metrics[metric["Name"]]))
        return found

    return read


@pytest.fixture(scope="session", autouse=True)
def _logger_on_the_real_output() -> None:
    """The logger keeps the output that it first finds, which is to be one that outlives a test."""
    logger()
