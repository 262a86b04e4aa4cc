"""Bill of a workload: units by service, with their dollars."""

from collections.abc import Iterator, Mapping
from math import ceil

import msgspec

from cli.cost.calls import Calls
from cli.cost.model import units_of
from cli.cost.prices import HOURS_A_MONTH, PRICES, SECONDS_A_MONTH
from cli.cost.workload import StageOptions, Workload
from infra.capacity import TARGET_UTILIZATION_PERCENT, TableCapacity

_BILLION = 1e9
_STREAMS = 4
_ALARMS = 12
# Lambda keeps five pollers at each queue, each of which asks at least every 20 seconds.
_QUEUES, _POLLERS, _POLL_SECONDS = 5, 5, 20

SHARD_BYTES_PER_SECOND = 1024 * 1024
SHARD_RECORDS_PER_SECOND = 1_000
"""Kinesis quotas of a shard."""


class Line(msgspec.Struct, frozen=True):
    """A line of a bill.

    Attributes:
        service: of AWS.
        what: that is billed.
        units: a month.
        unit: that the price is for.
        dollars: a month.
        is_idle: billed without any traffic too.
    """

    service: str
    what: str
    units: float
    unit: str
    dollars: float
    is_idle: bool = False


class Bill(msgspec.Struct, frozen=True):
    """The cost of a workload in a stage.

    Attributes:
        stage: its name.
        workload: the traffic.
        points: of a month.
        lines: of the bill.
        notes: values of the stage that do not hold the traffic.
    """

    stage: str
    workload: Workload
    points: float
    lines: tuple[Line, ...]
    notes: tuple[str, ...]

    @property
    def idle_dollars(self) -> float:
        """Dollars a month without traffic."""
        return sum(line.dollars for line in self.lines if line.is_idle)

    @property
    def traffic_dollars(self) -> float:
        """Dollars a month that the traffic adds."""
        return sum(line.dollars for line in self.lines if not line.is_idle)

    def per_billion(self, dollars: float) -> float:
        """Dollars for 10⁹ points, of dollars a month."""
        return dollars * _BILLION / self.points

    def by_service(self) -> dict[str, float]:
        """Dollars a month that the traffic adds, by service, the dearest first."""
        services: dict[str, float] = {}
        for line in self.lines:
            if not line.is_idle:
                services[line.service] = services.get(line.service, 0.0) + line.dollars
        return dict(sorted(services.items(), key=lambda item: -item[1]))


def bill_of(workload: Workload, options: StageOptions, calls: Calls) -> Bill:
    """The bill of a month."""
    units = units_of(workload, options, calls)
    notes: list[str] = []
    lines = [
        *_entry(units),
        *_lambda(units, options),
        *_sqs(units),
        *_dynamodb(units, options, notes),
        *_kinesis(units, options, notes),
        _traffic("log_gb", "logs", sum(n for name, n in units.items() if name.endswith("log_bytes")) / _BILLION),
        _traffic("s3_put", "objects written", units.get("s3.PutObject", 0.0)),
        _traffic("s3_get", "objects read", units.get("s3.GetObject", 0.0) + units.get("s3.HeadObject", 0.0)),
        *_idle(),
    ]
    spent = tuple(line for line in lines if line.dollars)
    return Bill(options.name, workload, workload.points_per_second * SECONDS_A_MONTH, spent, tuple(notes))


def _traffic(price: str, what: str, units_per_second: float) -> Line:
    units = units_per_second * SECONDS_A_MONTH
    its = PRICES[price]
    return Line(its.service, what, units, its.unit, units * its.dollars)


def _entry(units: Mapping[str, float]) -> Iterator[Line]:
    whats = {
        "http_request": "requests",
        "ws_message": "messages, both ways",
        "ws_minute": "connections",
        "iot_message": "messages",
        "iot_rule": "rules",
        "iot_action": "actions",
        "iot_minute": "connections",
        "transfer_gb": "answers",
    }
    for price, what in whats.items():
        yield _traffic(price, what, units.get(price, 0.0))


