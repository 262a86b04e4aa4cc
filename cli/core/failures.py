"""Failures of libraries, rendered as sentences for users."""

import sys

from afluente.application.errors import UnavailableError
from cli.core.errors import CommandError, ExitCode


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
