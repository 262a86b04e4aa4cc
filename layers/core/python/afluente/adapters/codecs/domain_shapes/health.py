"""Vital signs of patients: `{patient_id, sign, value, timestamp?, sequence?, metadata?}`."""

from afluente.adapters.codecs.domain_shapes.shapes import PointOrFaults, Shape, take
from afluente.domain.datapoints import DataPoint

_SIGN = Shape(
    name="vital sign",
    make=DataPoint.from_vital_sign,
    parts=("patient_id", "sign"),
    value="value",
    words={"source_id": "patient_id", "stream_id": "sign", "stream_type": "sign"},
)


def take_vital_sign(raw: object, *, now: float) -> PointOrFaults:
    """A point of a vital sign, or its faults.

    Args:
        raw: a JSON value.
        now: the time of its arrival, in Unix seconds.
    """
    return take(raw, _SIGN, now=now)
