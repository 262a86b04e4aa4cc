"""Settings of the functions, read from the environment once; each function has only those that it needs."""

from typing import Annotated

from pydantic import BeforeValidator, Field
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict


def _split(value: object) -> object:
    return tuple(part.strip() for part in value.split(",")) if isinstance(value, str) else value


Names = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split)]
"""Names with commas between them."""


class _Settings(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="AFLUENTE_", frozen=True)

    stage: str


class HttpIngestSettings(_Settings):
    """Settings of `http_ingest`."""

    domains: Names
    shards: int = Field(ge=1, le=1024)
    datapoints_queue_url: str
    quarantine_bucket: str


class HttpAuthorizerSettings(_Settings):
    """Settings of `http_authorizer`."""

    api_keys_table: str


class ClassifierSettings(_Settings):
    """Settings of `classifier`."""

    datapoints_queue_url: str
    stream_alert: str
    stream_warning: str
    stream_anomaly: str
    stream_normal: str
    latest_table: str
    constraints_table: str
    constraints_ttl_seconds: float = Field(default=60, ge=0)
    one_point_a_record: bool = False
    quarantine_bucket: str
    alarm_bus: str
    alarm_log_group: str
    alarm_log_stream: str
