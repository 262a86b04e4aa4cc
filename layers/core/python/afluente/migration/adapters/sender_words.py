"""Values as legacy clients write them: times as text or numbers, and faults by the sender's field names."""

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec

from afluente.adapters.codecs.json_points import with_arrival_fault
from afluente.domain.datapoints import DataPoint
from afluente.domain.faults import Fault, FaultCode, FaultyError
from afluente.domain.stream_keys import json_type

PLACEHOLDER = "_"
"""In place of a name that is not known yet, or whose fault is reported already."""

_ARRIVAL = {"timestamp_source": "arrival"}
# Since 1973, so that no date without dashes is taken for one.
_UNIX_SECONDS = re.compile(r"\d{9,20}(?:\.\d*)?", re.ASCII)
# A date with dashes, or without them and with a time: digits alone could be Unix seconds.
_ISO_8601 = re.compile(r"\d{4}-\d\d-\d\d.*|\d{8}[Tt ]\d.*", re.ASCII)
_SHOWN = 40


def point_or_faults(
    arguments: Mapping[str, Any], *, words: Mapping[str, str], known: Iterable[Fault], now: float
) -> DataPoint | tuple[Fault, ...]:
    """The point of a sensor's reading, or all its faults by the sender's field names.

    Args:
        arguments: of `DataPoint.from_iot_reading`; without a timestamp the point gets the time of its arrival, and
            metadata that says so.
        words: the sender's names of a point's fields, where they differ.
        known: faults found already.
        now: the time of its arrival, in Unix seconds.
    """
    arguments = dict(arguments)
    if arguments.get("timestamp") is None:
        arguments |= {"timestamp": now, "metadata": _ARRIVAL}
    own: tuple[Fault, ...] = ()
    try:
        point = DataPoint.from_iot_reading(**arguments)
    except FaultyError as error:
        own = error.faults
    faults = (*known, *(_in_words(fault, words) for fault in with_arrival_fault(own, arguments["timestamp"], now)))
    return faults or msgspec.structs.replace(point, ingested_at=now)


def time_of(value: object, field: str, faults: list[Fault]) -> object:
    """A time in Unix seconds: of ISO 8601 text, UTC where it names no zone; of a number as it is.

    Text of such a number counts as one, since some clients quote all that they send.

    Args:
        value: a JSON value.
        field: the sender's name of the field.
        faults: gets one more if the value is no time.

    Returns:
        None if the value is absent or no time.
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


def shown(text: str) -> str:
    """The beginning of a text, quoted for a message."""
    return f"{text if len(text) <= _SHOWN else text[:_SHOWN] + '...'!a}"


def _in_words(fault: Fault, words: Mapping[str, str]) -> Fault:
    return msgspec.structs.replace(fault, field=words.get(fault.field, fault.field))
