"""Calls to AWS: the configuration of clients, the error of the ports, and retries of partial failures."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Generic, TypeVar

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from afluente.application.errors import BusyError, UnavailableError

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

_BUSY = frozenset(
    {"ProvisionedThroughputExceededException", "RequestLimitExceeded", "ThrottlingException", "Throttling"}
)
"""Error codes of DynamoDB and others beyond a quota ("Throughput", "Request rate")."""

Item = TypeVar("Item")


@contextmanager
def unavailable(dependency: str) -> Iterator[None]:
    """Turn a failure of an AWS call into `UnavailableError`.

    Args:
        dependency: the resource that is called, for the message.

    Raises:
        BusyError: the call was beyond a quota.
        UnavailableError: it failed otherwise.
    """
    try:
        yield
    except ClientError as error:
        fault = error.response.get("Error", {})
        kind = BusyError if fault.get("Code") in _BUSY else UnavailableError
        raise kind(f"{dependency}: {fault.get('Code')}: {fault.get('Message')}") from error
    except BotoCoreError as error:
        raise UnavailableError(f"{dependency}: {type(error).__name__}") from error


def in_chunks(items: Sequence[Item], size: int) -> Iterator[Sequence[Item]]:
    """The items in order, at most `size` at a time."""
    for start in range(0, len(items), size):
        yield items[start : start + size]


class Unfinished(Generic[Item]):
    """Items of a call that is retried with those that it leaves unfinished.

    Each step of the loop is an attempt, and assigns `items` the unfinished ones:

        unfinished = Unfinished(entries, dependency="SQS", delays=(0.1, 0.5), sleep=time.sleep)
        for items in unfinished:
            unfinished.items = send(items)

    Args:
        items: the items, in order.
        dependency: the resource that is called, for the message.
        delays: seconds to wait before each further attempt; their number bounds the attempts.
        sleep: waits.
    """

    def __init__(
        self, items: Sequence[Item], *, dependency: str, delays: Sequence[float], sleep: Callable[[float], None]
    ) -> None:
        self.items = items
        self._dependency = dependency
        self._delays = delays
        self._sleep = sleep

    def __iter__(self) -> Iterator[Sequence[Item]]:
        """The items of each attempt.

        Raises:
            UnavailableError: some items are unfinished after the last attempt.
        """
        total = len(self.items)
        yield self.items
        for delay in self._delays:
            if not self.items:
                return
            self._sleep(delay)
            yield self.items
        if self.items:
            left, attempts = len(self.items), len(self._delays) + 1
            raise UnavailableError(f"{self._dependency}: {left} of {total} not taken after {attempts} attempts")


def retry_throttled(call: Callable[[], Item], *, delays: Sequence[float], sleep: Callable[[float], None]) -> Item:
    """The result of a call that is retried while AWS throttles it.

    Args:
        call: the call.
        delays: seconds to wait before each further attempt; their number bounds the attempts.
        sleep: waits.

    Raises:
        BusyError: it is throttled at the last attempt as well.
    """
    for delay in delays:
        try:
            return call()
        except BusyError:
            sleep(delay)
    return call()
