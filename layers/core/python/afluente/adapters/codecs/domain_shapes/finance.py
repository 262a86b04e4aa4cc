"""Ticks of markets: `{symbol, price, timestamp?, venue?, field?, sequence?, metadata?}`."""

from afluente.adapters.codecs.domain_shapes.shapes import PointOrFaults, Shape, take
from afluente.domain.datapoints import DataPoint

_TICK = Shape(
    name="tick",
    make=DataPoint.from_financial_tick,
    parts=("symbol",),
    optional_parts=("venue", "field"),
    value="price",
    words={"source_id": "venue", "stream_id": "symbol", "stream_type": "field", "value": "price"},
)


def take_tick(raw: object, *, now: float) -> PointOrFaults:
    """A point of a tick, or its faults.

    Args:
        raw: a JSON value.
        now: the time of its arrival, in Unix seconds.
    """
    return take(raw, _TICK, now=now)
