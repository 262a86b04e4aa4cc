"""The local stack refuses what AWS would refuse, in AWS's words."""

import base64
import json
import os
import secrets
import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, wait
from contextlib import contextmanager
from functools import partial
from threading import Thread
from typing import Any

import pytest
from awscrt import mqtt5
from awscrt.exceptions import AwsCrtError
from botocore.config import Config
from botocore.exceptions import ClientError
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection

from cli.core.local_stack import AwsLimits
from cli.core.state import StateDir
from cli.devices.devices import device_for
from tests.senders import authenticate, device_client, open_websocket
from tests.stack import PATIENCE_SECONDS, LocalStack, running_stack

pytestmark = pytest.mark.integration

ONCE = Config(retries={"mode": "standard", "total_max_attempts": 1}, proxies={})
"""No retry: a refusal is to be seen."""


class Aws:
    """Clients of the emulator that retry nothing."""

    def __init__(self, stack: LocalStack) -> None:
        self._connection = stack.target.connection
        self._clients: dict[str, Any] = {}

    def __getattr__(self, service: str) -> Any:
        if service not in self._clients:
            session, endpoint = self._connection.session, self._connection.endpoint
            assert session is not None
            self._clients[service] = session.client(service, endpoint_url=endpoint, config=ONCE)  # type: ignore[call-overload] # any
        return self._clients[service]


CHANGED = {
    "apigateway.http-integration-seconds": 14.0,
    "apigateway.websocket-integration-seconds": 14.0,
    "apigateway.websocket-idle-seconds": 16.0,
    "apigateway.websocket-seconds": 20.0,
    "dynamodb.key-read-units": 30.0,
    "dynamodb.key-write-units": 100.0,
    "sqs.fifo-group-calls": 1.0,
    "sqs.fifo-in-flight": 10.0,
    "sqs.fifo-searched": 12.0,
}
"""Limits that no test can reach, or wait for, as AWS has them."""


@pytest.fixture(scope="module")
def local_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalStack]:
    """A stack with some limits that are smaller than AWS's."""
    with running_stack(StateDir.of(tmp_path_factory.mktemp("limits")), AwsLimits(changed=CHANGED)) as running:
        yield running


@pytest.fixture
def aws(local_stack: LocalStack) -> Aws:
    return Aws(local_stack)


@pytest.fixture
def stream(aws: Aws) -> Iterator[str]:
    """A Kinesis stream of one shard."""
    name = f"limits-{secrets.token_hex(4)}"
    aws.kinesis.create_stream(StreamName=name, ShardCount=1)
    yield name
    aws.kinesis.delete_stream(StreamName=name)


@pytest.fixture
def fifo(aws: Aws) -> Iterator[str]:
    """The URL of a FIFO queue in high-throughput mode."""
    attributes = {
        "FifoQueue": "true",
        "DeduplicationScope": "messageGroup",
        "FifoThroughputLimit": "perMessageGroupId",
        "ContentBasedDeduplication": "true",
    }
    url = aws.sqs.create_queue(QueueName=f"limits-{secrets.token_hex(4)}.fifo", Attributes=attributes)["QueueUrl"]
    yield url
    aws.sqs.delete_queue(QueueUrl=url)


def refused(error: pytest.ExceptionInfo[ClientError]) -> tuple[str, str]:
    """Code and words of a refusal."""
    return error.value.response["Error"]["Code"], error.value.response["Error"]["Message"]


def rate_exceeded(stream: str) -> str:
    return f"Rate exceeded for shard shardId-000000000000 in stream {stream} under account 000000000000."


# --- Kinesis ---------------------------------------------------------------------------------------------------------


def test_a_shard_takes_a_mebibyte_a_second_and_names_the_records_it_did_not_take(aws: Aws, stream: str) -> None:
    records = [{"PartitionKey": str(n), "Data": bytes(400_000)} for n in range(4)]
    answer = aws.kinesis.put_records(StreamName=stream, Records=records)
    assert answer["FailedRecordCount"] == 2
    assert ["SequenceNumber" in record for record in answer["Records"]] == [True, True, False, False]
    assert answer["Records"][3] == {
        "ErrorCode": "ProvisionedThroughputExceededException",
        "ErrorMessage": rate_exceeded(stream),
    }


