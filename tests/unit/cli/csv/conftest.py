"""Shared by the tests of `afluente csv`: a service, and the commands that target it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.cli.csv.commands import Commands
from tests.unit.cli.csv.service import CsvService, running_csv_service


@pytest.fixture
def csv_service(monkeypatch: pytest.MonkeyPatch) -> Iterator[CsvService]:
    with running_csv_service() as service:
        outputs = {"HttpApiUrl": service.url, "CsvBucket": "bucket"}
        monkeypatch.setattr("cli.core.aws.outputs_of", lambda *_: outputs)
        yield service


@pytest.fixture
def afluente_csv(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Commands:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AFLUENTE_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr("cli.core.retry._FIRST_DELAY_SECONDS", 0.001)
    monkeypatch.setattr("cli.csv.watching._FIRST_POLL_SECONDS", 0.001)
    return Commands(monkeypatch, capsys)
