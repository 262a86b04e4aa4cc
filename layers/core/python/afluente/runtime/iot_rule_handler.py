"""Composition of `iot_rule_handler`."""

import time
from collections.abc import Mapping
from concurrent.futures import Executor, ThreadPoolExecutor

import msgspec
from pydantic import Field

from afluente.application.ingest.accept_points import AcceptPoints
from afluente.application.ingest.ports import Quarantine
from afluente.application.ingest.quarantine_breaker import QuarantineBreaker
from afluente.application.limits.rate_limits import RateLimits
from afluente.migration.application.sensors import SensorLookup
from afluente.runtime.core.settings import AcceptingSettings, LimitedSettings
from afluente.runtime.ingest import accept_points, s3_quarantine
from afluente.runtime.limiting import rate_limits
from afluente.runtime.migration.sensors import sensor_lookup

# As many as a client has connections.
_PARALLEL_CALLS = 32


class IotRuleHandlerSettings(AcceptingSettings, LimitedSettings):
    """Settings of `iot_rule_handler`."""

    migration_table: str = ""
    sensors_ttl_seconds: float = Field(default=60, ge=0)
    mqtt_message_points: int = Field(default=1_000, ge=1)


class IotRuleHandler(msgspec.Struct, frozen=True):
    """Ports and use cases of `iot_rule_handler`."""

    settings: IotRuleHandlerSettings
    accept: AcceptPoints
    quarantine: Quarantine
    executor: Executor
    sensors: SensorLookup
    limits: RateLimits


def compose(environment: Mapping[str, str]) -> IotRuleHandler:
    """Build `iot_rule_handler`."""
    settings = IotRuleHandlerSettings.read(environment)
    quarantine = QuarantineBreaker(s3_quarantine(settings), clock=time.monotonic)
    return IotRuleHandler(
        settings=settings,
        accept=accept_points(settings, quarantine),
        quarantine=quarantine,
        executor=ThreadPoolExecutor(_PARALLEL_CALLS),
        sensors=sensor_lookup(settings.migration_table, ttl_seconds=settings.sensors_ttl_seconds),
        limits=rate_limits(settings),
    )
