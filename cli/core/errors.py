"""Failures of commands, and their exit codes."""

import sys
from enum import IntEnum

from afluente.application.errors import UnavailableError


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


def explain(error: Exception) -> CommandError | None:
    """The error to show for an expected exception; None for a bug of afluente itself."""
    # A library that was never imported has raised nothing; importing it to find out would be slow.
    if "botocore" in sys.modules:
        explained = _explain_aws(error)
        if explained is not None:
            return explained
    if isinstance(error, UnavailableError):
        return CommandError(f"not available: {error}", code=ExitCode.UNREACHABLE)
    if isinstance(error, PermissionError):
        return CommandError(f"no permission for {error.filename}")
    if isinstance(error, FileNotFoundError):
        return CommandError(f"{error.filename} does not exist", code=ExitCode.USAGE)
    if isinstance(error, OSError):
        return CommandError(str(error))
    return None


def _explain_aws(error: Exception) -> CommandError | None:
    from botocore import exceptions  # noqa: PLC0415 - it is loaded already, or the caller would not be here

    if isinstance(error, exceptions.ClientError):
        code, message = error.response["Error"]["Code"], error.response["Error"]["Message"]
        return CommandError(f"AWS refused {error.operation_name}: {message} ({code})")
    if isinstance(error, exceptions.NoCredentialsError | exceptions.PartialCredentialsError):
        return CommandError("there are no AWS credentials", hint="name a profile with --profile", code=ExitCode.USAGE)
    if isinstance(error, exceptions.ProfileNotFound | exceptions.NoRegionError):
        return CommandError(str(error), hint="check --profile and --region", code=ExitCode.USAGE)
    if isinstance(error, exceptions.HTTPClientError | exceptions.ConnectionError):
        return CommandError(f"AWS cannot be reached: {error}", code=ExitCode.UNREACHABLE)
    if isinstance(error, exceptions.BotoCoreError):
        return CommandError(str(error))
    return None