def _lambda(units: Mapping[str, float], options: StageOptions) -> Iterator[Line]:
    gb_second = "gb_second" if options.architecture == "arm64" else "gb_second_x86"
    for function, memory in options.memory_mb.items():
        yield _traffic("invocation", f"{function}, invocations", units.get(f"{function}.invocations", 0.0))
        yield _traffic(gb_second, f"{function}, {memory} MB", units.get(f"{function}.gb_seconds", 0.0))


def _sqs(units: Mapping[str, float]) -> Iterator[Line]:
    yield _traffic("standard_request", "inbox", units.get("inbox.requests", 0.0))
    packs = units["sqs.send_units"] + units["sqs.receipts"] + units.get("sqs.requests", 0.0)
    yield _traffic("fifo_request", "packs", packs)


def _dynamodb(units: Mapping[str, float], options: StageOptions, notes: list[str]) -> Iterator[Line]:
    tables = {
        "states": "stream-latest",
        "limits": "limits",
        "connections": "ws-connections",
        "constraints": "stream-constraints",
        "access": "access",
        "csv_jobs": "csv-jobs",
        "csv_slots": "csv-slots",
    }
    for role, table in tables.items():
        writes, reads = units.get(f"{role}.write_units", 0.0), units.get(f"{role}.half_read_units", 0.0) / 2
        capacity = options.table_capacity.get(table)
        if capacity is None:
            yield _traffic("write_unit", f"{table}, writes", writes)
            yield _traffic("read_unit", f"{table}, reads", reads)
        else:
            yield from _provisioned(table, capacity, writes, reads, notes)


def _provisioned(table: str, capacity: TableCapacity, writes: float, reads: float, notes: list[str]) -> Iterator[Line]:
    for kind, needed, least, most in (
        ("write", writes, capacity.write_units, capacity.max_write_units),
        ("read", reads, capacity.read_units, capacity.max_read_units),
    ):
        its = PRICES[f"{kind}_capacity_hour"]
        aimed = ceil(needed * 100 / TARGET_UTILIZATION_PERCENT)
        units = min(max(aimed, least), most or least)
        if units < needed:
            notes.append(f"{table}: {units} {kind} units are provisioned, and {needed:,.0f} a second are needed")
        hours = HOURS_A_MONTH * its.dollars
        yield Line(its.service, f"{table}, {least} {kind} units", least, its.unit, least * hours, is_idle=True)
        more = units - least
        yield Line(its.service, f"{table}, {more} more {kind} units", more, its.unit, more * hours)


def _kinesis(units: Mapping[str, float], options: StageOptions, notes: list[str]) -> Iterator[Line]:
    hours = _STREAMS * HOURS_A_MONTH
    if options.stream_shards is None:
        its = PRICES["stream_hour"]
        yield Line(its.service, "four streams on demand", hours, its.unit, hours * its.dollars, is_idle=True)
        yield _traffic("kinesis_in_gb", "written", units["kinesis.kib"] * 1024 / 2**30)
        yield _traffic("kinesis_out_gb", "read once", units["kinesis.bytes"] / 2**30)
        return
    its, shards = PRICES["shard_hour"], options.stream_shards
    yield Line(its.service, "a shard of each stream", hours, its.unit, hours * its.dollars, is_idle=True)
    more = (shards - 1) * hours
    yield Line(its.service, f"{shards - 1} more of each", more, its.unit, more * its.dollars)
    yield _traffic("payload_unit", "written", units["kinesis.payload_units"])
    needed = max(units["kinesis.bytes"] / SHARD_BYTES_PER_SECOND, units["kinesis.records"] / SHARD_RECORDS_PER_SECOND)
    if needed > shards:
        notes.append(f"Kinesis: a stream has {shards} shard(s), and {ceil(needed)} are needed")


def _idle() -> Iterator[Line]:
    alarm, secret, poll = PRICES["alarm"], PRICES["secret"], PRICES["standard_request"]
    yield Line(alarm.service, "alarms", _ALARMS, alarm.unit, _ALARMS * alarm.dollars, is_idle=True)
    yield Line(secret.service, "the pepper of keys", 1, secret.unit, secret.dollars, is_idle=True)
    polls = _QUEUES * _POLLERS * SECONDS_A_MONTH / _POLL_SECONDS
    yield Line(poll.service, "polls of empty queues", polls, poll.unit, polls * poll.dollars, is_idle=True)
