"""Limiters of the services, without an emulator."""

import asyncio
import base64
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli.core.local_stack import AwsLimits
from cli.local_stack.aws_limits import apigateway, dynamodb, eventbridge, functions, iot, kinesis, sqs
from cli.local_stack.aws_limits.buckets import KeyedBuckets
from cli.local_stack.aws_limits.settings import Values

AS_AWS = Values(AwsLimits())


def test_a_shard_takes_a_thousand_small_records_a_second() -> None:
    writes = kinesis.ShardWrites(AS_AWS)
    assert sum(writes.admit("shard", 10, 0.0) for _ in range(1_500)) == 1_000
    assert sum(writes.admit("shard", 10, 0.5) for _ in range(1_500)) == 500
    assert writes.admit("another shard", 10, 0.5)


def test_a_shard_takes_a_mebibyte_a_second() -> None:
    writes = kinesis.ShardWrites(AS_AWS)
    assert sum(writes.admit("shard", 100_000, 0.0) for _ in range(20)) == 10
    assert sum(writes.admit("shard", 100_000, 1.0) for _ in range(20)) == 10


def test_a_record_that_finds_no_room_for_its_bytes_costs_no_record() -> None:
    writes = kinesis.ShardWrites(Values(AwsLimits(changed={"kinesis.shard-write-records": 2})))
    assert writes.admit("shard", 1_048_576, 0.0)
    assert not writes.admit("shard", 500_000, 0.1)
    assert writes.admit("shard", 1, 0.1)


def test_a_record_of_a_mebibyte_and_its_key_is_taken_by_a_shard_at_rest() -> None:
    assert kinesis.ShardWrites(AS_AWS).admit("shard", 1_048_576 + 256, 0.0)


def test_a_shard_answers_five_calls_a_second() -> None:
    reads = kinesis.ShardReads(AS_AWS)
    assert [reads.admit("shard", 0.0) for _ in range(6)] == [True] * 5 + [False]
    assert reads.admit("shard", 0.2)


def test_an_answer_of_ten_mebibytes_is_followed_by_four_seconds_without() -> None:
    reads = kinesis.ShardReads(AS_AWS)
    assert reads.admit("shard", 0.0)
    reads.charge("shard", 10_485_760, 0.0)
    assert not reads.admit("shard", 3.9)
    assert reads.admit("shard", 4.1)


@given(st.binary(max_size=40))
def test_the_size_of_a_blob_is_known_without_decoding_it(blob: bytes) -> None:
    assert kinesis.blob_bytes(base64.b64encode(blob).decode()) == len(blob)


@given(st.lists(st.integers(0, 30), max_size=40))
def test_requests_are_cut_in_order_and_within_their_size(sizes: list[int]) -> None:
    parts = [sizes[part] for part in kinesis.in_requests(sizes, 20)]
    assert [size for part in parts for size in part] == sizes
    assert all(sum(part) <= 20 or len(part) == 1 for part in parts)


def test_a_message_has_the_size_of_its_body_and_its_attributes() -> None:
    attributes = {
        "kind": {"DataType": "String", "StringValue": "ü"},
        "raw": {"DataType": "Binary", "BinaryValue": base64.b64encode(b"12345").decode()},
    }
    entry = {"MessageBody": "body", "MessageAttributes": attributes}
    assert sqs.message_bytes(entry) == len("body") + len("kindString") + 2 + len("rawBinary") + 5


def test_messages_in_flight_are_those_received_and_not_yet_visible() -> None:
    messages = [
        {"visible_at": 11.0, "receive_count": 1},
        {"visible_at": 9.0, "receive_count": 1},
        {"visible_at": 11.0, "receive_count": 0},
    ]
    assert sqs.in_flight(messages, 10.0) == 1


def test_the_calls_of_a_message_group_are_its_own() -> None:
    calls = KeyedBuckets(2)
    assert [sqs.throttled_groups(["a", "b"], calls, "queue", 0.0) for _ in range(2)] == [set(), set()]
    assert sqs.throttled_groups(["a", "c"], calls, "queue", 0.0) == {"a"}
    assert sqs.throttled_groups(["a"], calls, "another queue", 0.0) == set()


def test_a_batch_of_a_mapping_holds_the_messages_that_fit_an_event() -> None:
    message = {"body": "x" * 1_000_000, "message_attributes": {}}
    assert functions.fitting([message] * 10, 6_291_456) == 6
    assert functions.fitting([message], 100) == 1
    assert functions.fitting([], 100) == 0


