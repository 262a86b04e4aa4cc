"""Composition of `iot_rule_handler`."""

import os
from concurrent.futures import Executor, ThreadPoolExecutor
from functools import cache

import msgspec

from afluente.application.ingest.accept_points import AcceptPoints
from afluente.application.ingest.ports import Quarantine
from afluente.application.limits.rate_limits import RateLimits
from afluente.migration.application.sensors import SensorLookup
from afluente.runtime.ingest import accept_points, s3_quarantine
from afluente.runtime.jitter import sleep_with_jitter
from afluente.runtime.limiting import rate_limits
from afluente.runtime.migration.sensors import sensor_lookup
from afluente.runtime.settings import IotRuleHandlerSettings

_PARALLEL_CALLS = 16


class IotRuleHandler(msgspec.Struct, frozen=True):
    """What `iot_rule_handler` works with."""

    settings: IotRuleHandlerSettings
    accept: AcceptPoints
    quarantine: Quarantine
    executor: Executor
    sensors: SensorLookup
    limits: RateLimits


@cache
def iot_rule_handler() -> IotRuleHandler:
    """Build `iot_rule_handler`."""
    settings = IotRuleHandlerSettings.read(os.environ)
    quarantine = s3_quarantine(settings)
    return IotRuleHandler(
        settings=settings,
        accept=accept_points(settings, quarantine),
        quarantine=quarantine,
        executor=ThreadPoolExecutor(_PARALLEL_CALLS),
        sensors=sensor_lookup(settings.migration_table, ttl_seconds=settings.sensors_ttl_seconds),
        limits=rate_limits(settings, sleep_with_jitter),
    )
