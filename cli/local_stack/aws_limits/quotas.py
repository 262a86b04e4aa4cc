"""AWS's quotas as data: name, value, source, and how the local stack keeps each."""

from dataclasses import dataclass
from enum import StrEnum

_KINESIS = "https://docs.aws.amazon.com/streams/latest/dev/service-sizes-and-limits.html"
_KINESIS_PUT = "https://docs.aws.amazon.com/kinesis/latest/APIReference/API_PutRecords.html"
_KINESIS_GET = "https://docs.aws.amazon.com/kinesis/latest/APIReference/API_GetRecords.html"
_KINESIS_ITERATOR = "https://docs.aws.amazon.com/kinesis/latest/APIReference/API_GetShardIterator.html"
_KINESIS_MODES = "https://docs.aws.amazon.com/streams/latest/dev/how-do-i-size-a-stream.html"
_SQS = "https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html"
_SQS_FIFO = "https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-fifo.html"
_SQS_QUEUES = "https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-queues.html"
_LAMBDA = "https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html"
_LAMBDA_SQS = "https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html"
_EVENTS = "https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-quota.html"
_EVENTS_SIZE = "https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-putevent-size.html"


class Kept(StrEnum):
    """Keeper of a quota at the local stack."""

    ENFORCED = "enforced here"
    EMULATOR = "by the emulator"
    NOT = "not kept"


@dataclass(frozen=True, slots=True)
class Quota:
    """A quota of AWS.

    Attributes:
        key: its name on the command line.
        service: of AWS.
        name: its name in AWS's documentation.
        value: in `unit`.
        unit: of the value.
        source: page of AWS's documentation.
        kept: by whom at the local stack.
        stand_in: of a quota that is not kept, the test that stands in for it.
        note: a difference from AWS that a user should know.
    """

    key: str
    service: str
    name: str
    value: float
    unit: str
    source: str
    kept: Kept = Kept.ENFORCED
    stand_in: str = ""
    note: str = ""


SHARD_WRITE_BYTES = Quota(
    "kinesis.shard-write-bytes",
    "Kinesis",
    "Write throughput of a shard",
    1_048_576,
    "bytes/s",
    _KINESIS,
    note="with the partition keys; one second of burst",
)
SHARD_WRITE_RECORDS = Quota(
    "kinesis.shard-write-records", "Kinesis", "Records written to a shard", 1_000, "records/s", _KINESIS
)
SHARD_READ_BYTES = Quota(
    "kinesis.shard-read-bytes",
    "Kinesis",
    "Read throughput of a shard",
    2_097_152,
    "bytes/s",
    _KINESIS_GET,
    note="after a call that returned 10 MiB the next ones are refused for some five seconds",
)
GET_RECORDS = Quota("kinesis.get-records", "Kinesis", "GetRecords", 5, "calls/s a shard", _KINESIS_GET)
GET_RECORDS_BYTES = Quota(
    "kinesis.get-records-bytes", "Kinesis", "GetRecords, size of an answer", 10_485_760, "bytes", _KINESIS_GET
)
GET_SHARD_ITERATOR = Quota(
    "kinesis.get-shard-iterator", "Kinesis", "GetShardIterator", 5, "calls/s a shard", _KINESIS_ITERATOR
)
PUT_RECORDS_BYTES = Quota(
    "kinesis.put-records-bytes",
    "Kinesis",
    "PutRecords, size of a request",
    10_485_760,
    "bytes",
    _KINESIS_PUT,
    note="the emulator alone takes 5 MiB",
)
RECORD_BYTES = Quota(
    "kinesis.record-bytes", "Kinesis", "Data payload of a record", 1_048_576, "bytes", _KINESIS, Kept.EMULATOR
)
ON_DEMAND_SHARDS = Quota(
    "kinesis.on-demand-shards",
    "Kinesis",
    "Shards of a new on-demand stream",
    4,
    "shards",
    _KINESIS_MODES,
    note="they do not grow with use here",
)

