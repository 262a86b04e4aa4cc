"""The file of a stage is changed in its domains alone: what people wrote there stays."""

from pathlib import Path

import pytest

from cli.core.errors import CommandError
from cli.domains.stage_file import open_domains, write_domains

WRITTEN = """\
# Plant A.
preset = "prod"   # as the real one
domains = [
    "iot",     # the old machines
    "energy",
]
# Who is called.
operations_email = "a@example.org"

[old_sql_tables]
sensors = {table = "s"}
"""


@pytest.fixture
def stages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "stages"
    monkeypatch.setenv("AFLUENTE_STAGES_DIR", str(folder))
    return folder


def test_a_stage_without_a_file_gets_one(stages: Path) -> None:
    write_domains("local", ["iot", "energy"])

    assert open_domains("local") == ("iot", "energy")
    assert (stages / "local.toml").read_text().splitlines()[1:] == ['domains = ["iot", "energy"]']


def test_what_people_wrote_stays(stages: Path) -> None:
    stages.mkdir()
    (stages / "plant-a.toml").write_text(WRITTEN)

    write_domains("plant-a", ["iot", "energy", "water"])

    text = (stages / "plant-a.toml").read_text()
    assert open_domains("plant-a") == ("iot", "energy", "water")
    assert [line for line in WRITTEN.splitlines() if line not in text] == []
    write_domains("plant-a", ["iot", "energy"])
    assert [line for line in WRITTEN.splitlines() if line not in (stages / "plant-a.toml").read_text()] == []


def test_domains_are_written_before_a_table_of_the_file(stages: Path) -> None:
    stages.mkdir()
    (stages / "dev.toml").write_text('shards = 8\n\n[old_sql_tables]\nsensors = {table = "s"}\n')

    write_domains("dev", ["water"])

    assert open_domains("dev") == ("water",)


@pytest.mark.parametrize("before", [None, "shards = 8\n"])
def test_what_no_stage_could_have_leaves_the_file_as_it_was(stages: Path, before: str | None) -> None:
    file = stages / "dev.toml"
    if before is not None:
        stages.mkdir()
        file.write_text(before)

    with pytest.raises(CommandError, match="too like"):
        write_domains("dev", ["smart-grid", "smart_grid"])

    assert (file.read_text() if file.exists() else None) == before


def test_a_file_that_is_no_toml_is_named(stages: Path) -> None:
    stages.mkdir()
    (stages / "dev.toml").write_text("shards: 8")

    with pytest.raises(CommandError, match=r"dev\.toml is no TOML"):
        write_domains("dev", ["iot"])
    with pytest.raises(CommandError, match=r"dev\.toml is no TOML"):
        open_domains("dev")


def test_a_stage_that_there_is_not_says_how_to_make_one(stages: Path) -> None:
    with pytest.raises(CommandError, match="'staging' is unknown"):
        open_domains("staging")
