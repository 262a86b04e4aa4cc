"""Small factories: each makes a valid record, of which a test names only the fields that it is about."""

from collections.abc import Iterable, Sequence
from typing import Any

import pytest

from afluente.adapters.memory.access import MemoryKeyUses
from afluente.adapters.memory.limits import MemoryLimits
from afluente.application.access.api_keys import KEY_RANDOM_BYTES, ApiKey, new_key
from afluente.application.access.authentication import Authentication
from afluente.application.access.grants import Grant
from afluente.application.access.ports import ApiKeyStore
from afluente.application.access.tenants import Tenant
from afluente.application.classification.ports import Delivery
from afluente.application.csv.jobs import CsvJob, JobStatus
from afluente.application.ingest.accept_points import PointsRequest
from afluente.application.ingest.packs import ReceivedPack
from afluente.application.ingest.quarantine import QuarantinedRecord, QuarantineReason
from afluente.application.ingest.rejection import RejectedPoint
from afluente.application.limits.limiter import Limiter
from afluente.application.limits.ports import LimitStore
from afluente.application.limits.rate_limits import RateLimits
from afluente.application.limits.stage_limits import StageLimits
from afluente.application.websocket.connections import Connection
from afluente.domain.alarms import AlarmChange, AlarmEvent
from afluente.domain.classification import ClassifiedDataPoint
from afluente.domain.constraints import RateConstraints, Severity, StreamConfig, ValueConstraints, VersionedConfig
from afluente.domain.datapoints import DataPoint
from afluente.domain.evaluation import Classification, Reason
from afluente.domain.faults import Fault, FaultCode
from afluente.domain.stream_keys import StreamKey
from afluente.runtime.limiting import report_decisions

NOW = 1_700_000_000.0
"""The service's clock in tests: 14 November 2023, 22:13:20 UTC."""

PEPPER = "a pepper of the tests"

DOMAINS = ("iot", "infrastructure", "finance", "health")

GROUP = "3-of-64"

_RATES = {"abs_delta", "rel_delta", "abs_slope", "rel_slope", "severity"}


def a_point(value: float = 20.0, at: float = 0.0, **fields: Any) -> DataPoint:
    """A point of `iot/furnace-1/temperature`, `at` seconds after NOW minus an hour."""
    defaults: dict[str, Any] = {"domain": "iot", "source_id": "furnace-1", "stream_id": "temperature"}
    return DataPoint(**(defaults | {"value": value, "timestamp": NOW - 3600 + at} | fields))


def points(*values: float, **fields: Any) -> list[DataPoint]:
    """Points of one stream, a second apart."""
    return [a_point(value, float(second), **fields) for second, value in enumerate(values)]


def some_rate_limits(
    limits: StageLimits | None = None, store: LimitStore | None = None, *, fails_open: bool = False
) -> RateLimits:
    """Rate limits with their buckets in memory; without arguments they admit everything."""
    store = MemoryLimits() if store is None else store
    limiter = Limiter(store, container="tests", fails_open=fails_open, sleep=lambda _: None)
    return RateLimits(limiter, StageLimits() if limits is None else limits, on_decisions=report_decisions)


def arrived(*its_points: DataPoint, ingested_at: float = NOW) -> tuple[DataPoint, ...]:
    """The points as a transport passes them on: with the time of their arrival."""
    return tuple(
        DataPoint(**({name: getattr(point, name) for name in point.__struct_fields__} | {"ingested_at": ingested_at}))
        for point in its_points
    )


def a_config(**fields: Any) -> StreamConfig:
    """Constraints by the names of their bounds, of either table: `a_config(max_value=9, abs_delta=1)`."""
    values = {name: fields.pop(name) for name in ValueConstraints.__struct_fields__ if name in fields}
    rates = {name: fields.pop(name) for name in _RATES if name in fields}
    return StreamConfig(
        value_constraints=ValueConstraints(**values), rate_constraints=RateConstraints(**rates), **fields
    )


def constraints(version: int = 1, **fields: Any) -> VersionedConfig:
    """As `a_config`, as it is found."""
    return VersionedConfig(a_config(**fields), version)


def a_key(stream_id: str = "temperature", *, source_id: str = "furnace-1", domain: str = "iot") -> StreamKey:
    return StreamKey(domain, source_id, stream_id)


def a_received_pack(number: int, *its_points: DataPoint, group: str = GROUP) -> ReceivedPack:
    """The pack with sequence number `number`."""
    return ReceivedPack(f"message-{number}", group, number, arrived(*its_points))


