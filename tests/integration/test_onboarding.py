"""The guide to opening a domain, followed word for word: each command as it is written, each output as it is shown."""

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from subprocess import PIPE
from typing import NamedTuple

import pytest

from cli.local_stack import stack
from cli.local_stack.state import StateDir
from tests.stack import PATIENCE_SECONDS, free_port

pytestmark = pytest.mark.integration

GUIDE = Path(__file__).parents[2] / "docs" / "how-to" / "onboard-a-domain.md"
# From there on an account would be needed.
END = "\n## In an AWS account\n"
DONE = "--- all is pasted"

STEP = re.compile(
    r"(?:(?P<before>[^\n]*)\n\n)?```(?P<language>console|text|yaml)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL
)
NAMED = re.compile(r"ave this as `([^`]+)`")
MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


class Step(NamedTuple):
    """A block of the guide: commands, what they show, or the file that the line before it names."""

    language: str
    text: str
    file: str | None


def steps() -> Iterator[Step]:
    followed, end, _ = GUIDE.read_text(encoding="utf-8").partition(END)
    assert end
    for found in STEP.finditer(followed):
        named = NAMED.search(found["before"] or "")
        yield Step(found["language"], found["text"], named[1] if named else None)


def told(lines: Iterable[str]) -> list[str]:
    """Lines without what differs from run to run: times of now, and blanks at the end."""
    return [MOMENT.sub("TIME", line).rstrip() for line in lines if line.strip()]


@pytest.fixture
def environment(tmp_path: Path) -> Iterator[dict[str, str]]:
    """Of somebody who has never used afluente; a stack that was started is over at the end."""
    state = StateDir.of(tmp_path / "state")
    bin_ = Path(sys.executable).parent
    yield {
        "PATH": f"{bin_}:{os.environ['PATH']}",
        "HOME": str(tmp_path),
        "NO_PROXY": "127.0.0.1",
        "AFLUENTE_STATE_DIR": str(state.path),
        "AFLUENTE_STAGES_DIR": str(tmp_path / "stages"),
        "AFLUENTE_PORT": str(free_port()),
    }
    stack.down(state)


class Terminal:
    """A shell that somebody pastes commands into."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self._errors = folder / "errors.txt"
        with self._errors.open("wb") as errors:
            self._shell = subprocess.Popen(
                ["bash"], cwd=folder, env=environment, stdin=PIPE, stdout=PIPE, stderr=errors, text=True, bufsize=1
            )
        self._paste("set -o pipefail; trap 'echo \"failed: $BASH_COMMAND\"' ERR")

    def paste(self, commands: str) -> list[str]:
        """What commands show, none of which fails."""
        self._paste(commands)
        self._paste(f"echo {DONE}")
        lines = list(iter(self._line, DONE))
        failed = [line for line in lines if line.startswith("failed: ")]
        assert failed == [], self._errors.read_text()
        return lines

    def close(self) -> None:
        self._shell.communicate("exit\n")

    def _paste(self, text: str) -> None:
        assert self._shell.stdin
        self._shell.stdin.write(f"{text}\n")

    def _line(self) -> str:
        assert self._shell.stdout
        line = self._shell.stdout.readline()
        assert line, f"the shell is over: {self._errors.read_text()}"
        return line.rstrip("\n")


@pytest.fixture
def terminal(environment: dict[str, str], tmp_path: Path) -> Iterator[Terminal]:
    opened = Terminal(tmp_path, environment)
    yield opened
    opened.close()


def test_the_guide_leads_to_two_open_domains(terminal: Terminal, tmp_path: Path) -> None:
    pasted, shown = "", list[str]()
    for step in steps():
        if step.file:
            (tmp_path / step.file).write_text(step.text, encoding="utf-8")
        elif step.language == "console":
            pasted, shown = step.text, told(terminal.paste(step.text))
        else:
            expected = told(step.text.splitlines())
            deadline = time.monotonic() + PATIENCE_SECONDS
            # On a busy machine points may come later than a person would look.
            while "afluente tail" in pasted and set(expected) - set(shown) and time.monotonic() < deadline:
                shown = told(terminal.paste(pasted.splitlines()[-1]))
            assert [line for line in expected if line not in shown] == [], "\n".join(["shown was", *shown])

    assert shown == ["0 created, 0 updated, 3 unchanged"]
