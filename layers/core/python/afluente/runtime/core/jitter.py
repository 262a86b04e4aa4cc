"""Pauses between attempts."""

import random
import time


def sleep_with_jitter(seconds: float) -> None:
    """Sleep half to one and a half times as long, so that those who failed together do not try again together."""
    time.sleep(seconds * random.uniform(0.5, 1.5))  # noqa: S311 - no secret hangs on it
