"""The threat model names tests that exist, looks at every entry from six sides, and answers each threat."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "threat-model.md"
TEXT = PAGE.read_text(encoding="utf-8")
REFERENCES = sorted(set(re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", TEXT)))
ENTRIES = re.split(r"^### ", TEXT.split("## Entries")[1].split("\n## ")[0], flags=re.MULTILINE)[1:]
# What no test of ours can show.
SHOWN_ELSEWHERE = {"the account's own", "the operator's own", "nothing to show", "left over, below"}


@pytest.mark.parametrize(("file", "name"), REFERENCES, ids=lambda part: part)
def test_a_test_that_is_named_exists(file: str, name: str) -> None:
    assert (ROOT / file).exists()
    if name:
        assert re.search(rf"^def {name}\(", (ROOT / file).read_text(encoding="utf-8"), re.MULTILINE)


def test_there_are_references_to_look_at() -> None:
    assert len(REFERENCES) > 80
    assert len(ENTRIES) >= 10


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.splitlines()[0])
def test_every_entry_is_looked_at_from_six_sides_and_each_threat_has_its_answer(entry: str) -> None:
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in entry.splitlines()
        if re.match(r"\| [STRIDE] \|", line)
    ]

    assert {row[0] for row in rows} == set("STRIDE")
    for _, threat, answer, shown in rows:
        assert threat
        assert answer
        assert "`tests/" in shown or shown in SHOWN_ELSEWHERE, threat


def test_every_function_of_the_deployment_is_in_the_picture() -> None:
    packages = {handler.parent.name for handler in (ROOT / "functions").glob("*/handler.py")}

    assert {package for package in packages if package.removeprefix("http_") not in TEXT} == set()


def test_what_is_left_has_an_owner() -> None:
    rows = [line for line in TEXT.split("## What is left")[1].splitlines() if line.startswith("| ")][1:]

    assert rows
    for row in rows:
        assert row.strip("|").split("|")[-1].strip().startswith(("the operator", "the client", "the maint", "whoever"))
