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
    items = items_of(entry)

    assert {item[: len("**S**")] for item, *_ in items} == {f"**{letter}**" for letter in "STRIDE"}
    for threat, answer, shown in items:
        assert answer.startswith("stopped by "), threat
        assert shown.startswith("shown by `tests/") or shown.removeprefix("not shown: ") in SHOWN_ELSEWHERE, threat


def test_every_function_of_the_deployment_is_in_the_picture() -> None:
    packages = {handler.parent.name for handler in (ROOT / "functions").glob("*/handler.py")}

    assert {package for package in packages if package.removeprefix("http_") not in TEXT} == set()


def test_what_is_left_has_an_owner() -> None:
    items = items_of(TEXT.split("## Remaining risks")[1])

    assert items
    for risk, owner in items:
        assert owner.startswith(("the operator", "the client", "the maint", "whoever")), risk


def items_of(section: str) -> list[list[str]]:
    """The items of a section's list, each with the items below it, without line breaks."""
    return [
        [" ".join(part.split()) for part in item.split("\n  * ")]
        for item in re.split(r"^\* ", section, flags=re.MULTILINE)[1:]
    ]