def test_a_shard_takes_a_thousand_records_a_second(aws: Aws, stream: str) -> None:
    records = [{"PartitionKey": "key", "Data": b"x"}] * 500
    begin = time.monotonic()
    failed = [aws.kinesis.put_records(StreamName=stream, Records=records)["FailedRecordCount"] for _ in range(4)]
    assert sum(failed) >= 1_000 - 1_000 * (time.monotonic() - begin)
    assert failed[:2] == [0, 0]


def test_a_record_alone_is_refused_by_a_shard_that_is_full(aws: Aws, stream: str) -> None:
    aws.kinesis.put_record(StreamName=stream, PartitionKey="key", Data=bytes(1_048_576))
    with pytest.raises(ClientError) as error:
        aws.kinesis.put_record(StreamName=stream, PartitionKey="key", Data=bytes(1_048_576))
    assert refused(error) == ("ProvisionedThroughputExceededException", rate_exceeded(stream))


def test_the_records_of_a_request_are_at_most_500(aws: Aws, stream: str) -> None:
    with pytest.raises(ClientError) as error:
        aws.kinesis.put_records(StreamName=stream, Records=[{"PartitionKey": "key", "Data": b"x"}] * 501)
    assert refused(error)[0] == "ValidationException"


def test_a_request_of_records_has_at_most_ten_mebibytes(aws: Aws, stream: str) -> None:
    records = [{"PartitionKey": str(n), "Data": bytes(1_000_000)} for n in range(11)]
    answer = aws.kinesis.put_records(StreamName=stream, Records=records[:10])
    assert answer["FailedRecordCount"] == 9
    with pytest.raises(ClientError) as error:
        aws.kinesis.put_records(StreamName=stream, Records=records)
    assert refused(error) == ("InvalidArgumentException", "Records size exceeds 10 MB limit")


def test_a_shard_answers_five_reads_a_second(aws: Aws, stream: str) -> None:
    iterator = iterator_of(aws, stream)
    with pytest.raises(ClientError) as error:
        repeat(lambda: aws.kinesis.get_records(ShardIterator=iterator))
    assert refused(error) == ("ProvisionedThroughputExceededException", rate_exceeded(stream))


def test_after_an_answer_above_two_mebibytes_a_shard_gives_none_for_a_while(aws: Aws, stream: str) -> None:
    for _ in range(4):
        aws.kinesis.put_record(StreamName=stream, PartitionKey="key", Data=bytes(1_000_000))
        time.sleep(1)
    iterator = iterator_of(aws, stream)
    answer = aws.kinesis.get_records(ShardIterator=iterator)
    assert len(answer["Records"]) == 4
    with pytest.raises(ClientError) as error:
        aws.kinesis.get_records(ShardIterator=answer["NextShardIterator"])
    assert refused(error)[0] == "ProvisionedThroughputExceededException"


def test_an_iterator_of_a_shard_is_given_five_times_a_second(aws: Aws, stream: str) -> None:
    with pytest.raises(ClientError) as error:
        repeat(lambda: iterator_of(aws, stream))
    assert refused(error)[0] == "ProvisionedThroughputExceededException"


def test_an_on_demand_stream_begins_with_four_shards(aws: Aws, local_stack: LocalStack) -> None:
    name = f"limits-{secrets.token_hex(4)}"
    aws.kinesis.create_stream(StreamName=name, StreamModeDetails={"StreamMode": "ON_DEMAND"})
    ours = local_stack.target["NormalStream"]
    assert [len(aws.kinesis.list_shards(StreamName=stream)["Shards"]) for stream in (name, ours)] == [4, 4]
    aws.kinesis.delete_stream(StreamName=name)


def repeat(call: Callable[[], object]) -> None:
    """Make a call more often than five times a second."""
    for _ in range(50):
        call()


def iterator_of(aws: Aws, stream: str) -> str:
    answer = aws.kinesis.get_shard_iterator(
        StreamName=stream, ShardId="shardId-000000000000", ShardIteratorType="TRIM_HORIZON"
    )
    return str(answer["ShardIterator"])


# --- SQS -------------------------------------------------------------------------------------------------------------


def test_a_message_has_a_mebibyte_with_its_attributes(aws: Aws, fifo: str) -> None:
    attributes = {"name": {"DataType": "String", "StringValue": "value"}}
    with pytest.raises(ClientError) as error:
        aws.sqs.send_message(
            QueueUrl=fifo, MessageBody="x" * 1_048_576, MessageGroupId="a", MessageAttributes=attributes
        )
    assert refused(error) == (
        "InvalidParameterValue",
        "One or more parameters are invalid. Reason: Message must be shorter than 1048576 bytes.",
    )


