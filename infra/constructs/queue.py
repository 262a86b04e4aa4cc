"""The queues of the service, each with its dead-letter queue."""

from aws_cdk import Duration
from aws_cdk.aws_kms import IKey
from aws_cdk.aws_sqs import DeadLetterQueue, DeduplicationScope, FifoThroughputLimit, Queue, QueueEncryption
from constructs import Construct

from infra.constructs import lifetime
from infra.constructs.encryption import DATA_KEY_REUSE
from infra.stage import Stage

MAX_MESSAGE_BYTES = 1_048_576
"""SQS, "Message size"."""

RETENTION = Duration.days(14)
"""SQS, "Message retention": the longest there is."""

MAX_RECEIVES = 60
"""Attempts at a message of an inbox: a dependency may be unavailable for an hour."""

MOST_RECEIVES = 1_000
"""SQS, "maxReceiveCount": the most there is, for messages whose receives are no attempts: packs that the classifier
returns without having begun them, and CSV jobs, which continue where the last invocation ended. Either consumer counts
the attempts itself; this is the last net."""


class DatapointsQueue(Construct):
    """A FIFO queue in high-throughput mode, deduplicated within a message group by ids that the sender gives."""

    def __init__(self, scope: Construct, id_: str, *, stage: Stage, key: IKey | None) -> None:
        super().__init__(scope, id_)
        self.queue, self.dead_letter_queue = _with_dead_letters(
            self,
            stage,
            key,
            "datapoints",
            is_fifo=True,
            visibility_seconds=stage.queue_visibility_seconds,
            max_receives=MOST_RECEIVES,
        )


class MqttInboxQueue(Construct):
    """A standard queue, since a topic rule of AWS IoT Core cannot send to a FIFO queue."""

    def __init__(self, scope: Construct, id_: str, *, stage: Stage, key: IKey | None) -> None:
        super().__init__(scope, id_)
        self.queue, self.dead_letter_queue = _with_dead_letters(
            self,
            stage,
            key,
            "mqtt-inbox",
            is_fifo=False,
            # Messages that are gathered for a batch have been received already.
            visibility_seconds=stage.queue_visibility_seconds + stage.mqtt_window_seconds,
        )


class CsvInboxQueue(Construct):
    """A standard queue, since S3 cannot notify a FIFO queue."""

    def __init__(self, scope: Construct, id_: str, *, stage: Stage, key: IKey | None) -> None:
        super().__init__(scope, id_)
        self.queue, self.dead_letter_queue = _with_dead_letters(
            self, stage, key, "csv-inbox", is_fifo=False, visibility_seconds=stage.csv_visibility_seconds
        )


class CsvJobsQueue(Construct):
    """A FIFO queue in high-throughput mode: the jobs of one message group are processed one after the other."""

    def __init__(self, scope: Construct, id_: str, *, stage: Stage, key: IKey | None) -> None:
        super().__init__(scope, id_)
        self.queue, self.dead_letter_queue = _with_dead_letters(
            self,
            stage,
            key,
            "csv-jobs",
            is_fifo=True,
            visibility_seconds=stage.csv_visibility_seconds,
            max_receives=MOST_RECEIVES,
        )


def _with_dead_letters(
    scope: Construct,
    stage: Stage,
    key: IKey | None,
    name: str,
    *,
    is_fifo: bool,
    visibility_seconds: int,
    max_receives: int = MAX_RECEIVES,
) -> tuple[Queue, Queue]:
    """A queue, and its dead-letter queue."""

    def queue(id_: str, name: str, visibility: Duration, dead_letter_queue: DeadLetterQueue | None) -> Queue:
        return Queue(
            scope,
            id_,
            queue_name=f"{stage.prefix}-{name}{'.fifo' if is_fifo else ''}",
            fifo=True if is_fifo else None,
            content_based_deduplication=False if is_fifo else None,
            deduplication_scope=DeduplicationScope.MESSAGE_GROUP if is_fifo else None,
            fifo_throughput_limit=FifoThroughputLimit.PER_MESSAGE_GROUP_ID if is_fifo else None,
            encryption=QueueEncryption.SQS_MANAGED if key is None else QueueEncryption.KMS,
            encryption_master_key=key,
            data_key_reuse=None if key is None else DATA_KEY_REUSE,
            enforce_ssl=True,
            max_message_size_bytes=MAX_MESSAGE_BYTES,
            retention_period=RETENTION,
            visibility_timeout=visibility,
            dead_letter_queue=dead_letter_queue,
            removal_policy=lifetime.of_data(stage),
        )

    dead_letters = queue("DeadLetter", f"{name}-dlq", Duration.seconds(30), None)
    redrive = DeadLetterQueue(queue=dead_letters, max_receive_count=max_receives)
    return queue("Queue", name, Duration.seconds(visibility_seconds), redrive), dead_letters
