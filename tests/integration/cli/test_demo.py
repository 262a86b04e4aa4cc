"""The demonstration, as `make demo` runs it."""

import json
import shutil
from pathlib import Path

import pytest

from cli.demo.demo import DATA
from tests.integration.cli.conftest import Afluente

pytestmark = pytest.mark.integration


def test_the_demonstration_shows_nine_streams_as_they_are_known(afluente: Afluente) -> None:
    done = afluente("demo")

    assert done.code == 0, done.err
    lines = [line for line in done.out.splitlines() if line.rstrip().endswith("yes")]
    assert len(lines) == 9
    assert "afluente alarms" in done.out


def test_a_count_that_is_not_as_known_is_told_and_fails(
    afluente: Afluente, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    shutil.copytree(DATA, tmp_path, dirs_exist_ok=True)
    known = json.loads((tmp_path / "expected.json").read_text())
    known["streams"][0]["classes"]["alert"] += 1
    (tmp_path / "expected.json").write_text(json.dumps(known))
    monkeypatch.setattr("cli.demo.demo.DATA", tmp_path)

    done = afluente("demo")

    assert done.code == 1
    assert "classes" in done.err
    assert len([line for line in done.out.splitlines() if line.rstrip().endswith("no")]) == 1
