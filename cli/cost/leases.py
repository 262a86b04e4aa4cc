"""Calls of rate limits to their table: the limiter itself runs against a table in memory."""

from functools import lru_cache

from afluente.adapters.memory.limits import MemoryLimits
from afluente.application.limits.decisions import Allowed, Batch
from afluente.application.limits.limiter import Limiter
from afluente.application.limits.rate_limits import RateLimits, Sender
from afluente.application.limits.stage_limits import StageLimits

_REQUESTS = 400
_BEGIN = 1_795_492_800.0


@lru_cache(maxsize=64)
def leases_a_request(limits: StageLimits, *, seconds: float, points: int, has_key: bool) -> tuple[float, float]:
    """Reads and writes of a request of one source in its steady state.

    Args:
        limits: of the stage.
        seconds: between two requests of the source.
        points: of a request.
        has_key: true of requests with an address and a key, false of messages of devices.
    """
    store = MemoryLimits()
    limiter = Limiter(store, container="cost", fails_open=False, sleep=lambda _: None)
    admitting = RateLimits(limiter, limits)
    batches = [Batch("iot/a-source", points)]
    now = _BEGIN
    loads = saves = 0
    for number in range(2 * _REQUESTS):
        if number == _REQUESTS:
            loads, saves = store.loads, store.saves
        now += seconds
        if has_key:
            sender = Sender("192.0.2.1", "a-key")
            admitted = admitting.admit_request(sender, now)
            if isinstance(admitted, Allowed):
                admitting.admit_points(sender, batches, admitted, now)
        else:
            admitting.admit_messages([batches], now)
    return (store.loads - loads) / _REQUESTS, (store.saves - saves) / _REQUESTS
