"""The names of the legacy tables and their columns, as people configure them; by default the classic names."""

from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

Name = Annotated[str, Field(min_length=1, max_length=128)]


class TableNamesError(ValueError):
    """Invalid names; the message lists them, with hints."""


class TableName(BaseModel):
    """The names of a table: `table` is its own, every other field that of a column."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    table: Name

    @property
    def columns(self) -> dict[str, str]:
        """The names of the columns, by their classic names."""
        return {meaning: name for meaning, name in self if meaning != "table"}


class AlertThresholdsName(TableName):
    """`alert_thresholds`."""

    table: Name = "alert_thresholds"
    id: Name = "id"
    sensor_id: Name = "sensor_id"
    threshold_min: Name = "threshold_min"
    threshold_max: Name = "threshold_max"
    warning_min: Name = "warning_min"
    warning_max: Name = "warning_max"
    physical_min: Name = "physical_min"
    physical_max: Name = "physical_max"
    severity: Name = "severity"
    consecutive_violations: Name = "consecutive_violations"
    cooldown_seconds: Name = "cooldown_seconds"
    active: Name = "active"
    updated_at: Name = "updated_at"


class DeltaThresholdsName(TableName):
    """`delta_thresholds`."""

    table: Name = "delta_thresholds"
    id: Name = "id"
    sensor_id: Name = "sensor_id"
    abs_delta: Name = "abs_delta"
    rel_delta: Name = "rel_delta"
    abs_slope: Name = "abs_slope"
    rel_slope: Name = "rel_slope"
    severity: Name = "severity"
    active: Name = "active"
    updated_at: Name = "updated_at"


class LatestName(TableName):
    """`sensor_readings_latest`."""

    table: Name = "sensor_readings_latest"
    sensor_id: Name = "sensor_id"
    latest_value: Name = "latest_value"
    latest_timestamp: Name = "latest_timestamp"


class SensorsName(TableName):
    """`sensors`."""

    table: Name = "sensors"
    id: Name = "id"
    uuid: Name = "uuid"
    device_id: Name = "device_id"
    sensor_type: Name = "sensor_type"


class DevicesName(TableName):
    """`devices`."""

    table: Name = "devices"
    id: Name = "id"
    uuid: Name = "uuid"


class TableNames(BaseModel):
    """All names.

    Attributes:
        db_schema: the schema of all tables, written as `schema`; the user's own if None.

    Example:
        >>> TableNames.read({"schema": "dbo", "sensors": {"table": "Sensors", "id": "SensorId"}}).sensors.id
        'SensorId'
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    db_schema: Name | None = Field(default=None, alias="schema")
    alert_thresholds: AlertThresholdsName = AlertThresholdsName()
    delta_thresholds: DeltaThresholdsName = DeltaThresholdsName()
    sensor_readings_latest: LatestName = LatestName()
    sensors: SensorsName = SensorsName()
    devices: DevicesName = DevicesName()

    @property
    def tables(self) -> dict[str, TableName]:
        """The tables by their classic names."""
        return {classic: name for classic, name in self if isinstance(name, TableName)}

    @classmethod
    def read(cls, document: object) -> Self:
        """Read the names that differ from the classic ones, from a file or a setting.

        Args:
            document: an object of tables, each an object of names; as JSON text or as a Python object.

        Raises:
            TableNamesError: a name is unknown or invalid; the message lists all faults.
        """
        try:
            return cls.model_validate_json(document) if isinstance(document, str) else cls.model_validate(document)
        except ValidationError as error:
            raise TableNamesError("; ".join(map(_message, error.errors()))) from None


def _message(fault: object) -> str:
    match fault:
        case {"type": "extra_forbidden", "loc": (table, column)}:
            known = ", ".join(type(TableNames().tables[table]).model_fields)
            return f"{table}.{column}: there is no such name to give; there are {known}"
        case {"type": "extra_forbidden", "loc": (table,)}:
            return f"{table}: there is no such table; there are {', '.join(TableNames().tables)}"
        case {"loc": place, "msg": message} if isinstance(place, tuple):
            return f"{'.'.join(map(str, place)) or 'the names'}: {message}"
    return str(fault)
