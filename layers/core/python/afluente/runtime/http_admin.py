"""Composition of `http_admin`."""

import os
from collections.abc import Callable
from functools import cache, partial

import msgspec

from afluente.adapters.aws.cloudwatch_alarm_log import LogGroupAlarmLog
from afluente.adapters.aws.dynamodb_constraints import DynamoConstraintsCatalogue
from afluente.application.alarms.ports import AlarmLog
from afluente.application.constraints.ports import ConstraintsCatalogue
from afluente.application.limits.rate_limits import RateLimits
from afluente.runtime.clients import client
from afluente.runtime.jitter import sleep_with_jitter
from afluente.runtime.limiting import rate_limits
from afluente.runtime.settings import HttpAdminSettings


class HttpAdmin(msgspec.Struct, frozen=True):
    """What `http_admin` works with.

    Attributes:
        settings: of the function.
        constraints: the constraints, to be written to in the name of the one that is given.
        alarms: what was raised and cleared.
        limits: of requests.
    """

    settings: HttpAdminSettings
    constraints: Callable[[str], ConstraintsCatalogue]
    alarms: AlarmLog
    limits: RateLimits


@cache
def http_admin() -> HttpAdmin:
    """Build `http_admin`."""
    settings = HttpAdminSettings.read(os.environ)
    alarms = LogGroupAlarmLog(client("logs"), settings.alarm_log_group)
    return HttpAdmin(settings, partial(_catalogue, settings), alarms, rate_limits(settings, sleep_with_jitter))


def _catalogue(settings: HttpAdminSettings, by: str) -> DynamoConstraintsCatalogue:
    tables = settings.constraints_table, settings.constraint_history_table
    return DynamoConstraintsCatalogue(client("dynamodb"), *tables, by=by, sleep=sleep_with_jitter)
