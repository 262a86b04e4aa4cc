"""A Prometheus of the tests' own: the machine's program, with its data in a temporary folder, at a free port."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from cli.core.state import CHECKOUT, StateDir
from tests.stack import free_port

CONFIGURATION = CHECKOUT / "dashboards" / "prometheus.yml"
PATIENCE_SECONDS = 60.0

_LOOPBACK = "127.0.0.1"
_POLL_SECONDS = 0.2


class Prometheus:
    """A Prometheus that runs.

    Attributes:
        url: where it answers.
    """

    def __init__(self, url: str) -> None:
        self.url = url

    def query(self, expression: str) -> list[dict[str, Any]]:
        """The series of an expression now."""
        answer = httpx.get(f"{self.url}/api/v1/query", params={"query": expression}).json()
        assert answer["status"] == "success", answer
        series: list[dict[str, Any]] = answer["data"]["result"]
        return series

    def values(self, expression: str, label: str) -> dict[str, float]:
        """The values of an expression by a label."""
        return {series["metric"][label]: float(series["value"][1]) for series in self.query(expression)}


@contextmanager
def serving_metrics(state: StateDir, *arguments: str) -> Iterator[str]:
    """`afluente metrics --serve` as a process of its own, for the block.

    Yields:
        Host and port where it answers.
    """
    command = [sys.executable, "-c", "from cli.main import main; main()", "metrics", "--serve", "0", *arguments]
    environment = os.environ | {"AFLUENTE_STATE_DIR": str(state.path)}
    with subprocess.Popen(command, cwd=CHECKOUT, env=environment, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stderr is not None
            first = process.stderr.readline()
            assert " at http://" in first, first + process.stderr.read()
            yield first.split(" at http://")[1].strip().removesuffix("/metrics")
        finally:
            process.terminate()


@contextmanager
def running_prometheus(scraped: str, folder: Path) -> Iterator[Prometheus]:
    """A Prometheus with the configuration of the dashboards, for the block.

    Args:
        scraped: host and port that it scrapes, each second.
        folder: an empty one.
    """
    if shutil.which("prometheus") is None:
        if os.environ.get("CI"):
            pytest.fail("there is no prometheus: install Debian's package")
        pytest.skip("needs Debian's package prometheus")
    text = CONFIGURATION.read_text(encoding="utf-8").replace("127.0.0.1:9464", scraped).replace("15s", "1s")
    assert scraped in text
    configuration = folder / "prometheus.yml"
    configuration.write_text(text, encoding="utf-8")
    address = f"{_LOOPBACK}:{free_port()}"
    command = [
        "prometheus",
        f"--config.file={configuration}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address={address}",
    ]
    with (folder / "log").open("wb") as log, subprocess.Popen(command, stdout=log, stderr=log, cwd=folder) as process:
        try:
            _wait_for(f"http://{address}/-/ready", process, folder / "log")
            yield Prometheus(f"http://{address}")
        finally:
            process.terminate()


def _wait_for(url: str, process: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not _is_ready(url):
        if process.poll() is not None or time.monotonic() > deadline:
            pytest.fail(f"Prometheus does not answer; its log:\n{log.read_text(errors='replace')}")
        time.sleep(_POLL_SECONDS)


def _is_ready(url: str) -> bool:
    try:
        return httpx.get(url).status_code == httpx.codes.OK
    except httpx.TransportError:
        return False
