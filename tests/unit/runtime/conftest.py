"""Fixtures of the runtime's tests."""

import logging
from collections.abc import Iterator
from typing import Any

import pytest

from afluente.runtime.core.observability import logger


@pytest.fixture
def log() -> Iterator[list[dict[str, Any]]]:
    """The lines that are logged, each with its level and fields."""
    lines: list[dict[str, Any]] = []

    class Lines(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(vars(record))

    handler = Lines()
    logger().addHandler(handler)
    yield lines
    logger()._logger.removeHandler(handler)


@pytest.fixture(scope="session", autouse=True)
def _logger_on_the_real_output() -> None:
    """The logger keeps the output that it first finds, which is to be one that outlives a test."""
    logger()
