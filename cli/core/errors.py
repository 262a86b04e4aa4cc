"""Failures of commands, and their exit codes."""

from enum import IntEnum


class ExitCode(IntEnum):
    """Exit codes of `afluente`; `afluente --help` lists them."""

    OK = 0
    FAILED = 1
    USAGE = 2
    UNREACHABLE = 3
    REJECTED = 4
    INTERRUPTED = 130


class CommandError(Exception):
    """An expected failure: shown as a sentence on standard error, never as a traceback.

    Attributes:
        message: what went wrong.
        hint: what the user can do about it; empty where the message says it.
        code: the exit code.
    """

    def __init__(self, message: str, *, hint: str = "", code: ExitCode = ExitCode.FAILED) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.code = code
