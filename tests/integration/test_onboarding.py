"""The guide to opening a domain, followed word for word: each command as it is written, each output as it is shown."""

import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from subprocess import PIPE
from typing import NamedTuple

import pytest

from cli.core.state import StateDir
from cli.local_stack import stack
from tests.stack import PATIENCE_SECONDS, free_port

pytestmark = pytest.mark.integration

GUIDE = Path(__file__).parents[2] / "docs" / "how-to" / "onboard-a-domain.md"
# From there on an account would be needed.
END = "\n## In an AWS account\n"
DONE = "--- all is pasted"

# More than the local stack's own patience with what is slow, so that its message comes first.
_SILENCE_SECONDS = 240.0
_SHOWN_LINES = 40

STEP = re.compile(
    r"(?:(?P<before>[^\n]*)\n\n)?```(?P<language>console|text|yaml)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL
)
NAMED = re.compile(r"ave this as `([^`]+)`")
MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


class Step(NamedTuple):
    """A block of the guide: commands, their output, or the file that the line before it names."""

    language: str
    text: str
    file: str | None


def steps() -> Iterator[Step]:
    followed, end, _ = GUIDE.read_text(encoding="utf-8").partition(END)
    assert end
    for found in STEP.finditer(followed):
        named = NAMED.search(found["before"] or "")
        yield Step(found["language"], found["text"], named[1] if named else None)


def comparable(lines: Iterable[str]) -> list[str]:
    """Lines without the differences between runs: times of now, and blanks at the end."""
    return [MOMENT.sub("TIME", line).rstrip() for line in lines if line.strip()]


@pytest.fixture
def environment(tmp_path: Path) -> Iterator[dict[str, str]]:
    """The environment of somebody who has never used afluente; a stack that was started is stopped at the end."""
    state = StateDir.of(tmp_path / "state")
    bin_ = Path(sys.executable).parent
    # What the CDK unpacks at its first use under a home, 200 MB, is the same for everybody.
    unpacked = Path.home() / ".cache" / "aws"
    unpacked.mkdir(parents=True, exist_ok=True)
    (tmp_path / ".cache").mkdir()
    (tmp_path / ".cache" / "aws").symlink_to(unpacked)
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
    """A shell into which somebody pastes commands.

    A shell that stays silent is killed after a while, so that a command that hangs is a failure with its place.
    """

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self._errors = folder / "errors.txt"
        self._emulator_log = StateDir(Path(environment["AFLUENTE_STATE_DIR"])).emulator_log
        with self._errors.open("wb") as errors:
            self._shell = subprocess.Popen(
                ["bash"], cwd=folder, env=environment, stdin=PIPE, stdout=PIPE, stderr=errors, text=True, bufsize=1
            )
        self._paste("set -o pipefail; trap 'echo \"failed: $BASH_COMMAND\"' ERR")

    def paste(self, commands: str) -> list[str]:
        """The output of commands, none of which fails."""
        self._paste(commands)
        self._paste(f"echo {DONE}")
        lines = list(iter(self._line, DONE))
        failed = [line for line in lines if line.startswith("failed: ")]
        assert failed == [], "\n".join([*failed, *self.logged()])
        return lines

    def logged(self) -> list[str]:
        """The last lines of standard error and of the emulator's log, where a cause may be."""
        logs = [self._errors, self._emulator_log]
        texts = [log.read_text(encoding="utf-8", errors="replace") for log in logs if log.exists()]
        return [line for text in texts for line in text.splitlines()[-_SHOWN_LINES:]]

    def close(self) -> None:
        self._shell.communicate("exit\n")

    def _paste(self, text: str) -> None:
        assert self._shell.stdin
        self._shell.stdin.write(f"{text}\n")

    def _line(self) -> str:
        assert self._shell.stdout
        impatience = threading.Timer(_SILENCE_SECONDS, self._shell.kill)
        impatience.start()
        line = self._shell.stdout.readline()
        impatience.cancel()
        assert line, "\n".join(["the shell is over", *self.logged()])
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
            pasted, shown = step.text, comparable(terminal.paste(step.text))
        else:
            expected = comparable(step.text.splitlines())
            deadline = time.monotonic() + PATIENCE_SECONDS
            # On a busy machine points may come later than a person would look.
            while "afluente tail" in pasted and set(expected) - set(shown) and time.monotonic() < deadline:
                shown = comparable(terminal.paste(pasted.splitlines()[-1]))
            missing = [line for line in expected if line not in shown]
            assert missing == [], "\n".join(["shown was", *shown, *terminal.logged()])

    assert shown == ["0 created, 0 updated, 3 unchanged"]