def a_classified_point(value: float = 20.0, at: float = 0.0, **fields: Any) -> ClassifiedDataPoint:
    defaults: dict[str, Any] = {
        "point_id": f"{value}@{at}",
        "domain": "iot",
        "source_id": "furnace-1",
        "stream_id": "temperature",
        "value": value,
        "timestamp": NOW - 3600 + at,
        "metadata": {},
        "classification": Classification.NORMAL,
        "reason": Reason.WITHIN_CONSTRAINTS,
        "violated_constraints": {},
        "violated_rate": {},
        "late": False,
        "config_version": 1,
        "ingested_at": NOW,
        "processed_at": NOW,
    }
    return ClassifiedDataPoint(**(defaults | fields))


def a_delivery(
    *its_points: ClassifiedDataPoint,
    classification: Classification = Classification.NORMAL,
    group: str = GROUP,
) -> Delivery:
    return Delivery(classification, group, its_points)


def an_alarm_event(**fields: Any) -> AlarmEvent:
    defaults: dict[str, Any] = {
        "alarm_id": "0123456789abcdef01234567",
        "state": AlarmChange.RAISED,
        "domain": "iot",
        "source_id": "furnace-1",
        "stream_id": "temperature",
        "classification": Classification.ALERT,
        "severity": Severity.CRITICAL,
        "reason": Reason.HARD_LIMIT,
        "value": 120.0,
        "timestamp": NOW,
        "count": 3,
        "raised_at": NOW,
    }
    return AlarmEvent(**(defaults | fields))


def an_api_key(number: int = 1, **fields: Any) -> tuple[str, ApiKey]:
    """A key as its owner sends it, and its record; another for each number."""
    defaults: dict[str, Any] = {"name": "tests", "pepper": PEPPER, "now": NOW}
    return new_key(random=number.to_bytes(KEY_RANDOM_BYTES), **(defaults | fields))


def an_authentication(store: ApiKeyStore, **fields: Any) -> Authentication:
    """An authentication with the pepper of the factories, without a cache."""
    defaults: dict[str, Any] = {
        "pepper": lambda: PEPPER,
        "ttl_seconds": 0,
        "clock": lambda: NOW,
        "on_use_lost": _fail_on_lost_use,
    }
    return Authentication(store, MemoryKeyUses(), **(defaults | fields))


def _fail_on_lost_use(key_id: str) -> None:
    pytest.fail(f"the use of {key_id} was lost")


def a_grant(**fields: Any) -> Grant:
    """A grant for everything, unless the test limits it."""
    return Grant(**({"key_id": "aaaqeaye"} | fields))


def a_tenant(name: str = "acme", **fields: Any) -> Tenant:
    defaults: dict[str, Any] = {"domains": ("iot",), "sources": (f"{name}-*",), "created_at": NOW}
    return Tenant(name=name, **(defaults | fields))


def a_connection(connection_id: str = "connection-1", **fields: Any) -> Connection:
    defaults: dict[str, Any] = {
        "domain": "iot",
        "source_id": "furnace-1",
        "key_id": "aaaaaaaa",
        "opened_at": NOW,
    }
    return Connection(connection_id, **(defaults | fields))


def a_csv_job(job_id: str = "0123456789abcdef01234567", **fields: Any) -> CsvJob:
    defaults: dict[str, Any] = {
        "domain": "iot",
        "source_id": "furnace-1",
        "file": "march.csv",
        "status": JobStatus.QUEUED,
        "created_at": NOW,
        "updated_at": NOW,
    }
    return CsvJob(job_id=job_id, **(defaults | fields))


def a_request(
    *its_points: DataPoint, rejected: Sequence[RejectedPoint] = (), request_id: str = "request-1"
) -> PointsRequest:
    return PointsRequest(request_id, "http", "iot", "furnace-1", NOW, arrived(*its_points), rejected)


def a_rejected_point(index: int = 0, raw: object = None) -> RejectedPoint:
    fault = Fault(FaultCode.WRONG_TYPE, "value", "must be a number, not a string")
    return RejectedPoint(index, (fault,), {"stream_id": "temperature", "value": "hot"} if raw is None else raw)


def a_quarantined_record(record_id: str = "request-1", **fields: Any) -> QuarantinedRecord:
    defaults: dict[str, Any] = {
        "record_id": record_id,
        "reason": QuarantineReason.REJECTED_POINTS,
        "transport": "http",
        "failed_at": NOW,
        "message": "1 point(s) of the request have faults",
        "origin": {"domain": "iot", "source_id": "furnace-1"},
        "payload": "[]",
    }
    return QuarantinedRecord(**(defaults | fields))


def fields_and_codes(found: Iterable[Fault]) -> list[tuple[str, FaultCode]]:
    """The part of faults that tests assert on; their messages are for people."""
    return [(fault.field, fault.code) for fault in found]


class Clock:
    """A clock that stands still until a test moves it."""

    def __init__(self, now: float = NOW) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now