def test_a_batch_has_a_mebibyte_together(aws: Aws, fifo: str) -> None:
    entries = [{"Id": str(n), "MessageBody": "x" * 600_000, "MessageGroupId": str(n)} for n in range(2)]
    with pytest.raises(ClientError) as error:
        aws.sqs.send_message_batch(QueueUrl=fifo, Entries=entries)
    assert refused(error) == (
        "AWS.SimpleQueueService.BatchRequestTooLong",
        "Batch requests cannot be longer than 1048576 bytes. You have sent 1200000 bytes.",
    )


def test_a_message_group_is_sent_to_300_times_a_second_and_another_is_not_held_up(aws: Aws, fifo: str) -> None:
    def send(*groups: str) -> Any:
        entries = [{"Id": group, "MessageBody": secrets.token_hex(8), "MessageGroupId": group} for group in groups]
        return aws.sqs.send_message_batch(QueueUrl=fifo, Entries=entries)

    send("busy")
    answer = send("busy", "bystander")
    assert [(entry["Id"], entry["Code"]) for entry in answer["Failed"]] == [("busy", "RequestThrottled")]
    assert [entry["Id"] for entry in answer["Successful"]] == ["bystander"]
    with pytest.raises(ClientError) as error:
        send("busy")
    assert refused(error) == ("RequestThrottled", "Rate exceeded")


def test_a_fifo_queue_gives_no_more_than_may_be_in_flight(aws: Aws, fifo: str) -> None:
    for n in range(12):
        aws.sqs.send_message(QueueUrl=fifo, MessageBody="x", MessageGroupId=str(n))
    received = receive(aws, fifo)
    assert [len(received), len(receive(aws, fifo))] == [10, 0]
    aws.sqs.delete_message(QueueUrl=fifo, ReceiptHandle=received[0]["ReceiptHandle"])
    assert len(receive(aws, fifo)) == 1


def test_a_group_behind_the_messages_that_are_searched_waits_for_the_one_that_stalls(aws: Aws, fifo: str) -> None:
    bodies = [str(n) for n in range(13)]
    for part in (bodies[:10], bodies[10:]):
        entries = [{"Id": body, "MessageBody": body, "MessageGroupId": "stalled"} for body in part]
        aws.sqs.send_message_batch(QueueUrl=fifo, Entries=entries)
        time.sleep(1.1)  # as a group is sent to once a second here
    aws.sqs.send_message(QueueUrl=fifo, MessageBody="bystander", MessageGroupId="bystander")
    first = receive(aws, fifo, 1)
    assert receive(aws, fifo) == []
    aws.sqs.delete_message(QueueUrl=fifo, ReceiptHandle=first[0]["ReceiptHandle"])
    second = receive(aws, fifo, 2)
    assert receive(aws, fifo) == []
    for message in second:
        aws.sqs.delete_message(QueueUrl=fifo, ReceiptHandle=message["ReceiptHandle"])
    assert [message["Body"] for message in second] == ["1", "2"]
    receive(aws, fifo, 1)
    assert [message["Body"] for message in receive(aws, fifo)] == ["bystander"]


def receive(aws: Aws, url: str, most: int = 10) -> list[dict[str, Any]]:
    messages: list[dict[str, Any]] = aws.sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=most).get("Messages", [])
    return messages


# --- Lambda ----------------------------------------------------------------------------------------------------------


def test_an_event_above_six_megabytes_is_refused(aws: Aws, local_stack: LocalStack) -> None:
    function = local_stack.target["ClassifierFunction"]
    with pytest.raises(ClientError) as error:
        aws.__getattr__("lambda").invoke(FunctionName=function, Payload=json.dumps({"x": "x" * 6_291_456}))
    assert refused(error) == (
        "RequestEntityTooLargeException",
        "Request must be smaller than 6291456 bytes for the InvokeFunction operation",
    )
    with pytest.raises(ClientError) as error:
        aws.__getattr__("lambda").invoke(
            FunctionName=function, Payload=json.dumps({"x": "x" * 1_048_576}), InvocationType="Event"
        )
    assert refused(error)[0] == "RequestEntityTooLargeException"


def test_a_request_that_makes_an_event_above_six_megabytes_is_refused(local_stack: LocalStack) -> None:
    answer = local_stack.post(base64.b64encode(bytes(4_800_000)))
    assert (answer.status_code, answer.json()) == (413, {"message": "Request Entity Too Large"})


# --- EventBridge -----------------------------------------------------------------------------------------------------


