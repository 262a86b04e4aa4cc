"""The access list of docs/reference/access.md, which tests compare with the code and try out."""

import re
from collections.abc import Iterator, Mapping
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

PAGE = Path(__file__).parents[1] / "docs" / "reference" / "access.md"


class Need(StrEnum):
    """The need of a command that takes no key."""

    NOTHING = "nothing"
    OPERATORS = "operators"
    DEVICE = "the folder of a device"


class Entry(NamedTuple):
    """A row of the list.

    Attributes:
        what: a route, a message, a topic, or a command.
        actions: what a key has to be for.
        rest: what else the row says.
    """

    what: str
    actions: tuple[str, ...]
    rest: str


def entries_of(section: str) -> Mapping[str, Entry]:
    """The rows of a section by their subject, each of which is there once."""
    entries = list(_rows(section))
    by_what = {entry.what: entry for entry in entries}
    assert len(by_what) == len(entries), f"something is twice in {section}"
    return by_what


def _rows(section: str) -> Iterator[Entry]:
    text = PAGE.read_text(encoding="utf-8").split(f"\n## {section}\n")[1].split("\n## ")[0]
    lines = [line for line in text.splitlines() if line.startswith("|")]
    for line in lines[2:]:
        what, needs, *rest = (cell.strip() for cell in line.strip("|").split("|"))
        yield Entry(what.strip("`"), tuple(re.findall(r"`([^`]+)`", needs)), rest[0] if rest else needs)
