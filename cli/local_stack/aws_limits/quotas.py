"""AWS's quotas as data: name, value, source, and how the local stack keeps each."""

from dataclasses import dataclass
from enum import StrEnum

from cli.local_stack.aws_limits import sources


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
    sources.KINESIS,
    note="with the partition keys; one second of burst",
)
SHARD_WRITE_RECORDS = Quota(
    "kinesis.shard-write-records", "Kinesis", "Records written to a shard", 1_000, "records/s", sources.KINESIS
)
SHARD_READ_BYTES = Quota(
    "kinesis.shard-read-bytes",
    "Kinesis",
    "Read throughput of a shard",
    2_097_152,
    "bytes/s",
    sources.KINESIS_GET,
    note="after a call that returned 10 MiB the next ones are refused for some five seconds",
)
GET_RECORDS = Quota("kinesis.get-records", "Kinesis", "GetRecords", 5, "calls/s a shard", sources.KINESIS_GET)
GET_RECORDS_BYTES = Quota(
    "kinesis.get-records-bytes", "Kinesis", "GetRecords, size of an answer", 10_485_760, "bytes", sources.KINESIS_GET
)
GET_SHARD_ITERATOR = Quota(
    "kinesis.get-shard-iterator", "Kinesis", "GetShardIterator", 5, "calls/s a shard", sources.KINESIS_ITERATOR
)
PUT_RECORDS_BYTES = Quota(
    "kinesis.put-records-bytes",
    "Kinesis",
    "PutRecords, size of a request",
    10_485_760,
    "bytes",
    sources.KINESIS_PUT,
    note="the emulator alone takes 5 MiB",
)
RECORD_BYTES = Quota(
    "kinesis.record-bytes", "Kinesis", "Data payload of a record", 1_048_576, "bytes", sources.KINESIS, Kept.EMULATOR
)
ON_DEMAND_SHARDS = Quota(
    "kinesis.on-demand-shards",
    "Kinesis",
    "Shards of a new on-demand stream",
    4,
    "shards",
    sources.KINESIS_MODES,
    note="they do not grow with use here",
)

FIFO_IN_FLIGHT = Quota(
    "sqs.fifo-in-flight", "SQS", "In-flight messages per queue (FIFO)", 120_000, "messages", sources.SQS_FIFO
)
FIFO_SEARCHED = Quota(
    "sqs.fifo-searched",
    "SQS",
    "Messages searched for available message groups",
    120_000,
    "messages",
    sources.SQS_FIFO,
)
STANDARD_IN_FLIGHT = Quota(
    "sqs.standard-in-flight",
    "SQS",
    "In-flight messages per queue (standard)",
    120_000,
    "messages",
    sources.SQS_QUEUES,
    note="a receive returns nothing, as with long polling; with short polling AWS answers OverLimit",
)
FIFO_GROUP_CALLS = Quota(
    "sqs.fifo-group-calls",
    "SQS",
    "Throughput of a message group (high throughput)",
    300,
    "calls/s",
    sources.SQS_FIFO,
    note="SendMessage and SendMessageBatch, up to ten messages a call; without high throughput it is the queue's",
)
MESSAGE_BYTES = Quota(
    "sqs.message-bytes", "SQS", "Message size", 1_048_576, "bytes", sources.SQS, note="message attributes included"
)
BATCH_BYTES = Quota(
    "sqs.batch-bytes",
    "SQS",
    "Batched message size",
    1_048_576,
    "bytes",
    sources.SQS,
    note="message attributes included",
)

INVOCATION_BYTES = Quota(
    "lambda.invocation-bytes", "Lambda", "Invocation payload (request), synchronous", 6_291_456, "bytes", sources.LAMBDA
)
ANSWER_BYTES = Quota(
    "lambda.answer-bytes",
    "Lambda",
    "Invocation payload (response), synchronous",
    6_291_556,
    "bytes",
    sources.LAMBDA,
    note="6 MB and 100 bytes, as Lambda's error words it",
)
ASYNC_INVOCATION_BYTES = Quota(
    "lambda.async-invocation-bytes", "Lambda", "Invocation payload, asynchronous", 1_048_576, "bytes", sources.LAMBDA
)
MAPPING_BATCH_BYTES = Quota(
    "lambda.mapping-batch-bytes",
    "Lambda",
    "Batch of an event source mapping of SQS",
    6_291_456,
    "bytes",
    sources.LAMBDA_SQS,
    note="what would be above it stays in the queue, as if never received",
)

EVENT_ENTRIES_BYTES = Quota(
    "eventbridge.put-events-bytes",
    "EventBridge",
    "PutEvents, size of all entries",
    262_144,
    "bytes",
    sources.EVENTS_SIZE,
)

