"""How long a transport waits before it tries again, and how often it does."""

import random

MAX_ATTEMPTS = 8
"""At one request or message."""

_FIRST_DELAY_SECONDS = 0.25
_LONGEST_DELAY_SECONDS = 20.0


def delay(attempt: int) -> float:
    """Seconds to wait after an attempt, counted from 0: doubling, with half of it left to chance.

    So that many senders do not come back together.
    """
    whole = min(_LONGEST_DELAY_SECONDS, _FIRST_DELAY_SECONDS * 2.0**attempt)
    return whole * random.uniform(0.5, 1.0)  # noqa: S311 - no secret hangs on it