def test_events_of_a_request_have_256_kibibytes_together(aws: Aws) -> None:
    entry = {"Source": "limits", "DetailType": "test", "Detail": json.dumps({"x": "x" * 100_000})}
    assert aws.events.put_events(Entries=[entry, entry])["FailedEntryCount"] == 0
    with pytest.raises(ClientError) as error:
        aws.events.put_events(Entries=[entry] * 3)
    assert refused(error) == ("ValidationException", "Total size of the entries in the request is over the limit.")


def test_events_of_a_request_are_at_most_ten(aws: Aws) -> None:
    entry = {"Source": "limits", "DetailType": "test", "Detail": "{}"}
    with pytest.raises(ClientError) as error:
        aws.events.put_events(Entries=[entry] * 11)
    assert refused(error)[0] == "ValidationException"


# --- API Gateway -----------------------------------------------------------------------------------------------------


def test_a_request_above_ten_megabytes_is_refused(local_stack: LocalStack) -> None:
    answer = local_stack.post(bytes(10_485_761))
    assert (answer.status_code, answer.json()) == (413, {"message": "Request Entity Too Large"})


def test_a_frame_above_32_kibibytes_ends_the_connection(local_stack: LocalStack) -> None:
    with open_websocket(local_stack) as socket:
        socket.send("x" * 32_769)
        assert close_code_of(socket) == 1009


def test_a_message_above_128_kibibytes_ends_the_connection(local_stack: LocalStack) -> None:
    with open_websocket(local_stack) as socket:
        socket.send("x" * 30_000 for _ in range(5))
        assert close_code_of(socket) == 1009


def test_an_idle_connection_ends(local_stack: LocalStack, source_id: str) -> None:
    with open_websocket(local_stack) as socket:
        authenticate(socket, local_stack.api_key, "iot", source_id)
        begin = time.monotonic()
        assert close_code_of(socket) == 1001
        assert time.monotonic() - begin < CHANGED["apigateway.websocket-seconds"]


def test_a_connection_that_is_never_idle_ends_too(local_stack: LocalStack, source_id: str) -> None:
    with open_websocket(local_stack) as socket:
        authenticate(socket, local_stack.api_key, "iot", source_id)
        with pytest.raises(ConnectionClosed):
            repeat(partial(say_hello, socket))
    assert socket.close_code == 1001


def test_a_function_that_does_not_answer_is_not_waited_for(local_stack: LocalStack) -> None:
    answers: list[tuple[int, Any]] = []

    def ask() -> None:
        answer = local_stack.http.get(f"{local_stack.target.api_url}/health")
        answers.append((answer.status_code, answer.json()))

    with open_websocket(local_stack) as socket, stopped(local_stack, "http_ingest", "ws_ingest"):
        asking = Thread(target=ask)
        asking.start()
        socket.send("{}")
        message = json.loads(socket.recv(PATIENCE_SECONDS))
        asking.join(PATIENCE_SECONDS)
    assert answers == [(503, {"message": "Service Unavailable"})]
    assert message["message"] == "Endpoint request timed out"
    assert set(message) == {"message", "connectionId", "requestId"}


def say_hello(socket: ClientConnection) -> None:
    time.sleep(0.5)
    socket.send('{"action": "auth"}')
    socket.recv(PATIENCE_SECONDS)


def close_code_of(socket: ClientConnection) -> int | None:
    with pytest.raises(ConnectionClosed):
        socket.recv(PATIENCE_SECONDS)
    return socket.close_code


@contextmanager
def stopped(stack: LocalStack, *functions: str) -> Iterator[None]:
    """Let functions stand still for the block."""
    workers = [pid for function in functions for pid in stack.workers(function)]
    for pid in workers:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in workers:
            os.kill(pid, signal.SIGCONT)


# --- DynamoDB --------------------------------------------------------------------------------------------------------


@pytest.fixture
def table(aws: Aws) -> Iterator[str]:
    """A table on demand, with a partition key and a sort key."""
    name = f"limits-{secrets.token_hex(4)}"
    keys = [{"AttributeName": "source", "KeyType": "HASH"}, {"AttributeName": "n", "KeyType": "RANGE"}]
    types = [{"AttributeName": "source", "AttributeType": "S"}, {"AttributeName": "n", "AttributeType": "N"}]
    aws.dynamodb.create_table(TableName=name, KeySchema=keys, AttributeDefinitions=types, BillingMode="PAY_PER_REQUEST")
    yield name
    aws.dynamodb.delete_table(TableName=name)


