"""What all shapes share: their names for things, times as people write them, and faults in the sender's own words."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from afluente.adapters.codecs.json_points import with_arrival_fault
from afluente.domain.datapoints import DataPoint
from afluente.domain.faults import Fault, FaultCode, FaultyError
from afluente.domain.stream_keys import json_type, part_faults

PointOrFaults = DataPoint | tuple[Fault, ...]
"""A point, or every fault that keeps a measurement from being one."""

ARRIVAL = {"timestamp_source": "arrival"}
"""Metadata of a point that has the time of its arrival."""

PLACEHOLDER = "_"
"""In place of a name that is not known yet, or has a fault that is told already."""

# Since 1973, so that no date without dashes is taken for one.
_UNIX_SECONDS = re.compile(r"\d{9,20}(?:\.\d*)?", re.ASCII)
# A date with dashes, or without them and with a time: digits alone could be Unix seconds.
_ISO_8601 = re.compile(r"\d{4}-\d\d-\d\d.*|\d{8}[Tt ]\d.*", re.ASCII)
_SHOWN = 40


class Shape(msgspec.Struct, frozen=True):
    """A measurement as a field of use knows it.

    Attributes:
        name: what it is called.
        make: its factory, by the shape's own names.
        parts: the fields that become parts of the stream's key, or its type; all of them are required.
        optional_parts: such fields that may be left out.
        value: what the value is called.
        words: what the shape calls the fields of a point.
    """

    name: str
    make: Callable[..., DataPoint]
    parts: Sequence[str]
    value: str
    words: Mapping[str, str]
    optional_parts: Sequence[str] = ()


def take(raw: object, shape: Shape, *, now: float) -> PointOrFaults:
    """Read a measurement; a null is a field left out.

    Args:
        raw: a JSON value.
        shape: that it is to be of; beside its own fields it has `timestamp`, `sequence` and `metadata`.
        now: the time of its arrival, in Unix seconds.
    """
    if not isinstance(raw, dict):
        return (Fault(FaultCode.WRONG_TYPE, shape.name, f"must be an object, not {json_type(raw)}"),)
    faults: list[Fault] = []
    names = {name: _part(raw, name, faults) for name in (*shape.parts, *_given(raw, shape.optional_parts))}
    measured: dict[str, object] = {name: raw[name] for name in _given(raw, ("sequence", "metadata"))}
    if shape.value in raw:
        measured[shape.value] = raw[shape.value]
    else:
        faults.append(Fault(FaultCode.MISSING, shape.value, "is required"))
        measured[shape.value] = 0
    measured["timestamp"] = time_of(raw.get("timestamp"), "timestamp", faults)
    return made(shape.make, names | measured, words=shape.words, told=faults, now=now)


def time_of(value: object, field: str, faults: list[Fault]) -> object:
    """When something was measured, in Unix seconds: of ISO 8601 text, where no zone is UTC, or of a number as it is.

    Text of such a number is one too, as some clients quote all that they send.

    None where nothing is said, and where it is no time, which is a fault more.
    """
    if value is None or (isinstance(value, int | float) and not isinstance(value, bool)):
        return value
    if not isinstance(value, str):
        message = f"must be ISO 8601 text or Unix seconds, not {json_type(value)}"
        faults.append(Fault(FaultCode.WRONG_TYPE, field, message))
        return None
    if _UNIX_SECONDS.fullmatch(value):
        return float(value) if "." in value else int(value)
    try:
        moment = datetime.fromisoformat(value) if _ISO_8601.fullmatch(value) else None
    except ValueError:
        moment = None
    if moment is None:
        message = f"is no time: {shown(value)}; send ISO 8601 such as 2026-11-24T04:05:18Z, or Unix seconds as a number"
        faults.append(Fault(FaultCode.OUT_OF_RANGE, field, message))
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def made(
    make: Callable[..., DataPoint],
    arguments: Mapping[str, Any],
    *,
    words: Mapping[str, str],
    told: Iterable[Fault],
    now: float,
) -> PointOrFaults:
    """What a factory makes, or all faults of its arguments in the sender's words.

    Args:
        make: the factory.
        arguments: of it; without a `timestamp` the point has the time of its arrival, and says so.
        words: what the sender calls the fields of a point.
        told: faults that are known already.
        now: the time of its arrival, in Unix seconds.
    """
    arguments = dict(arguments)
    if arguments.get("timestamp") is None:
        arguments["timestamp"] = now
        if isinstance(arguments.get("metadata", {}), dict):
            arguments["metadata"] = {**arguments.get("metadata", {}), **ARRIVAL}
    its: tuple[Fault, ...] = ()
    try:
        point = make(**arguments)
    except FaultyError as error:
        its = error.faults
    faults = (*told, *(in_words(fault, words) for fault in with_arrival_fault(its, arguments["timestamp"], now)))
    return faults or msgspec.structs.replace(point, ingested_at=now)


def shown(text: str) -> str:
    """The beginning of what somebody sent, for a message."""
    return f"{text if len(text) <= _SHOWN else text[:_SHOWN] + '...'!a}"


def in_words(fault: Fault, words: Mapping[str, str]) -> Fault:
    """A fault of a point's field as one of the field that the sender knows."""
    return msgspec.structs.replace(fault, field=words.get(fault.field, fault.field))


def _given(raw: Mapping[str, object], names: Iterable[str]) -> list[str]:
    return [name for name in names if raw.get(name) is not None]


def _part(raw: Mapping[str, object], name: str, faults: list[Fault]) -> str:
    """A name of the measurement, or what may stand for one that has a fault."""
    if name not in raw:
        faults.append(Fault(FaultCode.MISSING, name, "is required"))
        return PLACEHOLDER
    its = part_faults(name, raw[name])
    faults += its
    return PLACEHOLDER if its else str(raw[name])
