"""What an answer over HTTP says of limits: header fields, and the problem of a request that is over one.

The fields are those of draft-ietf-httpapi-ratelimit-headers-11: `RateLimit-Policy` says which limits there are,
`RateLimit` how they stand. A token bucket is told as a quota (`q`) for the time that it takes to fill (`w`).
"""

import math
from collections.abc import Iterable

from afluente.adapters.http.requests import RequestError
from afluente.application.limits.decisions import Standing, Throttled
from afluente.application.limits.rules import (
    DAY_SECONDS,
    Dimension,
    Rule,
    Subject,
)

_NAMES = {Dimension.REQUESTS: "requests", Dimension.POINTS: "points", Dimension.POINTS_PER_DAY: "points-per-day"}
_UNITS = {Dimension.REQUESTS: "requests", Dimension.POINTS: "points", Dimension.POINTS_PER_DAY: "points"}
_SUBJECTS = {Subject.IP: "the address", Subject.KEY: "the key", Subject.SOURCE: "the source"}


def rate_limit_headers(standings: Iterable[Standing]) -> dict[str, str]:
    """The header fields of an answer; none where nothing is limited.

    Each limit once: of several sources the one that has the least left, or a packet of many devices would have more
    header than API Gateway takes.
    """
    tightest: dict[str, Standing] = {}
    for standing in standings:
        known = tightest.setdefault(_name(standing.kind, standing.rule), standing)
        if standing.remaining < known.remaining:
            tightest[_name(standing.kind, standing.rule)] = standing
    told = list(tightest.values())
    if not told:
        return {}
    return {
        "ratelimit-policy": ", ".join(_policy(standing.kind, standing.rule) for standing in told),
        "ratelimit": ", ".join(
            f'"{_name(standing.kind, standing.rule)}";r={standing.remaining};t={standing.reset}' for standing in told
        ),
    }


def limited(over: Throttled) -> RequestError:
    """The error of a request that is over a limit: 429 and when it would go through, or 413 where it never would."""
    headers = rate_limit_headers(over.standings)
    kind, rule = over.demand.kind, over.rule
    limit: dict[str, object] = {
        "subject": kind,
        "name": over.demand.name,
        "dimension": rule.dimension,
        "limit": int(rule.size),
        "needed": over.needed,
    }
    if rule.rate:
        limit["per_second"] = rule.rate
    if over.retry_after is None:
        return RequestError(413, "over_the_burst", f"{explained(over)}", headers=headers, limit=limit)
    return RequestError(
        429,
        "rate_limited",
        f"{explained(over)}; nothing of the request is taken",
        headers={**headers, "retry-after": str(over.retry_after)},
        limit={**limit, "retry_after": over.retry_after},
        **{"violated-policies": [_name(kind, rule)]},
    )


def explained(over: Throttled) -> str:
    """Which limit it is, and the way out, for a person."""
    rule, unit = over.rule, _UNITS[over.rule.dimension]
    size = f"{int(rule.size):,}"
    who = f"{_SUBJECTS[over.demand.kind]} {over.demand.name}"
    allowed = f"{rule.rate:,.10g} {unit} a second and {size} at once" if rule.rate else f"{size} {unit} a day (UTC)"
    if over.retry_after is None:
        return f"{who} may send {allowed}, and this is {over.needed:,}: send it in parts of {size} at the most"
    return f"{who} may send {allowed}: send it again in {over.retry_after} s, which is safe"


def _policy(kind: Subject, rule: Rule) -> str:
    window = math.ceil(rule.size / rule.rate) if rule.rate else DAY_SECONDS
    unit = _UNITS[rule.dimension]
    unit_told = "" if unit == "requests" else f';qu="{unit}"'
    return f'"{_name(kind, rule)}";q={int(rule.size)};w={window}{unit_told}'


def _name(kind: Subject, rule: Rule) -> str:
    return f"{kind}-{_NAMES[rule.dimension]}"