def item(source: str, n: int, size: int = 0) -> dict[str, Any]:
    return {"source": {"S": source}, "n": {"N": str(n)}, "data": {"B": bytes(size)}}


def test_a_partition_key_takes_so_many_write_units_a_second(aws: Aws, table: str) -> None:
    def write(source: str, size: int) -> Any:
        return aws.dynamodb.put_item(TableName=table, Item=item(source, 1, size))

    with pytest.raises(ClientError) as error:
        repeat(lambda: write("hot", 400_000))
    code, message = refused(error)
    assert code == "ThrottlingException"
    assert message.startswith("Throughput exceeds the current capacity of your table or index.")
    (reason,) = error.value.response["throttlingReasons"]  # type: ignore[typeddict-item] # of newer answers
    assert reason["reason"] == "TableWriteKeyRangeThroughputExceeded"
    write("cold", 10)

    requests = [{"PutRequest": {"Item": item(source, 2, 100)}} for source in ("hot", "cold")]
    answer = aws.dynamodb.batch_write_item(RequestItems={table: requests})
    assert [one["PutRequest"]["Item"]["source"]["S"] for one in answer["UnprocessedItems"][table]] == ["hot"]


def test_a_partition_key_gives_so_many_read_units_a_second(aws: Aws, table: str) -> None:
    for source in ("hot", "cold"):
        aws.dynamodb.put_item(TableName=table, Item=item(source, 1, 400_000))

    def read() -> Any:
        condition = {"ExpressionAttributeValues": {":s": {"S": "hot"}}, "KeyConditionExpression": "#s = :s"}
        names = {"#s": "source"}
        return aws.dynamodb.query(TableName=table, ConsistentRead=True, ExpressionAttributeNames=names, **condition)

    with pytest.raises(ClientError) as error:
        repeat(read)
    assert refused(error)[0] == "ThrottlingException"
    keys = [{"source": {"S": source}, "n": {"N": "1"}} for source in ("hot", "cold")]
    answer = aws.dynamodb.batch_get_item(RequestItems={table: {"Keys": keys, "ConsistentRead": True}})
    assert [one["source"]["S"] for one in answer["Responses"][table]] == ["cold"]
    assert [one["source"]["S"] for one in answer["UnprocessedKeys"][table]["Keys"]] == ["hot"]


def test_an_item_has_400_kibibytes(aws: Aws, table: str) -> None:
    with pytest.raises(ClientError) as error:
        aws.dynamodb.put_item(TableName=table, Item=item("source", 1, 409_600))
    assert refused(error)[0] == "ValidationException"


def test_a_batch_has_25_writes_or_100_reads(aws: Aws, table: str) -> None:
    writes = [{"PutRequest": {"Item": item("source", n)}} for n in range(26)]
    with pytest.raises(ClientError) as error:
        aws.dynamodb.batch_write_item(RequestItems={table: writes})
    assert refused(error)[0] == "ValidationException"
    keys = [{"source": {"S": "source"}, "n": {"N": str(n)}} for n in range(101)]
    with pytest.raises(ClientError) as error:
        aws.dynamodb.batch_get_item(RequestItems={table: {"Keys": keys}})
    assert refused(error)[0] == "ValidationException"


# --- AWS IoT Core ----------------------------------------------------------------------------------------------------


def test_a_message_above_128_kibibytes_ends_the_connection_of_its_device(
    local_stack: LocalStack, source_id: str
) -> None:
    device = device_client(device_for(local_stack.target, "iot", source_id))
    published = publish(device, f"iot/{source_id}/stream", bytes(131_073))
    with pytest.raises(AwsCrtError):
        published.result(PATIENCE_SECONDS)
    device.stop()


def test_a_device_publishes_a_hundred_messages_a_second_and_the_others_are_lost(
    local_stack: LocalStack, source_id: str
) -> None:
    device = device_client(device_for(local_stack.target, "iot", source_id), is_paced=False)
    begin = time.monotonic()
    sent = [publish(device, f"iot/{source_id}/stream", b"[]") for _ in range(400)]
    done, _ = wait(sent, timeout=3)
    assert 100 <= len(done) <= 100 * (2 + time.monotonic() - begin)
    device.stop()


def publish(device: mqtt5.Client, topic: str, payload: bytes) -> Future[Any]:
    packet = mqtt5.PublishPacket(topic=topic, payload=payload, qos=mqtt5.QoS.AT_LEAST_ONCE)
    published: Future[Any] = device.publish(packet)
    return published
