"""Limits in a function: what keeps to them is made of, and what is logged and counted of them."""

import secrets
import time
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from afluente.adapters.aws.dynamodb_limits import LIMITS_CLIENT_CONFIG, DynamoLimits
from afluente.adapters.http.answers import Answer
from afluente.adapters.http.client_address import client_address
from afluente.adapters.http.rate_limits import explained, limited, rate_limit_headers
from afluente.application.access.grants import Grant
from afluente.application.limits.decisions import Allowed, Throttled
from afluente.application.limits.limiter import Limiter
from afluente.application.limits.rate_limits import Batch, RateLimits, Sender
from afluente.application.limits.rules import Subject
from afluente.runtime.clients import client
from afluente.runtime.front import front
from afluente.runtime.observability import LogCode, Metric, count, logger
from afluente.runtime.settings import LimitedSettings

_LIMITED_BY = {
    Subject.IP: Metric.REQUESTS_LIMITED_BY_IP,
    Subject.KEY: Metric.REQUESTS_LIMITED_BY_KEY,
    Subject.SOURCE: Metric.REQUESTS_LIMITED_BY_SOURCE,
}


def rate_limits(settings: LimitedSettings, sleep: Callable[[float], None]) -> RateLimits:
    """Build the rate limits of a stage."""
    limiter = Limiter(
        DynamoLimits(client("dynamodb", config=LIMITS_CLIENT_CONFIG), settings.limits_table),
        container=secrets.token_hex(6),
        fails_open=settings.limits_fail == "open",
        sleep=sleep,
    )
    return RateLimits(limiter, settings.limits)


class LimitedRequest:
    """Request over HTTP within the rate limits.

    Args:
        limits: of the stage.
        event: of API Gateway.
        grant: of its sender.

    Raises:
        RequestError: 429, a limit of its address or of its key is over.
        UnavailableError: it cannot be counted, and the limits fail shut.
    """

    def __init__(self, limits: RateLimits, event: dict[str, Any], grant: Grant) -> None:
        self._limits = limits
        self._sender = Sender(client_address(event, front()), grant.key_id, grant.limits)
        self._taken = _passed(limits.admit_request(self._sender, time.time()))

    def admit_points(self, points: Sequence[Batch]) -> None:
        """Take the points of the request, too.

        Raises:
            RequestError: 429, a limit is over; 413, it can never be kept to with so many points.
            UnavailableError: they cannot be counted, and the limits fail shut.
        """
        self._taken = _passed(self._limits.admit_points(self._sender, points, self._taken, time.time()))

    def told(self, answer: Answer) -> Answer:
        """The answer, with how the limits stand."""
        headers = rate_limit_headers(self._taken.standings)
        return msgspec.structs.replace(answer, headers={**answer.headers, **headers}) if headers else answer


def report(answers: Sequence[Allowed | Throttled]) -> None:
    """Log and count what was over a limit, and what could not be counted."""
    overs = [answer for answer in answers if isinstance(answer, Throttled)]
    uncounted = [answer.uncounted for answer in answers if isinstance(answer, Allowed) and answer.uncounted]
    counts = {metric: sum(over.demand.kind is kind for over in overs) for kind, metric in _LIMITED_BY.items()}
    if overs:
        first = overs[0]
        logger().warning(
            "over a limit",
            code=LogCode.RATE_LIMITED,
            requests=len(overs),
            subject=first.demand.subject,
            dimension=first.rule.dimension,
            cause=explained(first),
        )
    if uncounted:
        logger().error(
            "requests not counted", code=LogCode.LIMITS_UNAVAILABLE, requests=len(uncounted), cause=uncounted[0]
        )
    if overs or uncounted:
        points = sum(over.demand.points for over in overs)
        count({**counts, Metric.POINTS_LIMITED: points, Metric.REQUESTS_UNCOUNTED: len(uncounted)})


def _passed(answer: Allowed | Throttled) -> Allowed:
    if isinstance(answer, Throttled):
        report([answer])
        raise limited(answer)
    if answer.uncounted:
        report([answer])
    return answer
