"""Looking at a CSV file on this machine: what the service would make of it."""

import gzip
import json
from pathlib import Path

import pytest

from cli.core.errors import ExitCode
from tests.unit.cli.csv.commands import CommandResult, Commands

SPANISH = (
    "Fecha;Hora;Temperatura;estado;P [bar]\n"
    "13/02/2026;10:00;71,2;on;1,0\n"
    "14/02/2026;10:01;71,3;[b]off;1,1\n"
)  # fmt: skip


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "a.csv"
    path.write_text(SPANISH)
    return path


def look(afluente_csv: Commands, *words: str) -> CommandResult:
    return afluente_csv("inspect", *words, targeted=False)


def test_what_is_inferred_is_shown(afluente_csv: Commands, file: Path) -> None:
    result = look(afluente_csv, str(file))
    assert result.code == 0
    lines = [" ".join(line.split()) for line in result.out.splitlines()]
    for expected in (
        'delimiter ";"',
        'decimal sign ","',
        "header yes",
        "time Fecha and Hora, as %d/%m/%Y %H:%M",
        "time zone UTC, where a time names none",
        "first time 2026-02-13T10:00:00Z, written 13/02/2026 10:00",
        "Temperatura value {source_id}:Temperatura numeric 71,2 · 71,3",
        "estado left out not numeric on · [b]off",
        "P [bar] value {source_id}:P [bar] numeric 1,0 · 1,1",
    ):
        assert expected in lines
    for place in ("--save OPTIONS.json", "a.csv.json", "_ingest.json", "'afluente csv send --options'"):
        assert place in result.err


def test_options_are_heeded(afluente_csv: Commands, file: Path) -> None:
    result = look(afluente_csv, str(file), "--option", "source_id=mill-1", "--option", "timezone=Europe/Madrid")
    assert "mill-1:Temperatura" in result.out
    assert "2026-02-13T09:00:00Z" in result.out


def test_a_program_gets_one_object(afluente_csv: Commands, file: Path) -> None:
    (found,) = look(afluente_csv, str(file), "--json").json_lines
    assert found["file"] == "a.csv"
    assert found["options"]["timestamp_column"] == ["Fecha", "Hora"]
    assert [column["role"] for column in found["columns"]] == ["time", "time", "value", "left_out", "value"]
    assert found["first_rows"][1] == ["14/02/2026", "10:01", "71,3", "[b]off", "1,1"]
    assert found["first_times"] == ["2026-02-13T10:00:00Z", "2026-02-14T10:01:00Z"]


def test_saved_options_say_the_same_of_the_file(afluente_csv: Commands, file: Path) -> None:
    result = look(afluente_csv, str(file), "--save", "o.json")
    assert "saved as o.json" in result.err
    saved = json.loads(Path("o.json").read_bytes())
    assert saved["decimal"] == ","
    assert Path("o.json").read_text().startswith('{\n  "')
    (found,) = look(afluente_csv, str(file), "--options", "o.json", "--json").json_lines
    assert found["options"] == saved


def test_nothing_is_overwritten_unless_it_is_wanted(afluente_csv: Commands, file: Path) -> None:
    Path("o.json").write_text("mine")
    result = look(afluente_csv, str(file), "--save", "o.json")
    assert result.code == ExitCode.USAGE
    assert "--force" in result.err
    assert Path("o.json").read_text() == "mine"
    assert look(afluente_csv, str(file), "--save", "o.json", "--force").code == 0
    assert Path("o.json").read_text() != "mine"


def test_of_a_packed_file_the_beginning_of_what_is_in_it_is_looked_at(afluente_csv: Commands, tmp_path: Path) -> None:
    rows = "".join(f"{1_767_225_600 + second},{second}\n" for second in range(100_000))
    path = tmp_path / "b.CSV.gz"
    path.write_bytes(gzip.compress(f"timestamp,value\n{rows}".encode()))
    result = look(afluente_csv, str(path))
    assert result.code == 0
    assert "as Unix time in s" in result.out
    assert "2026-01-01T00:00:00Z" in result.out
    assert "time zone" not in result.out


def test_a_file_without_times_and_header_is_reported_as_such(afluente_csv: Commands, tmp_path: Path) -> None:
    (tmp_path / "c.csv").write_text("1.5,2.5\n3.5,1.5\n2.5,9.5\n")
    result = look(afluente_csv, "c.csv")
    assert "by the place of the row" in result.out
    assert "header no" in " ".join(result.out.split())
    assert "note: no column holds times" in result.out


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.csv.gz", b"time,value\n", "(damaged_archive)"),
        ("b.csv", b"time,value\n01/02/2026,1\n03/04/2026,2\n", "(ambiguous_dates)"),
        ("c.csv", b'{"a": 1}\n', "(not_csv)"),
    ],
)
def test_an_unreadable_file_is_reported_with_its_reason(
    afluente_csv: Commands, tmp_path: Path, name: str, content: bytes, said: str
) -> None:
    (tmp_path / name).write_bytes(content)
    result = look(afluente_csv, name)
    assert result.code == ExitCode.FAILED
    assert said in result.err
    assert result.out == ""


@pytest.mark.parametrize("words", [["x.txt"], ["-"], ["a.csv", "--option", "zone=1"]], ids=" ".join)
def test_wrong_usage_ends_with_2(afluente_csv: Commands, file: Path, words: list[str]) -> None:
    assert look(afluente_csv, *words).code == ExitCode.USAGE
