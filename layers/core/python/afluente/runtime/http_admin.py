"""Composition of `http_admin`."""

from collections.abc import Callable, Mapping
from functools import partial

import msgspec

from afluente.adapters.aws.cloudwatch_alarm_log import LogGroupAlarmLog
from afluente.adapters.aws.dynamodb_constraints import DynamoConstraintsCatalogue
from afluente.adapters.http.client_address import Front
from afluente.application.alarms.ports import AlarmLog
from afluente.application.constraints.ports import ConstraintsCatalogue
from afluente.application.limits.rate_limits import RateLimits
from afluente.runtime.core.clients import client
from afluente.runtime.core.jitter import sleep_with_jitter
from afluente.runtime.core.settings import HttpSettings, Names
from afluente.runtime.front import front
from afluente.runtime.limiting import rate_limits


class HttpAdminSettings(HttpSettings):
    """Settings of `http_admin`."""

    domains: Names
    constraints_table: str
    constraint_history_table: str
    alarm_log_group: str


class HttpAdmin(msgspec.Struct, frozen=True):
    """Ports and use cases of `http_admin`.

    Attributes:
        settings: of the function.
        constraints: gives the constraints as the author of changes that it is called with sees them.
        alarms: alarms that were raised and cleared.
        limits: of requests.
        front: of the stage, if it has one.
    """

    settings: HttpAdminSettings
    constraints: Callable[[str], ConstraintsCatalogue]
    alarms: AlarmLog
    limits: RateLimits
    front: Front | None


def compose(environment: Mapping[str, str]) -> HttpAdmin:
    """Build `http_admin`."""
    settings = HttpAdminSettings.read(environment)
    return HttpAdmin(
        settings=settings,
        constraints=partial(_catalogue, settings),
        alarms=LogGroupAlarmLog(client("logs"), settings.alarm_log_group),
        limits=rate_limits(settings),
        front=front(settings.front_secrets),
    )


def _catalogue(settings: HttpAdminSettings, by: str) -> DynamoConstraintsCatalogue:
    tables = settings.constraints_table, settings.constraint_history_table
    return DynamoConstraintsCatalogue(client("dynamodb"), *tables, by=by, sleep=sleep_with_jitter)
