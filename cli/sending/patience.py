"""How long a transport waits before it tries again, and how often it does."""

import random

from cli.core.errors import CommandError, ExitCode

MAX_ATTEMPTS = 8
"""At one request or message."""

LONGEST_WAIT_SECONDS = 3_600.0
"""That the service may ask for; beyond it, as for the points of a day, a person is to decide."""

_FIRST_DELAY_SECONDS = 0.25
_LONGEST_DELAY_SECONDS = 20.0


def check_wait(asked_for: float | None, reason: str) -> None:
    """Wait no longer than a person would.

    Raises:
        CommandError: the service asks for more than that.
    """
    if asked_for is not None and asked_for > LONGEST_WAIT_SECONDS:
        raise CommandError(
            f"the service takes no points for {asked_for:.0f} s: {reason}",
            hint="send the rest then, or ask the operators for a key with other limits",
            code=ExitCode.UNREACHABLE,
        )


def delay(attempt: int) -> float:
    """Seconds to wait after an attempt, counted from 0: doubling, with half of it left to chance.

    So that many senders do not come back together.
    """
    whole = min(_LONGEST_DELAY_SECONDS, _FIRST_DELAY_SECONDS * 2.0**attempt)
    return whole * random.uniform(0.5, 1.0)  # noqa: S311 - no secret hangs on it
