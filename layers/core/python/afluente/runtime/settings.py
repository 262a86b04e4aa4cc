"""Settings of the functions, read from the environment once; each function has only those that it needs.

Plain pydantic rather than pydantic-settings: reading a dozen variables is a line, and the import would add 150 ms to
each cold start.
"""

from collections.abc import Mapping
from datetime import date
from typing import Annotated, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, InstanceOf

from afluente.application.limits.stage_limits import StageLimits, decode_limits

PREFIX = "AFLUENTE_"


def _split(value: object) -> object:
    return tuple(part.strip() for part in value.split(",")) if isinstance(value, str) else value


def _none_if_empty(value: object) -> object:
    return None if value == "" else value


Names = Annotated[tuple[str, ...], BeforeValidator(_split)]
"""Names with commas between them."""

OptionalDate = Annotated[date | None, BeforeValidator(_none_if_empty)]
"""A date as 2026-12-31, or nothing."""


class _Settings(BaseModel):
    model_config = ConfigDict(frozen=True)

    @classmethod
    def read(cls, environment: Mapping[str, str]) -> Self:
        """Read the settings from variables with the prefix `AFLUENTE_`.

        Raises:
            pydantic.ValidationError: a variable is missing or has a wrong value; it names each.
        """
        variables = {name: PREFIX + name.upper() for name in cls.model_fields}
        return cls.model_validate(
            {name: environment[variable] for name, variable in variables.items() if variable in environment}
        )


def _limits(value: object) -> object:
    return decode_limits(value) if isinstance(value, str) else value


DecodedLimits = Annotated[InstanceOf[StageLimits], BeforeValidator(_limits)]
"""Limits, as JSON."""


class LimitedSettings(_Settings):
    """What a function has to know that keeps to limits."""

    limits: DecodedLimits = StageLimits()
    limits_fail: Literal["open", "shut"] = "open"
    limits_table: str = ""


class AcceptingSettings(_Settings):
    """What a function has to know that accepts points."""

    domains: Names
    shards: int = Field(ge=1, le=1024)
    datapoints_queue_url: str
    quarantine_bucket: str


class HttpIngestSettings(AcceptingSettings, LimitedSettings):
    """Settings of `http_ingest`."""

    enable_agnostic_api: bool = True
    enable_csv_ingest: bool = True
    enable_legacy_api: bool = True
    old_clients_deprecated_on: OptionalDate = None
    old_clients_sunset_on: OptionalDate = None
    old_clients_guide_url: str = ""
    migration_table: str = ""
    sensors_ttl_seconds: float = Field(default=60, ge=0)
    csv_bucket: str = ""
    csv_jobs_table: str = ""
    csv_job_retention_days: int = Field(default=90, ge=1)


class IotRuleHandlerSettings(AcceptingSettings, LimitedSettings):
    """Settings of `iot_rule_handler`."""

    migration_table: str = ""
    sensors_ttl_seconds: float = Field(default=60, ge=0)


class WsIngestSettings(AcceptingSettings, LimitedSettings):
    """Settings of `ws_ingest`."""

    access_table: str
    key_pepper_secret: str
    connections_table: str
    unanswered_queue_url: str
    websocket_api_id: str
    websocket_stage: str
    websocket_management_url: str
    key_ttl_seconds: float = Field(default=25, ge=0)


class CsvTriggerSettings(AcceptingSettings):
    """Settings of `csv_trigger`."""

    csv_bucket: str
    csv_jobs_table: str
    csv_jobs_queue_url: str
    csv_split_bytes: int = Field(default=256 * 1024 * 1024, ge=1)
    csv_parts: int = Field(default=4, ge=1, le=16)
    csv_job_retention_days: int = Field(default=90, ge=1)


class HttpAuthorizerSettings(_Settings):
    """Settings of `http_authorizer`."""

    access_table: str
    key_pepper_secret: str
    key_ttl_seconds: float = Field(default=15, ge=0)
    limits: DecodedLimits = StageLimits()


class HttpAdminSettings(LimitedSettings):
    """Settings of `http_admin`."""

    domains: Names
    constraints_table: str
    constraint_history_table: str
    alarm_log_group: str


class ClassifierSettings(_Settings):
    """Settings of `classifier`."""

    datapoints_queue_url: str
    stream_alert: str
    stream_warning: str
    stream_anomaly: str
    stream_normal: str
    latest_table: str
    constraints_table: str
    use_agnostic_constraints: bool = True
    old_sql_secret: str = ""
    old_sql_tables: str = ""
    migration_table: str = ""
    constraints_ttl_seconds: float = Field(default=60, ge=0)
    one_point_a_record: bool = False
    quarantine_bucket: str
    alarm_bus: str
    alarm_log_group: str
    alarm_log_stream: str

    @property
    def has_legacy_tables(self) -> bool:
        """Whether points of the legacy service are classified by its own tables."""
        return bool(self.old_sql_secret) and not self.use_agnostic_constraints