HTTP_PAYLOAD_BYTES = Quota(
    "apigateway.http-payload-bytes", "API Gateway", "HTTP API, payload size", 10_485_760, "bytes", sources.HTTP_API
)
HTTP_INTEGRATION_SECONDS = Quota(
    "apigateway.http-integration-seconds",
    "API Gateway",
    "HTTP API, maximum integration timeout",
    30,
    "s",
    sources.HTTP_API,
)
WEBSOCKET_INTEGRATION_SECONDS = Quota(
    "apigateway.websocket-integration-seconds",
    "API Gateway",
    "WebSocket API, integration timeout",
    29,
    "s",
    sources.WEBSOCKET_API,
)
WEBSOCKET_FRAME_BYTES = Quota(
    "apigateway.websocket-frame-bytes",
    "API Gateway",
    "WebSocket frame size",
    32_768,
    "bytes",
    sources.WEBSOCKET_API,
    note="the connection ends with code 1009",
)
WEBSOCKET_MESSAGE_BYTES = Quota(
    "apigateway.websocket-message-bytes",
    "API Gateway",
    "WebSocket message payload size",
    131_072,
    "bytes",
    sources.WEBSOCKET_API,
    note="the connection ends with code 1009; what a function answers is not measured",
)
WEBSOCKET_IDLE_SECONDS = Quota(
    "apigateway.websocket-idle-seconds",
    "API Gateway",
    "Idle Connection Timeout",
    600,
    "s",
    sources.WEBSOCKET_API,
    note="the connection ends with code 1001",
)
WEBSOCKET_SECONDS = Quota(
    "apigateway.websocket-seconds",
    "API Gateway",
    "Connection duration for WebSocket API",
    7_200,
    "s",
    sources.WEBSOCKET_API,
    note="the connection ends with code 1001",
)

KEY_WRITE_UNITS = Quota(
    "dynamodb.key-write-units",
    "DynamoDB",
    "Write units of a partition",
    1_000,
    "units/s",
    sources.DYNAMODB_KEYS,
    note="a bucket for each partition key, the least that AWS gives; transactions and indexes are not counted",
)
KEY_READ_UNITS = Quota(
    "dynamodb.key-read-units",
    "DynamoDB",
    "Read units of a partition",
    3_000,
    "units/s",
    sources.DYNAMODB_KEYS,
    note="a bucket for each partition key; scans, transactions and indexes are not counted",
)
BATCH_WRITE = Quota(
    "dynamodb.batch-write", "DynamoDB", "BatchWriteItem", 25, "requests", sources.DYNAMODB, Kept.EMULATOR
)
BATCH_GET = Quota("dynamodb.batch-get", "DynamoDB", "BatchGetItem", 100, "keys", sources.DYNAMODB, Kept.EMULATOR)
BATCH_GET_BYTES = Quota(
    "dynamodb.batch-get-bytes",
    "DynamoDB",
    "BatchGetItem, size of an answer",
    16_777_216,
    "bytes",
    "https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchGetItem.html",
    note="the rest is handed back as UnprocessedKeys",
)

IOT_MESSAGE_BYTES = Quota(
    "iot.message-bytes",
    "IoT Core",
    "Message size",
    131_072,
    "bytes",
    sources.IOT,
    note="the connection ends, with reason 0x95 in MQTT 5",
)
IOT_PUBLISHES = Quota(
    "iot.publishes",
    "IoT Core",
    "Publish requests per second per connection",
    100,
    "messages/s",
    sources.IOT,
    note="a message above is lost without an acknowledgement, and the connection stays",
)
IOT_BYTES = Quota(
    "iot.bytes",
    "IoT Core",
    "Throughput per second per connection",
    524_288,
    "bytes/s",
    sources.IOT,
    note="payloads of published messages",
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
        sources.KINESIS_PUT,
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
    Quota("sqs.batch-entries", "SQS", "Messages per batch", 10, "messages", sources.SQS, Kept.EMULATOR),
    FIFO_IN_FLIGHT,
    FIFO_SEARCHED,
    STANDARD_IN_FLIGHT,
    FIFO_GROUP_CALLS,
    INVOCATION_BYTES,
    ANSWER_BYTES,
    ASYNC_INVOCATION_BYTES,
    MAPPING_BATCH_BYTES,
    Quota("lambda.timeout", "Lambda", "Function timeout", 900, "s", sources.LAMBDA, Kept.EMULATOR),
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
        sources.LAMBDA,
        Kept.EMULATOR,
        note="fewer where the machine has no memory for so many; messages of a WebSocket are not counted",
    ),
    Quota("eventbridge.put-events", "EventBridge", "PutEvents, entries", 10, "entries", sources.EVENTS, Kept.EMULATOR),
    EVENT_ENTRIES_BYTES,
    HTTP_PAYLOAD_BYTES,
    HTTP_INTEGRATION_SECONDS,
    WEBSOCKET_INTEGRATION_SECONDS,
    WEBSOCKET_FRAME_BYTES,
    WEBSOCKET_MESSAGE_BYTES,
    WEBSOCKET_IDLE_SECONDS,
    WEBSOCKET_SECONDS,
    Quota("dynamodb.item-bytes", "DynamoDB", "Item size", 409_600, "bytes", sources.DYNAMODB, Kept.EMULATOR),
    KEY_WRITE_UNITS,
    KEY_READ_UNITS,
    BATCH_WRITE,
    BATCH_GET,
    BATCH_GET_BYTES,
    Quota("dynamodb.transaction", "DynamoDB", "TransactWriteItems", 100, "actions", sources.DYNAMODB, Kept.EMULATOR),
    Quota(
        "dynamodb.provisioned",
        "DynamoDB",
        "Provisioned capacity of a table",
        0,
        "as configured",
        sources.DYNAMODB,
        Kept.NOT,
        "tests/contract/test_dynamodb_states.py::test_a_throttled_call_is_retried",
    ),
    Quota(
        "dynamodb.transaction-units",
        "DynamoDB",
        "Units of a transaction",
        2,
        "units for one",
        sources.DYNAMODB_KEYS,
        Kept.NOT,
        "tests/contract/test_constraints_catalogue.py::test_a_throttled_transaction_is_unavailable",
    ),
    IOT_MESSAGE_BYTES,
    IOT_PUBLISHES,
    IOT_BYTES,
)
"""Every quota of AWS that the service can meet."""
