"""Calls to AWS: the configuration of clients, the error of the ports, and retries of partial failures."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from afluente.application.errors import UnavailableError

# A call that hangs fails in 17 s at the most, within the 30 s that API Gateway waits and within an invocation, so that
# the client is asked to retry, or the pack is retried.
CLIENT_CONFIG = Config(
    connect_timeout=2,
    read_timeout=5,
    retries={"mode": "standard", "total_max_attempts": 3},
    max_pool_connections=32,
    tcp_keepalive=True,
    # Buckets are addressed by path, which works on every endpoint, the local one included.
    s3={"addressing_style": "path"},
)

Item = TypeVar("Item")


@contextmanager
def unavailable(dependency: str) -> Iterator[None]:
    """Turn a failure of an AWS call into `UnavailableError`.

    Args:
        dependency: the resource that is called, for the message.
    """
    try:
        yield
    except ClientError as error:
        fault = error.response.get("Error", {})
        raise UnavailableError(f"{dependency}: {fault.get('Code')}: {fault.get('Message')}") from error
    except BotoCoreError as error:
        raise UnavailableError(f"{dependency}: {type(error).__name__}") from error


def in_chunks(items: Sequence[Item], size: int) -> Iterator[Sequence[Item]]:
    """The items in order, at most `size` at a time."""
    for start in range(0, len(items), size):
        yield items[start : start + size]


def retry_unfinished(
    items: Sequence[Item],
    attempt: Callable[[Sequence[Item]], Sequence[Item]],
    *,
    dependency: str,
    delays: Sequence[float],
    sleep: Callable[[float], None],
) -> None:
    """Call `attempt` with the items, then with the unfinished ones, until there are none.

    Args:
        items: the items, in order.
        attempt: processes items, and returns the unfinished ones in order.
        dependency: the resource that is called, for the message.
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
        raise UnavailableError(
            f"{dependency}: {len(unfinished)} of {len(items)} not taken after {len(delays) + 1} attempts"
        )
