"""Metrics of servers: `{host, metric, value, timestamp?, sequence?, metadata?}`."""

from afluente.adapters.codecs.domain_shapes.shapes import PointOrFaults, Shape, take
from afluente.domain.datapoints import DataPoint

_METRIC = Shape(
    name="metric",
    make=DataPoint.from_server_metric,
    parts=("host", "metric"),
    value="value",
    words={"source_id": "host", "stream_id": "metric", "stream_type": "metric"},
)


def take_metric(raw: object, *, now: float) -> PointOrFaults:
    """A point of a metric, or its faults.

    Args:
        raw: a JSON value.
        now: the time of its arrival, in Unix seconds.
    """
    return take(raw, _METRIC, now=now)
