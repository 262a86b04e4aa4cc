"""Units that AWS bills for a workload: what the functions were counted to spend, for other numbers of points."""

from collections.abc import Mapping
from math import ceil
from typing import NamedTuple

from afluente.adapters.aws.dynamodb_state_items import STREAMS_A_BUCKET
from afluente.application.limits.stage_limits import StageLimits
from cli.cost.calls import Calls, at
from cli.cost.leases import leases_a_request
from cli.cost.workload import StageOptions, Workload
from infra.capacity import WHOLE_PROCESSOR_MB

Units = dict[str, float]
"""Units a second, by the names that the counting has for them."""

CHUNK = 64 * 1024
"""SQS bills a request for each 64 KB."""

_WRITE_UNIT, _READ_UNIT, _RECORD_UNIT, _PAYLOAD_UNIT, _IOT_UNIT = 1024, 4096, 1024, 25 * 1024, 5 * 1024
_GB = 1e9

MAX_EVENT_BYTES = 6 * 1024 * 1024
"""Lambda quota "Invocation payload": it ends the window of a batch."""

MESSAGES_A_RECEIVE = 10
"""SQS quota "Messages per batch"; packs that are queued together are received together."""

WAIT_MS = {"sqs": 10.0, "read": 4.0, "write": 6.0, "kinesis": 15.0, "s3": 40.0}
"""Milliseconds for which a call keeps a function waiting: assumed, as seen from a function in the region of a stage."""

_PARALLEL_WRITES = 16

# A poll that receives a batch, and the deletion of its messages.
_POLL_SECONDS = 0.03
_ROUNDS = 8

_PAYLOAD_SHARE = 0.3

# START, END and REPORT, and a line of an access log, with what CloudWatch adds to each line.
_PLATFORM_LOG_BYTES = 356
_ACCESS_LOG_BYTES = 330
_ANSWER_HEADER_BYTES = 250

_KEY_SECONDS = 25
"""Time for which a connection is cached (`key_ttl_seconds`)."""


class _Pack(NamedTuple):
    """Packs of one kind.

    Attributes:
        rate: a second.
        points, sources: of a pack.
        streams: of each source that have points in the pack.
        a_batch: packs that are queued together, and so received.
    """

    rate: float
    points: float
    sources: float
    streams: int
    a_batch: float = 1.0


def units_of(workload: Workload, options: StageOptions, calls: Calls) -> Units:
    """The units of a second."""
    match workload.transport:
        case "http":
            return _http(workload, options, calls)
        case "ws":
            return _websocket(workload, options, calls)
        case "mqtt":
            return _mqtt(workload, options, calls)
        case "csv":
            return _csv(workload, options, calls)


def _http(workload: Workload, options: StageOptions, calls: Calls) -> Units:
    rate = workload.requests_per_second
    answer = at(calls.http_answer_bytes, workload.points_per_request) + _ANSWER_HEADER_BYTES
    return _sum(
        _request(workload, options, calls, "http_ingest"),
        {
            "http_request": rate,
            "transfer_gb": rate * answer / _GB,
            "access_log.log_bytes": rate * _ACCESS_LOG_BYTES if options.access_log else 0.0,
        },
    )


def _websocket(workload: Workload, options: StageOptions, calls: Calls) -> Units:
    rate = workload.requests_per_second
    answer = at(calls.ws_answer_bytes, workload.points_per_request)
    # A connection a source, found anew where its place in a cache has ended.
    found = min(rate, workload.sources / _KEY_SECONDS)
    return _sum(
        _request(workload, options, calls, "ws_ingest"),
        {
            "ws_message": 2 * rate,
            "ws_minute": workload.sources / 60,
            "transfer_gb": rate * answer / _GB,
            "access_log.log_bytes": rate * _ACCESS_LOG_BYTES if options.access_log else 0.0,
            # The sequence that was acknowledged last.
            "connections.write_units": rate,
            "connections.half_read_units": 2 * found,
            "access.half_read_units": found,
        },
    )


