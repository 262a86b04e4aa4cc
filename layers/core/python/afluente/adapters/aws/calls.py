"""What all AWS adapters share: how clients behave, and how their failures become the ports' errors."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from afluente.application.errors import UnavailableError

# An invocation is bounded, and API Gateway waits 30 s: better fail a call in 17 s at the most, so that the client is
# told to come again, or the pack comes again, than wait for one that hangs.
CLIENT_CONFIG = Config(
    connect_timeout=2,
    read_timeout=5,
    retries={"mode": "standard", "total_max_attempts": 3},
    max_pool_connections=32,
    tcp_keepalive=True,
    # S3 is reached by path, so that it is found on every endpoint, the local one included.
    s3={"addressing_style": "path"},
)

Item = TypeVar("Item")


@contextmanager
def unavailable(what: str) -> Iterator[None]:
    """Turn a failure of an AWS call into the port's error.

    Args:
        what: the thing that was called, for the message.
    """
    try:
        yield
    except ClientError as error:
        fault = error.response.get("Error", {})
        raise UnavailableError(f"{what}: {fault.get('Code')}: {fault.get('Message')}") from error
    except BotoCoreError as error:
        raise UnavailableError(f"{what}: {type(error).__name__}") from error


def in_chunks(items: Sequence[Item], size: int) -> Iterator[Sequence[Item]]:
    """The items in order, at most `size` at a time."""
    for start in range(0, len(items), size):
        yield items[start : start + size]


def retry_unfinished(
    items: Sequence[Item],
    attempt: Callable[[Sequence[Item]], Sequence[Item]],
    *,
    what: str,
    delays: Sequence[float],
    sleep: Callable[[float], None],
) -> None:
    """Call `attempt` with the items, then with those it could not finish, until there are none.

    Args:
        items: what is to be done, in order.
        attempt: does what it can, and returns what it could not, in order.
        what: the thing that is called, for the message.
        delays: seconds to wait before each further attempt; their number bounds the attempts.
        sleep: waits.

    Raises:
        UnavailableError: some items are unfinished after the last attempt.
    """
    unfinished = attempt(items)
    for delay in delays:
        if not unfinished:
            return
        sleep(delay)
        unfinished = attempt(unfinished)
    if unfinished:
        raise UnavailableError(f"{what}: {len(unfinished)} of {len(items)} not taken after {len(delays) + 1} attempts")
