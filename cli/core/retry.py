"""Requests are retried while the service is busy or out of reach."""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

from cli.core.errors import CommandError, ExitCode

MAX_ATTEMPTS = 8
"""Attempts at one request or message."""

LONGEST_WAIT_SECONDS = 3_600.0
"""Longest pause that is waited for; if a service asks for more, such as a day, a person decides."""

_FIRST_DELAY_SECONDS = 0.25
_LONGEST_DELAY_SECONDS = 20.0

Answer = TypeVar("Answer")


class Busy(NamedTuple):
    """An attempt without an answer, after which the same request is made again.

    Attributes:
        reason: for people.
        retry_after: seconds that the service asks to wait; None if it names none.
    """

    reason: str
    retry_after: float | None = None


def _ignore(_seconds: float, _reason: str) -> None:
    pass


@dataclass(frozen=True, slots=True)
class Retry:
    """A limited number of attempts, with growing pauses in between.

    Attributes:
        on_wait: called with seconds and the reason before each pause.
        sleep: waits.
        attempts: at one request.
        load: the thing that is sent, named in messages.
    """

    on_wait: Callable[[float, str], None] = _ignore
    sleep: Callable[[float], None] = time.sleep
    attempts: int = MAX_ATTEMPTS
    load: str = "requests"

    def until_answered(self, attempt: Callable[[], Answer | Busy], what: str, *, hint: str = "") -> Answer:
        """Make attempts until one is answered.

        Args:
            attempt: makes the request.
            what: the request in messages: `the service did not {what}`.
            hint: where to look if there is no answer.

        Raises:
            CommandError: the last attempt failed too, or the service asks for too long a pause.
        """
        reason = ""
        for number in range(self.attempts):
            answer = attempt()
            if not isinstance(answer, Busy):
                return answer
            reason = answer.reason
            self.wait(number, answer)
        raise self.given_up(what, reason, hint=hint)

    def wait(self, attempt: int, busy: Busy) -> None:
        """Pause after an attempt, counted from 0; not after the last one.

        Raises:
            CommandError: the service asks for a longer pause than `LONGEST_WAIT_SECONDS`.
        """
        asked = busy.retry_after
        if asked is not None and asked > LONGEST_WAIT_SECONDS:
            raise CommandError(
                f"the service takes no {self.load} for {asked:.0f} s: {busy.reason}",
                hint="send the rest then, or ask the operators for a key with other limits",
                code=ExitCode.UNREACHABLE,
            )
        if attempt + 1 < self.attempts:
            seconds = delay(attempt) if asked is None else asked
            self.on_wait(seconds, busy.reason)
            self.sleep(seconds)

    def given_up(self, what: str, reason: str, *, hint: str = "") -> CommandError:
        """The error after the last attempt."""
        return CommandError(
            f"the service did not {what} after {self.attempts} attempts: {reason}",
            hint=hint or "check the connection; for the local stack see 'afluente status'",
            code=ExitCode.UNREACHABLE,
        )


def delay(attempt: int) -> float:
    """Seconds to wait after an attempt, counted from 0: doubling, half of it random.

    The random half keeps many senders from retrying at the same moment.
    """
    whole = min(_LONGEST_DELAY_SECONDS, _FIRST_DELAY_SECONDS * 2.0**attempt)
    return whole * random.uniform(0.5, 1.0)  # noqa: S311 - no secret hangs on it
