"""The queues of the service, each with the queue of what could not be dealt with."""

from aws_cdk import Duration
from aws_cdk.aws_sqs import DeadLetterQueue, DeduplicationScope, FifoThroughputLimit, Queue, QueueEncryption
from constructs import Construct

from infra.constructs import lifetime
from infra.stage import Stage

MAX_MESSAGE_BYTES = 1_048_576
"""SQS, "Message size"."""

RETENTION = Duration.days(14)
"""SQS, "Message retention": the longest there is."""

MAX_RECEIVES = 60
"""Attempts at a pack, at most a minute apart: a dependency may be down for almost an hour before it is given up."""


class DatapointsQueue(Construct):
    """A FIFO queue in high-throughput mode, deduplicated within a message group by ids that the sender gives."""

    def __init__(self, scope: Construct, id_: str, *, stage: Stage) -> None:
        super().__init__(scope, id_)
        self.dead_letter_queue = self._queue("DeadLetter", stage, "datapoints-dlq.fifo", Duration.seconds(30), None)
        self.queue = self._queue(
            "Queue",
            stage,
            "datapoints.fifo",
            Duration.seconds(stage.queue_visibility_seconds),
            DeadLetterQueue(queue=self.dead_letter_queue, max_receive_count=MAX_RECEIVES),
        )

    def _queue(
        self, id_: str, stage: Stage, name: str, visibility: Duration, dead_letter_queue: DeadLetterQueue | None
    ) -> Queue:
        return Queue(
            self,
            id_,
            queue_name=f"{stage.prefix}-{name}",
            fifo=True,
            content_based_deduplication=False,
            deduplication_scope=DeduplicationScope.MESSAGE_GROUP,
            fifo_throughput_limit=FifoThroughputLimit.PER_MESSAGE_GROUP_ID,
            encryption=QueueEncryption.SQS_MANAGED,
            enforce_ssl=True,
            max_message_size_bytes=MAX_MESSAGE_BYTES,
            retention_period=RETENTION,
            visibility_timeout=visibility,
            dead_letter_queue=dead_letter_queue,
            removal_policy=lifetime.of_data(stage),
        )


class MqttInboxQueue(Construct):
    """A standard queue, since a topic rule of AWS IoT Core cannot send to a FIFO queue; its packs are sorted later."""

    def __init__(self, scope: Construct, id_: str, *, stage: Stage) -> None:
        super().__init__(scope, id_)
        self.dead_letter_queue = self._queue("DeadLetter", stage, "mqtt-inbox-dlq", Duration.seconds(30), None)
        self.queue = self._queue(
            "Queue",
            stage,
            "mqtt-inbox",
            Duration.seconds(stage.queue_visibility_seconds),
            DeadLetterQueue(queue=self.dead_letter_queue, max_receive_count=MAX_RECEIVES),
        )

    def _queue(
        self, id_: str, stage: Stage, name: str, visibility: Duration, dead_letter_queue: DeadLetterQueue | None
    ) -> Queue:
        return Queue(
            self,
            id_,
            queue_name=f"{stage.prefix}-{name}",
            encryption=QueueEncryption.SQS_MANAGED,
            enforce_ssl=True,
            max_message_size_bytes=MAX_MESSAGE_BYTES,
            retention_period=RETENTION,
            visibility_timeout=visibility,
            dead_letter_queue=dead_letter_queue,
            removal_policy=lifetime.of_data(stage),
        )
