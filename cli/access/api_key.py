"""The API key a command sends with: the user's, or for the local stack one that is made on the way."""

import secrets
import time

import msgspec

from afluente.application.access.api_keys import KEY_RANDOM_BYTES, new_key
from cli.access.stores import keys_of, pepper_of
from cli.core.errors import CommandError, ExitCode
from cli.core.local_stack import find_emulator
from cli.core.state import read_document, write_document
from cli.core.target import Target


class LocalKey(msgspec.Struct, frozen=True):
    """The key of the local stack.

    Attributes:
        token: the run of the emulator that knows it.
        key: as it is sent.
    """

    token: str
    key: str


def key_for(target: Target, given: str | None) -> str:
    """The key to send with.

    Args:
        target: the deployment.
        given: the key that the user gave.

    Raises:
        CommandError: none was given, and the deployment is not the local stack.
    """
    if given:
        return given
    if not target.is_local:
        whence = "the operators make one" if target.is_api_alone else "'afluente keys create' makes one"
        raise CommandError(
            "an API key is needed",
            hint=f"put it into AFLUENTE_API_KEY; {whence}",
            code=ExitCode.USAGE,
        )
    return _local_key(target)


def _local_key(target: Target) -> str:
    running = find_emulator(target.state)
    token = running.token if running else ""
    kept = read_document(target.state.api_key, LocalKey)
    if kept is not None and kept.token == token:
        return kept.key
    text, record = new_key(
        "local development",
        random=secrets.token_bytes(KEY_RANDOM_BYTES),
        pepper=pepper_of(target),
        now=time.time(),
    )
    keys_of(target).put(record)
    write_document(target.state.api_key, LocalKey(token, text), mode=0o600)
    return text
