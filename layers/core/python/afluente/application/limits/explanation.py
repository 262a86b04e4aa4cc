"""Explanation of a throttled request to a person."""

from collections.abc import Mapping

from afluente.application.limits.decisions import Throttled
from afluente.application.limits.rules import Dimension, Subject

UNITS: Mapping[Dimension, str] = {
    Dimension.REQUESTS: "requests",
    Dimension.POINTS: "points",
    Dimension.POINTS_PER_DAY: "points",
    Dimension.BYTES_PER_DAY: "bytes",
}
"""The unit of each dimension."""

_SUBJECTS = {Subject.IP: "the address", Subject.KEY: "the key", Subject.SOURCE: "the source", Subject.CSV: "the key"}


def explain(throttled: Throttled) -> str:
    """The limit that a request exceeds, and a hint."""
    rule, unit = throttled.rule, UNITS[throttled.rule.dimension]
    size = f"{int(rule.size):,}"
    who = f"{_SUBJECTS[throttled.demand.kind]} {throttled.demand.name}"
    allowed = f"{rule.rate:,.10g} {unit} a second and {size} at once" if rule.rate else f"{size} {unit} a day (UTC)"
    if throttled.is_contended:
        return f"too many count the limit of {who} at once: send it again in {throttled.retry_after} s, which is safe"
    if throttled.retry_after is None:
        return f"{who} may send {allowed}, and this is {throttled.needed:,}: send it in parts of {size} at the most"
    return f"{who} may send {allowed}: send it again in {throttled.retry_after} s, which is safe"