FIFO_IN_FLIGHT = Quota(
    "sqs.fifo-in-flight", "SQS", "In-flight messages per queue (FIFO)", 120_000, "messages", _SQS_FIFO
)
FIFO_SEARCHED = Quota(
    "sqs.fifo-searched",
    "SQS",
    "Messages searched for available message groups",
    120_000,
    "messages",
    _SQS_FIFO,
)
STANDARD_IN_FLIGHT = Quota(
    "sqs.standard-in-flight",
    "SQS",
    "In-flight messages per queue (standard)",
    120_000,
    "messages",
    _SQS_QUEUES,
    note="a receive returns nothing, as with long polling; with short polling AWS answers OverLimit",
)
FIFO_GROUP_CALLS = Quota(
    "sqs.fifo-group-calls",
    "SQS",
    "Throughput of a message group (high throughput)",
    300,
    "calls/s",
    _SQS_FIFO,
    note="SendMessage and SendMessageBatch, up to ten messages a call; without high throughput it is the queue's",
)
MESSAGE_BYTES = Quota(
    "sqs.message-bytes", "SQS", "Message size", 1_048_576, "bytes", _SQS, note="message attributes included"
)
BATCH_BYTES = Quota(
    "sqs.batch-bytes", "SQS", "Batched message size", 1_048_576, "bytes", _SQS, note="message attributes included"
)

INVOCATION_BYTES = Quota(
    "lambda.invocation-bytes", "Lambda", "Invocation payload (request), synchronous", 6_291_456, "bytes", _LAMBDA
)
ANSWER_BYTES = Quota(
    "lambda.answer-bytes",
    "Lambda",
    "Invocation payload (response), synchronous",
    6_291_556,
    "bytes",
    _LAMBDA,
    note="6 MB and 100 bytes, as Lambda's error words it",
)
ASYNC_INVOCATION_BYTES = Quota(
    "lambda.async-invocation-bytes", "Lambda", "Invocation payload, asynchronous", 1_048_576, "bytes", _LAMBDA
)
MAPPING_BATCH_BYTES = Quota(
    "lambda.mapping-batch-bytes",
    "Lambda",
    "Batch of an event source mapping of SQS",
    6_291_456,
    "bytes",
    _LAMBDA_SQS,
    note="what would be above it stays in the queue, as if never received",
)

EVENT_ENTRIES_BYTES = Quota(
    "eventbridge.put-events-bytes", "EventBridge", "PutEvents, size of all entries", 262_144, "bytes", _EVENTS_SIZE
)

QUOTAS: tuple[Quota, ...] = (
    SHARD_WRITE_BYTES,
    SHARD_WRITE_RECORDS,
    SHARD_READ_BYTES,
    Quota(
        "kinesis.put-records",
        "Kinesis",
        "PutRecords, records of a request",
        500,
        "records",
        _KINESIS_PUT,
        Kept.EMULATOR,
    ),
    PUT_RECORDS_BYTES,
    RECORD_BYTES,
    GET_RECORDS,
    GET_RECORDS_BYTES,
    GET_SHARD_ITERATOR,
    ON_DEMAND_SHARDS,
    MESSAGE_BYTES,
    BATCH_BYTES,
    Quota("sqs.batch-entries", "SQS", "Messages per batch", 10, "messages", _SQS, Kept.EMULATOR),
    FIFO_IN_FLIGHT,
    FIFO_SEARCHED,
    STANDARD_IN_FLIGHT,
    FIFO_GROUP_CALLS,
    INVOCATION_BYTES,
    ANSWER_BYTES,
    ASYNC_INVOCATION_BYTES,
    MAPPING_BATCH_BYTES,
    Quota("lambda.timeout", "Lambda", "Function timeout", 900, "s", _LAMBDA, Kept.EMULATOR),
    Quota(
        "lambda.reserved-concurrency",
        "Lambda",
        "Reserved concurrency of a function",
        0,
        "as configured",
        "https://docs.aws.amazon.com/lambda/latest/dg/configuration-concurrency.html",
        Kept.EMULATOR,
        note="the emulator forgets it in a template; what is in a template is handed to it here",
    ),
    Quota(
        "lambda.account-concurrency",
        "Lambda",
        "Concurrent executions",
        1_000,
        "executions",
        _LAMBDA,
        Kept.EMULATOR,
        note="fewer where the machine has no memory for so many",
    ),
    Quota("eventbridge.put-events", "EventBridge", "PutEvents, entries", 10, "entries", _EVENTS, Kept.EMULATOR),
    EVENT_ENTRIES_BYTES,
)
"""Every quota of AWS that the service can meet."""
