"""Units that AWS bills, counted while the functions run against moto.

Every call of a function goes through the hooks of its botocore session: what it sends and what it gets decide on what
it costs. Time is a clock of the test, so that leases, caches and windows behave as they do over hours.
"""

import json
import math
import os
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from functools import cache
from importlib import import_module
from io import StringIO
from threading import Lock
from typing import Any
from unittest.mock import patch

import botocore.loaders
import msgspec
from moto import mock_aws
from moto.core.botocore_stubber import BotocoreStubber

from afluente.adapters.aws.dynamodb_csv_jobs import BY_DOMAIN
from afluente.runtime.core import clients, observability
from afluente.runtime.core.observability import logger
from infra.limits import DEFAULT_LIMITS
from tests.contract import stage
from tests.contract.local_aws import LocalAws
from tests.contract.stage import as_in_a_new_container, credentials, invoke, resources

NOW = 1_795_492_800.0
"""The beginning of the clock: 25 November 2026, midnight UTC."""

CHUNK = 64 * 1024
WRITE_UNIT = 1024
READ_UNIT = 4096
RECORD_UNIT = 1024
PAYLOAD_UNIT = 25 * 1024

LOG_EVENT_BYTES = 26
"""CloudWatch Logs, "PutLogEvents": bytes that are counted for an event beside its message."""

_FUNCTIONS = ("http_ingest", "iot_rule_handler", "ws_ingest", "csv_trigger", "classifier")
_TABLES = {
    "AFLUENTE_LATEST_TABLE": "states",
    "AFLUENTE_LIMITS_TABLE": "limits",
    "AFLUENTE_CONNECTIONS_TABLE": "connections",
    "AFLUENTE_CONSTRAINTS_TABLE": "constraints",
    "AFLUENTE_CSV_JOBS_TABLE": "csv_jobs",
    "AFLUENTE_CSV_SLOTS_TABLE": "csv_slots",
    "AFLUENTE_ACCESS_TABLE": "access",
}


class Clock:
    """The time of the functions; like the module `time` in everything else.

    Attributes:
        now: in Unix seconds.
        meanwhile: called while a function sleeps, which takes no time.
    """

    def __init__(self) -> None:
        self.now = NOW
        self.meanwhile: Callable[[], None] = lambda: None

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        self.meanwhile()

    def time(self) -> float:
        return self.now

    def monotonic(self) -> float:
        return self.now

    def __getattr__(self, name: str) -> Any:
        return getattr(time, name)


class _Invocation:
    """Context of invocations, which have 20 seconds of real time each."""

    aws_request_id = "8a4c2f4e-0f2c-4a52-8a63-7e1d0a000000"

    def __init__(self) -> None:
        self.began = time.monotonic()

    def get_remaining_time_in_millis(self) -> int:
        return max(0, int(20_000 - 1_000 * (time.monotonic() - self.began)))


