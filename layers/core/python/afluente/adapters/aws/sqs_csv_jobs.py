"""The queue of parts of CSV jobs: an SQS FIFO queue, so that the jobs of a source follow each other."""

from hashlib import blake2b
from typing import TYPE_CHECKING

import msgspec

from afluente.adapters.aws.calls import unavailable
from afluente.application.csv.jobs import CsvJob

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient


class NoPartError(Exception):
    """A message that names no part."""


class QueuedPart(msgspec.Struct, frozen=True):
    """A message of the queue: a part of a job to load."""

    job_id: str
    part: int


_decoder = msgspec.json.Decoder(QueuedPart)


class SqsJobQueue:
    """Queues parts of jobs."""

    def __init__(self, client: "SQSClient", queue_url: str) -> None:
        self._client = client
        self._queue_url = queue_url

    def send(self, job: CsvJob, part: int, *, renewal: str = "") -> None:
        with unavailable("SQS"):
            self._client.send_message(
                QueueUrl=self._queue_url,
                MessageBody=msgspec.json.encode(QueuedPart(job.job_id, part)).decode(),
                MessageGroupId=message_group(job, part),
                MessageDeduplicationId=f"{job.job_id}-{part}-{renewal}" if renewal else f"{job.job_id}-{part}",
            )

    def has_waiting(self) -> bool:
        with unavailable("SQS"):
            answer = self._client.get_queue_attributes(
                QueueUrl=self._queue_url, AttributeNames=["ApproximateNumberOfMessages"]
            )
        return int(answer["Attributes"]["ApproximateNumberOfMessages"]) > 0


def message_group(job: CsvJob, part: int) -> str:
    """The message group of a part: jobs of a source follow each other, further parts of a job do not wait."""
    source = blake2b(f"{job.domain}/{job.source_id}".encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
    return source if part == 0 else f"{job.job_id}-{part}"


def queued_part(body: str) -> QueuedPart:
    """The part that a message names.

    Raises:
        NoPartError: it names none, so no `SqsJobQueue` wrote it.
    """
    try:
        return _decoder.decode(body)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise NoPartError(f"the message names no part of a job: {error}") from error