def _request(workload: Workload, options: StageOptions, calls: Calls, function: str) -> Units:
    """Requests of one source, each of which is a pack."""
    rate, points = workload.requests_per_second, workload.points_per_request
    sends = ceil(at(calls.pack_bytes, points) / CHUNK)
    reads, writes = leases_a_request(
        StageLimits(ip=options.limits_of_ip, key=options.limits_of_key, source=options.limits_of_source),
        seconds=workload.sources / rate,
        points=points,
        has_key=True,
    )
    wait = WAIT_MS["sqs"] + (reads + writes) * WAIT_MS["write"]
    pack = _Pack(rate, points, 1, min(points, workload.streams_a_source))
    return _sum(
        {
            "sqs.send_units": rate * sends,
            "sqs.packs": rate,
            "limits.half_read_units": 2 * rate * reads,
            "limits.write_units": rate * writes,
        },
        _invocations(function, rate, options, calls, messages=1, points=points, wait_ms=wait),
        _classified(pack, workload, options, calls),
    )


def _mqtt(workload: Workload, options: StageOptions, calls: Calls) -> Units:
    rate, points = workload.requests_per_second, workload.points_per_request
    message_bytes = at(calls.inbox_event_bytes, points)
    batch = max(
        1.0, min(rate * options.mqtt_window_seconds, options.mqtt_batch_messages, MAX_EVENT_BYTES / message_bytes)
    )
    sources = min(float(workload.sources), batch)
    # As sources fall on the message groups by chance.
    packs = options.shards * (1 - (1 - 1 / options.shards) ** sources)
    batches = rate / batch
    calls_a_batch = ceil(packs / MESSAGES_A_RECEIVE)
    sends = calls_a_batch * ceil(at(calls.pack_bytes, batch * points / packs) * packs / calls_a_batch / CHUNK)
    reads, writes = leases_a_request(
        StageLimits(source=options.limits_of_source), seconds=workload.sources / rate, points=points, has_key=False
    )
    # A payload is as long in base64 as most of the event around it.
    metered = ceil(_PAYLOAD_SHARE * message_bytes / _IOT_UNIT)
    wait = calls_a_batch * WAIT_MS["sqs"] + WAIT_MS["write"]
    a_source = batch * points / sources
    pack = _Pack(
        rate=batches * packs,
        points=batch * points / packs,
        sources=sources / packs,
        streams=min(workload.streams_a_source, ceil(a_source)),
        a_batch=packs / calls_a_batch,
    )
    return _sum(
        {
            "iot_message": 0.0 if options.basic_ingest else rate * metered,
            "iot_rule": rate * metered,
            "iot_action": rate * metered,
            "iot_minute": workload.sources / 60,
            # Sent by the rule, one by one; received and deleted by tens.
            "inbox.requests": rate * (1 + 2 / MESSAGES_A_RECEIVE),
            "sqs.send_units": batches * sends,
            "sqs.packs": batches * packs,
            "limits.half_read_units": 2 * rate * reads,
            "limits.write_units": rate * writes,
        },
        _invocations("iot_rule_handler", batches, options, calls, messages=batch, points=batch * points, wait_ms=wait),
        _classified(pack, workload, options, calls),
    )


def _csv(workload: Workload, options: StageOptions, calls: Calls) -> Units:
    files = workload.requests_per_second
    packs_a_file = max(1.0, workload.points_per_request / calls.csv_pack_points)
    points = workload.points_per_request / packs_a_file
    rate = files * packs_a_file
    wait = packs_a_file * WAIT_MS["sqs"] + WAIT_MS["s3"]
    pack = _Pack(rate, points, 1, min(workload.points_per_request, workload.streams_a_source))
    return _sum(
        {name: files * number for name, number in calls.csv_file_units.items()},
        {name: rate * number for name, number in calls.csv_pack_units.items()},
        {
            "s3.PutObject": files,
            # The notification is sent by S3, received and deleted.
            "inbox.requests": 3 * files,
            "sqs.send_units": rate * ceil(at(calls.pack_bytes, points) / CHUNK),
            "sqs.packs": rate,
        },
        # One registers the file, one loads it.
        _invocations(
            "csv_trigger",
            2 * files,
            options,
            calls,
            messages=packs_a_file / 2,
            points=workload.points_per_request / 2,
            wait_ms=wait / 2,
        ),
        _classified(pack, workload, options, calls),
    )