class Meter:
    """Counts units by name, and keeps the packs that are queued.

    Attributes:
        units: since the last `reset`.
        packs: queued packs, as records of an event of the classifier.
        parts: queued parts of CSV jobs, as bodies of messages.
        cpu: processor seconds of each function without those of moto, since the last `reset`.
    """

    def __init__(self, tables: Mapping[str, str], clock: Clock) -> None:
        self.units: Counter[str] = Counter()
        self.cpu: dict[str, float] = defaultdict(float)
        self.packs: list[dict[str, Any]] = []
        self.parts: list[str] = []
        self.clock = clock
        self._tables = tables
        self._lock = Lock()
        self._sequence = 0
        self._elsewhere = 0.0
        clock.meanwhile = self.classify_elsewhere

    def reset(self) -> None:
        self.units.clear()
        self.cpu.clear()

    def run(self, function: str, event: dict[str, Any]) -> dict[str, Any]:
        """Invoke a function, and count its lines of the log."""
        lines = StringIO()
        handler: Any = logger().registered_handler
        with redirect_stdout(lines), patch.object(handler, "stream", lines):
            stage.CONTEXT.began = time.monotonic()
            elsewhere, before = self._elsewhere, time.process_time()
            answer = invoke(function, event)
            self.cpu[function] += time.process_time() - before - (self._elsewhere - elsewhere)
        written = lines.getvalue().splitlines()
        self._add(
            {
                f"{function}.invocations": 1,
                f"{function}.log_lines": len(written),
                f"{function}.log_bytes": sum(len(line) + LOG_EVENT_BYTES for line in written),
            }
        )
        return answer

    def classify(self, *, packs_a_batch: int = 1) -> None:
        """Invoke the classifier with the packs that are queued, until none is."""
        while self.packs:
            batch, self.packs = self.packs[:packs_a_batch], self.packs[packs_a_batch:]
            failed = self.run("classifier", {"Records": batch})["batchItemFailures"]
            again = {failure["itemIdentifier"] for failure in failed}
            self.packs = [pack for pack in batch if pack["messageId"] in again] + self.packs

    def classify_elsewhere(self) -> None:
        """Let the classifier do what is queued while another function waits for it, as in a container of its own."""
        packs, self.packs = self.packs, []
        if not packs:
            return
        elsewhere, before = self._elsewhere, time.process_time()
        with patch.object(observability._Current, "metrics", None):
            self.packs = packs
            self.classify()
        # The function that waits is not metered for it.
        self._elsewhere = elsewhere + time.process_time() - before

    def on_parameters(self, params: dict[str, Any], model: Any, context: dict[str, Any], **_: Any) -> None:
        match model.service_model.service_name:
            case "dynamodb":
                self._on_table(model.name, params, context)
            case "sqs":
                self._on_queue(model.name, params, context)
            case "kinesis":
                self._on_records([len(record["Data"]) for record in params["Records"]])
            case "events":
                self._add({"events": len(params["Entries"])})
            case "s3":
                self._add({f"s3.{model.name}": 1})

    def _on_table(self, operation: str, params: dict[str, Any], context: dict[str, Any]) -> None:
        if operation == "BatchGetItem":
            context["wanted"] = {
                name: (len(its["Keys"]), bool(its.get("ConsistentRead")))
                for name, its in params["RequestItems"].items()
            }
        elif operation in {"GetItem", "Query"}:
            context["wanted"] = {params["TableName"]: (1, bool(params.get("ConsistentRead")))}
        elif operation in {"PutItem", "UpdateItem", "DeleteItem"}:
            size = _size(params.get("Item") or {**params["Key"], **params.get("ExpressionAttributeValues", {})})
            table = self._tables.get(params["TableName"], "other")
            units = math.ceil(size / WRITE_UNIT)
            self._add({f"{table}.write_units": units, f"{table}.writes": 1, f"{table}.bytes": size})

    def _on_queue(self, operation: str, params: dict[str, Any], context: dict[str, Any]) -> None:
        is_pack = params["QueueUrl"] == os.environ["AFLUENTE_DATAPOINTS_QUEUE_URL"]
        if operation == "SendMessageBatch":
            self._add({"sqs.send_units": self._sent(params["Entries"])})
        elif operation == "SendMessage" and is_pack:
            self._add({"sqs.send_units": self._sent([params])})
            context["sequence_number"] = self.packs[-1]["attributes"]["SequenceNumber"]
        else:
            self._add({"sqs.requests": 1})
            if operation == "SendMessage":
                self.parts.append(params["MessageBody"])

    def _on_records(self, sizes: Sequence[int]) -> None:
        self._add(
            {
                "kinesis.calls": 1,
                "kinesis.records": len(sizes),
                "kinesis.bytes": sum(sizes),
                "kinesis.kib": sum(math.ceil(size / RECORD_UNIT) for size in sizes),
                "kinesis.payload_units": sum(math.ceil(size / PAYLOAD_UNIT) for size in sizes),
            }
        )

    def on_answer(self, parsed: dict[str, Any], model: Any, context: dict[str, Any], **_: Any) -> None:
        found: Mapping[str, list[Any]]
        match model.name:
            case "SendMessage":
                parsed["SequenceNumber"] = context.get("sequence_number", "1")
                return
            case "BatchGetItem":
                found = parsed["Responses"]
            case "GetItem":
                found = {next(iter(context["wanted"])): [parsed.get("Item", {})]}
            case "Query":
                found = {
                    next(iter(context["wanted"])): [{str(n): {"M": item} for n, item in enumerate(parsed["Items"])}]
                }
            case _:
                return
        for name, (keys, is_consistent) in context["wanted"].items():
            items = found.get(name, [])
            # An item that is not there costs a read all the same.
            units = keys - len(items) + sum(max(1, math.ceil(_size(item) / READ_UNIT)) for item in items)
            table = self._tables.get(name, "other")
            self._add({f"{table}.half_read_units": units * (2 if is_consistent else 1), f"{table}.reads": 1})

    def not_own(self, seconds: float) -> None:
        with self._lock:
            self._elsewhere += seconds

    def _sent(self, entries: Sequence[Mapping[str, Any]]) -> int:
        for entry in entries:
            self._sequence += 1
            self.packs.append(_record(entry, self._sequence, self.clock.now))
        self._add({"sqs.packs": len(entries), "sqs.bytes": sum(len(entry["MessageBody"]) for entry in entries)})
        return math.ceil(sum(len(entry["MessageBody"]) for entry in entries) / CHUNK)

    def _add(self, units: Mapping[str, int]) -> None:
        with self._lock:
            self.units.update(units)


