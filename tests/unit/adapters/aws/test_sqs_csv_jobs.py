"""The queue of parts of CSV jobs: message groups, and whether parts wait."""

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from moto import mock_aws

from afluente.adapters.aws.sqs_csv_jobs import SqsJobQueue, message_group
from tests.factories import a_csv_job


def test_jobs_of_a_source_follow_each_other_and_further_parts_do_not_wait() -> None:
    one, other = a_csv_job("1"), a_csv_job("2")

    assert message_group(one, 0) == message_group(other, 0)
    assert message_group(one, 0) != message_group(a_csv_job("1", source_id="furnace-2"), 0)
    assert len({message_group(one, 0), message_group(one, 1), message_group(one, 2), message_group(other, 1)}) == 4


@pytest.fixture
def sqs() -> Iterator[Any]:
    with mock_aws():
        yield boto3.client("sqs", region_name="us-east-1", aws_access_key_id="test", aws_secret_access_key="test")


def test_a_part_waits_until_it_is_received(sqs: Any) -> None:
    url = sqs.create_queue(QueueName="jobs.fifo", Attributes={"FifoQueue": "true"})["QueueUrl"]
    queue = SqsJobQueue(sqs, url)
    assert not queue.has_waiting()

    queue.send(a_csv_job("1"), 0)
    assert queue.has_waiting()

    sqs.receive_message(QueueUrl=url)
    assert not queue.has_waiting()


def test_a_part_is_queued_once_unless_it_is_renewed(sqs: Any) -> None:
    url = sqs.create_queue(QueueName="jobs.fifo", Attributes={"FifoQueue": "true"})["QueueUrl"]
    queue = SqsJobQueue(sqs, url)

    for renewal in ("", "", "first", "first", "second"):
        queue.send(a_csv_job("1"), 1, renewal=renewal)

    assert len(sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10)["Messages"]) == 3
