"""Composition of `classifier`."""

import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor

import msgspec
from pydantic import Field

from afluente.adapters.aws.dynamodb_constraints import DynamoConstraints
from afluente.adapters.aws.dynamodb_pack_tries import DynamoPackTries
from afluente.adapters.aws.dynamodb_states import DynamoStates
from afluente.adapters.aws.eventbridge import AlarmSinks, EventBridgeAlarms, LogGroupAlarms
from afluente.adapters.aws.kinesis import KinesisStreams
from afluente.adapters.aws.s3_quarantine import S3Quarantine
from afluente.adapters.aws.sqs_packs import SqsDeadLetters, SqsRetryBackoff
from afluente.adapters.codecs.kinesis_records import RecordFormat
from afluente.application.classification.classifier import ConstraintClassifier
from afluente.application.classification.classify_pack import ClassifyPack
from afluente.application.classification.classify_packs import ClassifyPacks
from afluente.application.classification.ports import STREAMS_PER_SOURCE, Classifier, StateStore
from afluente.application.classification.retries import RetryPacks
from afluente.application.constraints.lookup import ConstraintsLookup, NoConstraints
from afluente.application.constraints.ports import ConstraintsStore
from afluente.application.ingest.ports import Quarantine
from afluente.domain.evaluation import Classification
from afluente.runtime.bulk_slots import bulk_slots
from afluente.runtime.core.clients import client
from afluente.runtime.core.jitter import sleep_with_jitter
from afluente.runtime.core.settings import Settings

_PARALLEL_CALLS = 16

MAX_GROUPS = 10
"""Message groups of a batch: Lambda takes at most ten messages of a FIFO queue."""


class ClassifierSettings(Settings):
    """Settings of `classifier`."""

    datapoints_queue_url: str
    datapoints_dlq_url: str
    stream_alert: str
    stream_warning: str
    stream_anomaly: str
    stream_normal: str
    latest_table: str
    csv_slots_table: str
    constraints_table: str
    use_agnostic_constraints: bool = True
    old_sql_secret: str = ""
    old_sql_tables: str = ""
    migration_table: str = ""
    constraints_ttl_seconds: float = Field(default=60, ge=0)
    streams_per_source: int = Field(default=STREAMS_PER_SOURCE, ge=1)
    compact_states: bool = True
    record_format: RecordFormat = RecordFormat.PLAIN
    quarantine_bucket: str
    alarm_bus: str
    alarm_log_group: str
    alarm_log_stream: str

    @property
    def has_legacy_tables(self) -> bool:
        """True where points of the legacy service are classified by its own tables."""
        return bool(self.old_sql_secret) and not self.use_agnostic_constraints


class ClassifierFunction(msgspec.Struct, frozen=True):
    """Ports and use cases of `classifier`.

    Attributes:
        classify: classifies and delivers packs.
        retry: decides when failed packs are retried.
        quarantine: keeps messages that are no packs.
        retry_later: sets the seconds until messages are visible again, by receipt handle.
    """

    classify: ClassifyPacks
    retry: RetryPacks
    quarantine: Quarantine
    retry_later: Callable[[Sequence[tuple[str, int]]], None]


def compose(environment: Mapping[str, str]) -> ClassifierFunction:
    """Build `classifier`."""
    settings = ClassifierSettings.read(environment)
    executor = ThreadPoolExecutor(_PARALLEL_CALLS)
    streams = {
        Classification.ALERT: settings.stream_alert,
        Classification.WARNING: settings.stream_warning,
        Classification.ANOMALY: settings.stream_anomaly,
        Classification.NORMAL: settings.stream_normal,
    }
    states = _states(settings, executor)
    quarantine = S3Quarantine(client("s3"), settings.quarantine_bucket)
    slots = bulk_slots(settings.csv_slots_table)
    classify = ClassifyPack(
        classifier=_classifier(settings, executor),
        streams=KinesisStreams(
            client("kinesis"),
            streams,
            executor=executor,
            record_format=settings.record_format,
            sleep=sleep_with_jitter,
        ),
        alarms=AlarmSinks(
            EventBridgeAlarms(client("events"), settings.alarm_bus, executor=executor, sleep=sleep_with_jitter),
            LogGroupAlarms(client("logs"), settings.alarm_log_group, settings.alarm_log_stream),
        ),
        quarantine=quarantine,
        slots=slots,
        clock=time.time,
    )
    return ClassifierFunction(
        classify=ClassifyPacks(classify=classify, states=states, executor=ThreadPoolExecutor(MAX_GROUPS)),
        retry=RetryPacks(
            tries=DynamoPackTries(client("dynamodb"), settings.latest_table),
            dead_letters=SqsDeadLetters(client("sqs"), settings.datapoints_dlq_url),
            slots=slots,
        ),
        quarantine=quarantine,
        retry_later=SqsRetryBackoff(client("sqs"), settings.datapoints_queue_url),
    )


def _states(settings: ClassifierSettings, executor: Executor) -> StateStore:
    return DynamoStates(
        client("dynamodb"),
        settings.latest_table,
        executor=executor,
        sleep=sleep_with_jitter,
        streams_per_source=settings.streams_per_source,
        compact=settings.compact_states,
    )


def _classifier(settings: ClassifierSettings, executor: Executor) -> Classifier:
    table: ConstraintsStore = DynamoConstraints(
        client("dynamodb"), settings.constraints_table, sleep=sleep_with_jitter, executor=executor
    )
    if settings.has_legacy_tables:
        # The migration wing, which no other stage loads.
        from afluente.runtime.migration.classifier import shadow_classifier  # noqa: PLC0415
        from afluente.runtime.migration.legacy_tables import legacy_tables  # noqa: PLC0415

        return shadow_classifier(
            table,
            legacy_tables(settings.old_sql_secret, settings.old_sql_tables),
            trial_table=settings.migration_table,
            ttl_seconds=settings.constraints_ttl_seconds,
        )
    store = table if settings.use_agnostic_constraints else NoConstraints()
    return ConstraintClassifier(
        ConstraintsLookup(store, ttl_seconds=settings.constraints_ttl_seconds, clock=time.monotonic)
    )
