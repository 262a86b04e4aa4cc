"""`afluente csv …` as a person calls it, against a service on the loopback interface."""

import json
import signal
import sys
import threading
from typing import Any, NamedTuple

import pytest

from cli import main as command_line


class CommandResult(NamedTuple):
    """A command's output and exit code."""

    code: int
    out: str
    err: str

    @property
    def json_lines(self) -> list[Any]:
        return [json.loads(line) for line in self.out.splitlines()]


class Commands:
    """Runs commands in a folder of their own."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self._monkeypatch = monkeypatch
        self._capsys = capsys

    def __call__(self, *words: str, targeted: bool = True) -> CommandResult:
        target = ["--stage", "dev", "--region", "eu-west-1", "--key", "the-key"] if targeted else []
        self._monkeypatch.setattr(sys, "argv", ["afluente", "csv", *words, *target])
        with pytest.raises(SystemExit) as caught:
            command_line.main()
        captured = self._capsys.readouterr()
        return CommandResult(int(caught.value.code or 0), captured.out, captured.err)


def press_ctrl_c() -> None:
    main = threading.main_thread().ident
    assert main is not None
    signal.pthread_kill(main, signal.SIGINT)
