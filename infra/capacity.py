"""Capacity of a stage: memory of its functions, and provisioned units of its tables."""

from typing import Annotated, Literal

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass

FunctionName = Literal[
    "http_ingest", "http_admin", "http_authorizer", "iot_rule_handler", "csv_trigger", "ws_ingest", "classifier"
]

MemoryMb = Annotated[int, Field(ge=256, le=10_240)]
"""Lambda quota "Function memory allocation"; below 256 MB the libraries leave no room for a request."""

WHOLE_PROCESSOR_MB = 1_769
"""Lambda Developer Guide, "Configure Lambda function memory": processor time is given by memory."""

MEMORY_MB: dict[FunctionName, int] = {
    "http_ingest": 512,
    "http_admin": WHOLE_PROCESSOR_MB,
    "http_authorizer": 512,
    "iot_rule_handler": 1_024,
    "csv_trigger": WHOLE_PROCESSOR_MB,
    "ws_ingest": 512,
    "classifier": 768,
}
"""Memory of a function where the stage does not set it: docs/reference/cost.md has the measurements."""

BusyTable = Literal["stream-latest", "limits", "ws-connections"]
"""Tables that points make calls to; all others are written by people, and stay on demand."""

TARGET_UTILIZATION_PERCENT = 70
"""Share of the provisioned units that autoscaling aims at: the rest is for what comes before it has scaled."""

Units = Annotated[int, Field(ge=1)]


@dataclass(frozen=True, slots=True, kw_only=True, config=ConfigDict(extra="forbid"))
class TableCapacity:
    """Provisioned capacity of a table: fixed, or the least of a range that follows the load where a maximum is given.

    Attributes:
        write_units, read_units: DynamoDB units a second.
        max_write_units, max_read_units: upper ends of the ranges; None for fixed units.
    """

    write_units: Units
    read_units: Units
    max_write_units: Units | None = None
    max_read_units: Units | None = None

    @property
    def follows_load(self) -> bool:
        """True where a range is given."""
        return self.max_write_units is not None or self.max_read_units is not None

    def __post_init__(self) -> None:
        for name in ("write_units", "read_units"):
            least, most = getattr(self, name), getattr(self, f"max_{name}")
            if most is not None and most < least:
                raise ValueError(f"max_{name} is {most}, less than {name} ({least})")