def _classified(pack: _Pack, workload: Workload, options: StageOptions, calls: Calls) -> Units:
    items = [at(calls.state_bytes, streams) for streams in _buckets(pack.streams, workload.streams_a_source)]
    writes = pack.sources * len(items)
    records = pack.points if options.record_format == "point" else 1.0
    form = "gzip" if options.record_format == "gzip" else "plain"
    record_bytes = at(calls.record_bytes[form], pack.points / records)
    units = _classifier(pack, pack.a_batch, writes, options, calls)
    if options.classifier_concurrency is not None:
        # Packs gather while all of so many batches are under way.
        for _ in range(_ROUNDS):
            seconds = units["classifier.seconds"] / units["classifier.invocations"] + _POLL_SECONDS
            gathered = min(MESSAGES_A_RECEIVE, pack.rate * seconds / options.classifier_concurrency)
            units = _classifier(pack, max(pack.a_batch, gathered), writes, options, calls)
    containers = max(1.0, units["classifier.seconds"])
    refreshed = min(
        pack.rate * pack.sources * pack.streams,
        containers * workload.streams / max(1, options.constraints_ttl_seconds),
    )
    return _sum(
        units,
        {
            "sqs.receipts": 2 * units["classifier.invocations"],
            "states.write_units": pack.rate * pack.sources * sum(ceil(size / _WRITE_UNIT) for size in items),
            "states.half_read_units": pack.rate * pack.sources * 2 * sum(ceil(size / _READ_UNIT) for size in items),
            "constraints.half_read_units": refreshed,
            "kinesis.records": pack.rate * records,
            "kinesis.bytes": pack.rate * records * record_bytes,
            "kinesis.kib": pack.rate * records * _rounded(record_bytes, _RECORD_UNIT),
            "kinesis.payload_units": pack.rate * records * _rounded(record_bytes, _PAYLOAD_UNIT),
        },
    )


def _classifier(pack: _Pack, packs: float, writes: float, options: StageOptions, calls: Calls) -> Units:
    """The invocations of the classifier, with so many packs and writes of each."""
    return _invocations(
        "classifier",
        pack.rate / packs,
        options,
        calls,
        messages=packs,
        points=pack.points * packs,
        writes=writes * packs,
        wait_ms=WAIT_MS["read"] + WAIT_MS["kinesis"] + ceil(writes / _PARALLEL_WRITES) * WAIT_MS["write"],
    )


def _rounded(size: float, unit: int) -> float:
    """Units of records of about this size: rounded up, at the mean by half a unit."""
    return max(1.0, size / unit + 0.5)


def _buckets(touched: int, streams: int) -> list[int]:
    """Streams in each item of states of a source that a pack touches, which begins with the first."""
    items = [STREAMS_A_BUCKET] * (streams // STREAMS_A_BUCKET)
    if streams % STREAMS_A_BUCKET:
        items.append(streams % STREAMS_A_BUCKET)
    return items[: ceil(touched / STREAMS_A_BUCKET)]


def _invocations(
    function: str,
    rate: float,
    options: StageOptions,
    calls: Calls,
    *,
    messages: float,
    points: float,
    writes: float = 0.0,
    wait_ms: float,
) -> Units:
    costs = calls.functions[function]
    memory = options.memory_mb[function]
    cpu = costs.cpu_ms(messages=messages, points=points, writes=writes)
    # Billed by the millisecond, rounded up.
    seconds = (cpu * max(1.0, WHOLE_PROCESSOR_MB / memory) + wait_ms + 0.5) / 1000
    platform = _PLATFORM_LOG_BYTES if options.log_lines == "all" else 0
    return {
        f"{function}.invocations": rate,
        f"{function}.seconds": rate * seconds,
        f"{function}.gb_seconds": rate * seconds * memory / 1024,
        f"{function}.log_bytes": rate * (at(costs.log_bytes[options.log_lines], points) + platform),
    }


def _sum(*parts: Mapping[str, float]) -> Units:
    total: Units = {}
    for part in parts:
        for name, number in part.items():
            total[name] = total.get(name, 0.0) + number
    return total
