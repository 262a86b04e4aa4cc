"""The demonstration against data that is known otherwise; `make demo` shows it as it is."""

import json
from pathlib import Path
from typing import Any

import pytest

from cli.demo.streams import DATA
from tests.integration.cli.conftest import Afluente

pytestmark = pytest.mark.integration


def test_a_count_that_is_not_as_known_is_shown_and_fails(
    afluente: Afluente, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """One short file of the nine is enough."""
    shortest = min(_listed("expected.json"), key=lambda stream: stream["points"])
    [entry] = [entry for entry in _listed("constraints.json") if entry["key"] == shortest["key"]]
    shortest["classes"]["alert"] += 1
    (tmp_path / entry["file"]).parent.mkdir(parents=True)
    (tmp_path / entry["file"]).write_bytes((DATA / entry["file"]).read_bytes())
    (tmp_path / "constraints.json").write_text(json.dumps({"streams": [entry]}))
    (tmp_path / "expected.json").write_text(json.dumps({"streams": [shortest]}))
    monkeypatch.setattr("cli.demo.streams.DATA", tmp_path)

    done = afluente("demo")

    assert done.code == 1
    assert "classes" in done.err
    assert len([line for line in done.out.splitlines() if line.rstrip().endswith("no")]) == 1


def _listed(name: str) -> list[dict[str, Any]]:
    streams: list[dict[str, Any]] = json.loads((DATA / name).read_text())["streams"]
    return streams