def test_characters_that_json_escapes_count_as_they_are_sent() -> None:
    message = {"body": '"' * 1_000_000, "message_attributes": {}}
    assert functions.fitting([message] * 10, 6_291_456) == 3


@pytest.mark.parametrize("value", ["\ud800", 10**30, {"key": ["\ud800", 1]}])
def test_the_size_of_any_json_is_known(value: object) -> None:
    assert functions.payload_bytes(value) > 0


def test_an_entry_has_the_size_that_aws_counts() -> None:
    entry = {"Source": "afluente", "DetailType": "Alarm", "Detail": '{"ü": 1}', "Resources": ["a/b/c"]}
    assert eventbridge.entry_bytes(entry) == 8 + 5 + 9 + 5
    assert eventbridge.entry_bytes({**entry, "Time": 1}) == 8 + 5 + 9 + 5 + 14
    assert eventbridge.entry_bytes({}) == 0


def test_a_partition_key_is_written_a_thousand_units_a_second_and_another_is_not_held_up() -> None:
    throughput, hot, cold = dynamodb.KeyThroughput(AS_AWS), ("table", "hot"), ("table", "cold")
    for _ in range(1_000):
        assert throughput.admits(hot, 0.0, is_write=True)
        throughput.charge(hot, 1, 0.0, is_write=True)
    assert not throughput.admits(hot, 0.0, is_write=True)
    assert throughput.admits(cold, 0.0, is_write=True)
    assert throughput.admits(hot, 0.0, is_write=False)
    assert throughput.admits(hot, 0.001, is_write=True)


def test_units_are_kibibytes_written_and_four_of_them_read() -> None:
    assert [dynamodb.write_units(size) for size in (0, 1, 1_024, 1_025)] == [1, 1, 1, 2]
    assert [dynamodb.read_units(size, is_consistent=True) for size in (0, 4_096, 4_097)] == [1, 1, 2]
    assert dynamodb.read_units(4_097, is_consistent=False) == 1


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"KeyConditionExpression": "source = :s"}, {"S": "a"}),
        ({"KeyConditionExpression": "#n = :s AND sort > :t", "ExpressionAttributeNames": {"#n": "source"}}, {"S": "a"}),
        ({"KeyConditionExpression": "other = :s"}, None),
        ({}, None),
    ],
)
def test_the_partition_key_of_a_query_is_that_of_its_condition(query: dict[str, Any], expected: object) -> None:
    values = {":s": {"S": "a"}, ":t": {"N": "1"}}
    assert dynamodb.queried_value({**query, "ExpressionAttributeValues": values}, "source") == expected


def test_a_connection_publishes_a_hundred_messages_a_second() -> None:
    publishes = iot.Publishes(AS_AWS, 0.0)
    # Ten more may come early, and are missing afterwards.
    assert sum(publishes.admit(10, 0.0) for _ in range(150)) == 110
    assert sum(publishes.admit(10, 0.5) for _ in range(150)) == 50


def test_a_connection_publishes_half_a_mebibyte_a_second() -> None:
    publishes = iot.Publishes(AS_AWS, 0.0)
    assert sum(publishes.admit(131_072, 0.0) for _ in range(10)) == 4


@pytest.mark.parametrize(("flags", "packet_id"), [(0, b""), (2, b"\x00\x07")])
def test_the_payload_of_a_message_is_what_follows_its_topic_and_its_id(flags: int, packet_id: bytes) -> None:
    assert iot.payload_bytes(flags, b"\x00\x03a/b" + packet_id + b"payload") == len("payload")


def test_a_connection_ends_when_it_is_idle_or_old() -> None:
    life = apigateway.ConnectionLife(idle_seconds=600, whole_seconds=7_200, began_at=100)
    assert life.left(100) == 600
    life.active_at = 7_000
    assert life.left(7_000) == 300


def test_a_message_that_is_too_large_ends_its_connection() -> None:
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "websocket.receive", "text": "ü" * 6}

    async def send(message: Any) -> None:
        sent.append(message)

    life = apigateway.ConnectionLife(600, 7_200, time.monotonic())
    bounded, _ = apigateway.bounded(receive, send, life, 11)
    assert asyncio.run(bounded()) == {"type": "websocket.disconnect", "code": 1009}
    assert sent == [{"type": "websocket.close", "code": 1009}]


def test_work_that_is_late_has_no_answer() -> None:
    async def work() -> str:
        await asyncio.sleep(0)
        return "done"

    assert asyncio.run(apigateway.within(30, work())) == "done"
    assert asyncio.run(apigateway.within(0, asyncio.Event().wait())) is None
