"""Reports of a migration, as they are left by who is killed."""

from pathlib import Path

import msgspec
import pytest

from cli.migration.reports import ReportFile


class Line(msgspec.Struct):
    sensor_id: int
    faults: tuple[str, ...] = ()


@pytest.mark.parametrize("name", ["run.csv", "run.ndjson"])
def test_a_line_is_in_the_file_as_soon_as_it_is_added(tmp_path: Path, name: str) -> None:
    path = tmp_path / name

    with ReportFile(path, ("sensor_id", "faults")) as report:
        report.add(Line(42))

        assert "42" in path.read_text(encoding="utf-8").splitlines()[-1]
