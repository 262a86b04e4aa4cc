"""SenML (RFC 8428): packs of records in JSON, resolved into points."""

from collections.abc import Mapping, Sequence
from math import inf
from typing import Any

MAX_VERSION = 10
"""RFC 8428, section 4.4: the current version; a pack of a later one must not be read."""

_RELATIVE_BELOW = 2.0**28
"""RFC 8428, section 4.5.3: a time below this is relative to now, in seconds."""

MAX_BASE_TEXT = 4_096
"""Characters of a base field. Each record takes it over: a message would grow by their number."""

STREAM_TYPE = "stream_type"
"""A field of afluente beside those of RFC 8428, whose readers ignore it (section 4.4); it holds as base fields do."""

_RFC_BASE = frozenset({"bn", "bt", "bu", "bv", "bs", "bver"})
_BASE = _RFC_BASE | {STREAM_TYPE}
_VALUES = frozenset({"v", "vs", "vb", "vd"})
_MARKS = _RFC_BASE | _VALUES | {"n", "s"}
_KNOWN = _BASE | _VALUES | {"n", "u", "s", "t", "ut"}


class SenmlError(Exception):
    """A pack that cannot be read as a whole, with the reason."""


def is_senml(document: object) -> bool:
    """Tell whether a document has the shape of a SenML pack: records, none of which has the `value` of a point."""
    return (
        isinstance(document, list)
        and bool(document)
        and all(isinstance(record, dict) and "value" not in record and record.keys() & _MARKS for record in document)
    )


def resolve(pack: Sequence[Mapping[str, Any]], *, stream_id: str, arrived_at: float) -> list[dict[str, object]]:
    """Make raw points of the records, with the base fields resolved (RFC 8428, section 4.6).

    The value of a text, boolean or data record is left as it is, for its fault to be named; a record of base fields
    alone gives no point.

    Args:
        pack: a document for which `is_senml` holds.
        stream_id: of records without a name.
        arrived_at: added to relative times, in Unix seconds.

    Raises:
        SenmlError: the pack is of a later version, or has a field that must be understood and is not, or a base field
            that is too large.
    """
    base: dict[str, Any] = {}
    points = []
    for record in pack:
        _check(record)
        base |= {name: record[name] for name in _BASE & record.keys()}
        if record.keys() <= _BASE:
            continue
        points.append(_point(record, base, stream_id, arrived_at))
    return points


def _check(record: Mapping[str, Any]) -> None:
    version = record.get("bver", MAX_VERSION)
    if type(version) is not int or version > MAX_VERSION:
        raise SenmlError(f"is SenML of version {version!a}; up to {MAX_VERSION} is read")
    for name in _BASE & record.keys():
        if isinstance(record[name], dict | list) or (
            isinstance(record[name], str) and len(record[name]) > MAX_BASE_TEXT
        ):
            raise SenmlError(f"is SenML whose {name} is no number, and no text of up to {MAX_BASE_TEXT} characters")
    unknown = sorted(name for name in record.keys() - _KNOWN if name.endswith("_"))
    if unknown:
        raise SenmlError(f"is SenML with the field {unknown[0]!a}, which must be understood and is not")


def _point(record: Mapping[str, Any], base: Mapping[str, Any], stream_id: str, arrived_at: float) -> dict[str, object]:
    name = f"{base.get('bn', '')}{record.get('n', '')}"
    metadata: dict[str, object] = {}
    # A name may hold slashes, which separate the levels of a topic.
    stream = name.replace("/", ":")
    if stream != name:
        metadata["senml_name"] = name
    unit = record.get("u", base.get("bu"))
    if unit is not None:
        metadata["unit"] = unit
    point: dict[str, object] = {"stream_id": stream or stream_id, "metadata": metadata}
    value = _value(record, base)
    if value is not None:
        point["value"] = value
    timestamp = _sum(base.get("bt", 0), record.get("t", 0))
    if type(timestamp) is float and timestamp < _RELATIVE_BELOW:
        timestamp += arrived_at
        metadata["timestamp_source"] = "arrival"
    point["timestamp"] = timestamp
    if STREAM_TYPE in base:
        point["stream_type"] = base[STREAM_TYPE]
    return point


def _value(record: Mapping[str, Any], base: Mapping[str, Any]) -> object:
    if "v" in record:
        return _sum(base.get("bv", 0), record["v"])
    return next((record[name] for name in ("vb", "vs", "vd") if name in record), None)


def _sum(base: object, own: object) -> object:
    """The sum, or the first operand that is no number."""
    for part in (base, own):
        if isinstance(part, bool) or not isinstance(part, int | float):
            return part
    try:
        return float(base) + float(own)  # type: ignore[arg-type] # numbers, by the loop above
    except OverflowError:  # an integer that no double can hold
        return inf