@contextmanager
def metered(*, log_lines: str, shards: int = 64, **variables: str) -> Iterator[tuple[Meter, LocalAws]]:
    """A stage in moto whose functions are metered; the values of environment variables may be others."""
    clock = Clock()
    for function in _FUNCTIONS:
        import_module(f"{function}.handler")
    with mock_aws():
        aws = LocalAws("moto", endpoint=None)
        environment = resources(aws) | {
            "AFLUENTE_LIMITS_TABLE": aws.table("subject"),
            "AFLUENTE_LIMITS": json.dumps(_limits()),
            "AFLUENTE_SHARDS": str(shards),
            "AFLUENTE_STAGE": "prod",
            "AFLUENTE_LOG_LINES": log_lines,
            "AFLUENTE_CSV_JOBS_TABLE": aws.table("job_id", indexes={BY_DOMAIN: ("domain", "created_at")}),
            "AFLUENTE_CSV_JOBS_QUEUE_URL": aws.fifo_queue(),
            "AFLUENTE_DATAPOINTS_DLQ_URL": aws.fifo_queue(),
            "POWERTOOLS_LOG_LEVEL": "INFO",
            **variables,
        }
        meter = Meter({environment[name]: role for name, role in _TABLES.items() if name in environment}, clock)
        with (
            patch.dict(os.environ, {**environment, **credentials(aws)}),
            patch.object(observability._deferred(), "is_on", log_lines == "one"),
            patch.object(stage, "CONTEXT", _Invocation()),
            # Every new session would read the models of its services anew.
            patch("botocore.session.create_loader", _loader),
            _on(clock),
            _timed(meter),
        ):
            as_in_a_new_container()
            session: Any = clients._session()
            session.register("before-parameter-build.*.*", meter.on_parameters)
            session.register("after-call.*.*", meter.on_answer)
            logger().setLevel("INFO")
            yield meter, aws
            as_in_a_new_container()
        aws.close()


_loader = cache(botocore.loaders.create_loader)


@contextmanager
def _on(clock: Clock) -> Iterator[None]:
    """Put the clock in place of the module `time` in all modules of the functions."""
    packages = ("afluente", *_FUNCTIONS)
    modules = [
        module
        for name, module in list(sys.modules.items())
        if name.split(".")[0] in packages and getattr(module, "time", None) is time and "observability" not in name
    ]
    for module in modules:
        module.time = clock  # type: ignore[attr-defined]
    yield
    for module in modules:
        module.time = time  # type: ignore[attr-defined]


@contextmanager
def _timed(meter: Meter) -> Iterator[None]:
    """Meter the processor time of moto, which is none of the functions'."""
    answer = BotocoreStubber.__call__

    def timed(self: BotocoreStubber, *args: Any, **arguments: Any) -> Any:
        before = time.thread_time()
        try:
            return answer(self, *args, **arguments)
        finally:
            meter.not_own(time.thread_time() - before)

    with patch.object(BotocoreStubber, "__call__", timed):
        yield


def _limits() -> dict[str, Any]:
    limits = msgspec.to_builtins(DEFAULT_LIMITS)
    return {name: limits[name] for name in ("ip", "key", "source")}


def _size(item: Mapping[str, Any]) -> int:
    """Bytes of an item as DynamoDB counts them: names and values ("DynamoDB item sizes and formats")."""
    return sum(len(name.encode()) + _value_size(value) for name, value in item.items())


def _value_size(value: Mapping[str, Any]) -> int:
    ((form, content),) = value.items()
    match form:
        case "S":
            return len(content.encode())
        case "B":
            return len(content)
        case "N":
            return len(content.lstrip("-")) // 2 + 1
        case "M":
            return 3 + sum(1 + len(name.encode()) + _value_size(its) for name, its in content.items())
        case "L":
            return 3 + sum(1 + _value_size(its) for its in content)
        case _:
            return 1


def _record(entry: Mapping[str, Any], number: int, now: float) -> dict[str, Any]:
    sent = str(int(now * 1000))
    return {
        "messageId": f"{number:08d}-0f2c-4a52-8a63-7e1d0a000000",
        "receiptHandle": "AQEB" + "x" * 400,
        "body": entry["MessageBody"],
        "attributes": {
            "ApproximateReceiveCount": "1",
            "SentTimestamp": sent,
            "SequenceNumber": str(18_881_963_022_385_647_616 + number),
            "MessageGroupId": entry["MessageGroupId"],
            "MessageDeduplicationId": entry["MessageDeduplicationId"],
            "SenderId": "AROAEXAMPLE:afluente",
            "ApproximateFirstReceiveTimestamp": sent,
        },
        "messageAttributes": {
            name: {
                "stringValue": value.get("StringValue"),
                "dataType": value["DataType"],
            }
            for name, value in entry.get("MessageAttributes", {}).items()
        },
        "eventSourceARN": "arn:aws:sqs:us-east-1:123456789012:datapoints.fifo",
    }
