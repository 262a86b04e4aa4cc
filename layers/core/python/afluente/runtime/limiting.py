"""Rate limits of a function: their composition, logs and metrics."""

import secrets
from collections.abc import Sequence

from afluente.adapters.aws.dynamodb_limits import LIMITS_CLIENT_CONFIG, DynamoLimits
from afluente.application.limits.decisions import Allowed, Throttled
from afluente.application.limits.explanation import explain
from afluente.application.limits.limiter import Limiter
from afluente.application.limits.rate_limits import RateLimits
from afluente.application.limits.rules import Subject
from afluente.runtime.core.clients import client
from afluente.runtime.core.jitter import sleep_with_jitter
from afluente.runtime.core.observability import LogCode, Metric, count, logger
from afluente.runtime.core.settings import LimitedSettings

_LIMITED_BY = {
    Subject.IP: Metric.REQUESTS_LIMITED_BY_IP,
    Subject.KEY: Metric.REQUESTS_LIMITED_BY_KEY,
    Subject.SOURCE: Metric.REQUESTS_LIMITED_BY_SOURCE,
}


def rate_limits(settings: LimitedSettings) -> RateLimits:
    """Build the rate limits of a stage."""
    limiter = Limiter(
        DynamoLimits(client("dynamodb", config=LIMITS_CLIENT_CONFIG), settings.limits_table),
        container=secrets.token_hex(6),
        fails_open=settings.limits_fail == "open",
        sleep=sleep_with_jitter,
    )
    return RateLimits(limiter, settings.limits, on_decisions=report_decisions)


def report_decisions(decisions: Sequence[Allowed | Throttled]) -> None:
    """Log and count throttled requests, and those that were allowed without being counted."""
    throttled = [decision for decision in decisions if isinstance(decision, Throttled)]
    uncounted = [its.uncounted for its in decisions if isinstance(its, Allowed) and its.uncounted]
    if throttled:
        first = throttled[0]
        logger().warning(
            "rate limited",
            code=LogCode.RATE_LIMITED,
            requests=len(throttled),
            subject=first.demand.subject,
            dimension=first.rule.dimension,
            cause=explain(first),
        )
    if uncounted:
        logger().error(
            "requests not counted", code=LogCode.LIMITS_UNAVAILABLE, requests=len(uncounted), cause=uncounted[0]
        )
    if throttled or uncounted:
        count(
            {
                **{metric: sum(its.demand.kind is kind for its in throttled) for kind, metric in _LIMITED_BY.items()},
                Metric.POINTS_LIMITED: sum(
                    its.demand.points for its in throttled if its.demand.kind is not Subject.CSV
                ),
                Metric.REQUESTS_UNCOUNTED: len(uncounted),
            }
        )
