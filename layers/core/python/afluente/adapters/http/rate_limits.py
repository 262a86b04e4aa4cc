"""Rate limits over HTTP: header fields of an answer, and the problem of a throttled request.

The fields are those of draft-ietf-httpapi-ratelimit-headers-11: `RateLimit-Policy` names the limits, `RateLimit` their
standing. A token bucket is shown as a quota (`q`) for the time that it takes to fill (`w`).
"""

import math
from collections.abc import Iterable

from afluente.adapters.http.errors import RequestError
from afluente.application.limits.decisions import Standing, Throttled
from afluente.application.limits.explanation import UNITS, explain
from afluente.application.limits.rules import DAY_SECONDS, Dimension, Rule, Subject

_NAMES = {
    Dimension.REQUESTS: "requests",
    Dimension.POINTS: "points",
    Dimension.POINTS_PER_DAY: "points-per-day",
    Dimension.BYTES_PER_DAY: "bytes-per-day",
}
# The draft's own name of a unit.
_QUOTA_UNITS = {"bytes": "content-bytes"}


def rate_limit_headers(standings: Iterable[Standing]) -> dict[str, str]:
    """The header fields of an answer; none where nothing is limited.

    Each limit once: of several sources the one that has the least left, or a packet of many devices would have more
    header than API Gateway takes.
    """
    tightest: dict[str, Standing] = {}
    for standing in standings:
        name = _name(standing.kind, standing.rule)
        if name not in tightest or standing.remaining < tightest[name].remaining:
            tightest[name] = standing
    if not tightest:
        return {}
    return {
        "ratelimit-policy": ", ".join(_policy(name, standing.rule) for name, standing in tightest.items()),
        "ratelimit": ", ".join(f'"{name}";r={its.remaining};t={its.reset}' for name, its in tightest.items()),
    }


def rate_limited(throttled: Throttled) -> RequestError:
    """The error of a throttled request: 429 and when to retry it, or 413 where it would never be allowed."""
    headers = rate_limit_headers(throttled.standings)
    kind, rule = throttled.demand.kind, throttled.rule
    limit: dict[str, object] = {
        "subject": kind,
        "name": throttled.demand.name,
        "dimension": rule.dimension,
        "limit": int(rule.size),
        "needed": throttled.needed,
    }
    if rule.rate:
        limit["per_second"] = rule.rate
    if throttled.retry_after is None and kind is Subject.CSV:
        return RequestError(413, "file_too_large", explain(throttled), headers=headers)
    if throttled.retry_after is None:
        return RequestError(413, "over_the_burst", explain(throttled), headers=headers, limit=limit)
    return RequestError(
        429,
        "rate_limited",
        f"{explain(throttled)}; nothing of the request is taken",
        headers={**headers, "retry-after": str(throttled.retry_after)},
        limit={**limit, "retry_after": throttled.retry_after},
        **{"violated-policies": [_name(kind, rule)]},
    )


def _policy(name: str, rule: Rule) -> str:
    window = math.ceil(rule.size / rule.rate) if rule.rate else DAY_SECONDS
    unit = UNITS[rule.dimension]
    quota_unit = "" if unit == "requests" else f';qu="{_QUOTA_UNITS.get(unit, unit)}"'
    return f'"{name}";q={int(rule.size)};w={window}{quota_unit}'


def _name(kind: Subject, rule: Rule) -> str:
    return f"{kind}-{_NAMES[rule.dimension]}"
