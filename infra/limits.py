"""The rate limits of a stage: the values of its preset, and those of its file in their place."""

from collections.abc import Iterator
from typing import Any

import msgspec

from afluente.application.limits.stage_limits import CsvLimits, Limits, RefusedKeys, StageLimits

DEFAULT_LIMITS = StageLimits(
    ip=Limits(requests_per_second=500.0, requests_burst=1_000),
    key=Limits(
        requests_per_second=500.0,
        requests_burst=1_000,
        points_per_second=50_000.0,
        points_burst=200_000,
        points_per_day=1_000_000_000,
    ),
    source=Limits(
        requests_per_second=100.0,
        requests_burst=400,
        points_per_second=20_000.0,
        points_burst=100_000,
        points_per_day=500_000_000,
    ),
    csv=CsvLimits(bytes_per_day=100_000_000_000),
    refused_keys=RefusedKeys(per_second=10, burst=100),
)

_WIDE = Limits(
    requests_per_second=10_000.0, requests_burst=20_000, points_per_second=1_000_000.0, points_burst=5_000_000
)
LOCAL_LIMITS = StageLimits(
    ip=_WIDE,
    key=_WIDE,
    source=_WIDE,
    csv=CsvLimits(bytes_per_day=1_000_000_000_000),
    refused_keys=RefusedKeys(per_second=100.0, burst=1_000),
)
"""Wide enough for tests and benchmarks, which send all they can from one address."""


def with_values(limits: StageLimits, table: object) -> StageLimits:
    """The limits with the values of a table of a stage's file in their place.

    Raises:
        ValueError: names each fault of the table by its path.
    """
    faults = list(_faults(StageLimits, table, "limits"))
    if faults:
        raise ValueError("; ".join(faults))
    return msgspec.convert(_merged(msgspec.to_builtins(limits), table), StageLimits, strict=False)


def _faults(record: type[msgspec.Struct], table: object, path: str) -> Iterator[str]:
    if not isinstance(table, dict):
        yield f"{path}: has to be a table"
        return
    types = {field.name: field.type for field in msgspec.structs.fields(record)}
    for name, value in table.items():
        where = f"{path}.{name}"
        if name not in types:
            yield f"{where}: there is no such limit; there are {', '.join(types)}"
        elif isinstance(types[name], type):
            yield from _faults(types[name], value, where)
        else:
            yield from _faults_of_a_number(types[name], value, where)


def _faults_of_a_number(type_: Any, value: object, path: str) -> Iterator[str]:
    try:
        msgspec.convert(value, type_, strict=False)
    except msgspec.ValidationError as error:
        yield f"{path}: {error}"


def _merged(values: dict[str, Any], table: Any) -> dict[str, Any]:
    return values | {
        name: _merged(values[name], value) if isinstance(value, dict) else value for name, value in table.items()
    }
