"""The local AWSs that the contract suites run against, beside the twins in memory."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from moto import mock_aws

from tests.contract.local_aws import LocalAws
from tests.contract.stage import as_in_a_new_container, credentials, resources

_START_SECONDS = 60.0
_STOP_SECONDS = 10.0

_EMULATOR = pytest.param("ministack", marks=pytest.mark.integration)
# What moto shows in this process, the emulator shows again.
_EMULATOR_AGAIN = pytest.param("ministack", marks=[pytest.mark.integration, pytest.mark.exhaustive])

ADAPTERS = ["memory", "moto", _EMULATOR_AGAIN]

MOTO_IS_UNFAITHFUL = pytest.mark.parametrize("backend", ["memory", _EMULATOR], indirect=True)
"""For a test that moto fails although AWS would pass: the emulator stands in. The reason stands beside it."""

EMULATOR_ALONE = pytest.mark.parametrize("backend", [_EMULATOR], indirect=True)
"""The same, where the in-memory twin has no part in the behaviour either."""


@pytest.fixture(params=ADAPTERS)
def backend(request: pytest.FixtureRequest) -> LocalAws | None:
    """The AWS of an adapter under test: a local one, or None for the in-memory twin."""
    if request.param == "memory":
        return None
    found: LocalAws = request.getfixturevalue(request.param)
    return found


@pytest.fixture(params=ADAPTERS[1:])
def aws(request: pytest.FixtureRequest) -> LocalAws:
    """A local AWS, for behaviour of the AWS adapters alone."""
    found: LocalAws = request.getfixturevalue(request.param)
    return found


@pytest.fixture
def moto() -> Iterator[LocalAws]:
    """moto, in this process; empty for each test."""
    with mock_aws():
        local = LocalAws("moto", endpoint=None)
        yield local
        local.close()


@pytest.fixture
def ministack(ministack_endpoint: str) -> Iterator[LocalAws]:
    """The emulator of the local stack, in a process of its own for all tests.

    A plain one, without AWS's limits: a suite has the same calls against moto, and makes calls fail itself.
    """
    local = LocalAws("ministack", endpoint=ministack_endpoint)
    yield local
    local.close()


@pytest.fixture
def executor() -> Iterator[Executor]:
    with ThreadPoolExecutor(16) as pool:
        yield pool


@pytest.fixture
def environment(aws: LocalAws, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, str]]:
    """All the resources of a stage, in the environment of the functions."""
    variables = resources(aws)
    for name, value in (variables | credentials(aws)).items():
        monkeypatch.setenv(name, value)
    as_in_a_new_container()
    yield variables
    as_in_a_new_container()


@pytest.fixture(scope="session")
def ministack_endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    scratch = tmp_path_factory.mktemp("ministack")
    port = _free_port()
    with (scratch / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "ministack"],
            env=_environment(scratch, port),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        try:
            endpoint = f"http://127.0.0.1:{port}"
            _wait_until_it_answers(process, endpoint, scratch / "log")
            yield endpoint
        finally:
            process.terminate()
            try:
                process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _environment(scratch: Path, port: int) -> dict[str, str]:
    """None of the user's settings: the emulator is to be the same everywhere."""
    kept = {name: os.environ[name] for name in ("HOME", "LANG", "PATH") if name in os.environ}
    return kept | {
        "BIND_HOST": "127.0.0.1",
        "DOCKER_HOST": f"unix://{scratch / 'no-docker.sock'}",
        "GATEWAY_PORT": str(port),
        "IOT_MTLS_ENABLED": "0",
        "MINISTACK_HOST": "127.0.0.1",
        "S3_DATA_DIR": str(scratch / "s3"),
        "SFTP_ENABLED": "0",
        "STATE_DIR": str(scratch / "state"),
        "TMPDIR": str(scratch),
    }


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _wait_until_it_answers(process: "subprocess.Popen[bytes]", endpoint: str, log: Path) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        try:
            httpx.get(f"{endpoint}/_ministack/health", timeout=2).raise_for_status()
        except httpx.HTTPError:
            time.sleep(0.1)
        else:
            return
    pytest.fail(f"the emulator does not answer; its log ends with\n{log.read_text(errors='replace')[-2_000:]}")
