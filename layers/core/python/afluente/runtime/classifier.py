"""Composition of `classifier`."""

import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache

import msgspec

from afluente.adapters.aws.dynamodb_constraints import DynamoConstraints
from afluente.adapters.aws.dynamodb_states import DynamoStates
from afluente.adapters.aws.eventbridge import AlarmSinks, EventBridgeAlarms, LogGroupAlarms
from afluente.adapters.aws.kinesis import KinesisStreams
from afluente.adapters.aws.s3_quarantine import S3Quarantine
from afluente.adapters.aws.sqs_packs import SqsRetryBackoff
from afluente.application.classification.classifier import ConstraintClassifier
from afluente.application.classification.classify_packs import ClassifyPacks
from afluente.application.classification.ports import Classifier
from afluente.application.constraints.lookup import ConstraintsLookup, NoConstraints
from afluente.application.constraints.ports import ConstraintsStore
from afluente.application.ingest.ports import Quarantine
from afluente.domain.evaluation import Classification
from afluente.runtime.clients import client
from afluente.runtime.jitter import sleep_with_jitter
from afluente.runtime.settings import ClassifierSettings

_PARALLEL_CALLS = 16


class ClassifierFunction(msgspec.Struct, frozen=True):
    """What `classifier` works with."""

    classify: ClassifyPacks
    quarantine: Quarantine
    give_back: Callable[[Sequence[tuple[str, int]]], None]


@cache
def classifier() -> ClassifierFunction:
    """Build `classifier`."""
    settings = ClassifierSettings.read(os.environ)
    executor = ThreadPoolExecutor(_PARALLEL_CALLS)
    streams = {
        Classification.ALERT: settings.stream_alert,
        Classification.WARNING: settings.stream_warning,
        Classification.ANOMALY: settings.stream_anomaly,
        Classification.NORMAL: settings.stream_normal,
    }
    classify = ClassifyPacks(
        classifier=_classifier(settings),
        states=DynamoStates(client("dynamodb"), settings.latest_table, executor=executor, sleep=sleep_with_jitter),
        streams=KinesisStreams(
            client("kinesis"),
            streams,
            executor=executor,
            one_point_a_record=settings.one_point_a_record,
            sleep=sleep_with_jitter,
        ),
        alarms=AlarmSinks(
            EventBridgeAlarms(client("events"), settings.alarm_bus, sleep=sleep_with_jitter),
            LogGroupAlarms(client("logs"), settings.alarm_log_group, settings.alarm_log_stream),
        ),
        clock=time.time,
    )
    quarantine = S3Quarantine(client("s3"), settings.quarantine_bucket)
    give_back = SqsRetryBackoff(client("sqs"), settings.datapoints_queue_url)
    return ClassifierFunction(classify, quarantine, give_back)


def _classifier(settings: ClassifierSettings) -> Classifier:
    table: ConstraintsStore = DynamoConstraints(client("dynamodb"), settings.constraints_table, sleep=sleep_with_jitter)
    if settings.has_legacy_tables:
        # The migration wing, which no other stage loads.
        from afluente.runtime.migration.classifier import shadow_classifier  # noqa: PLC0415
        from afluente.runtime.migration.legacy_tables import legacy_tables  # noqa: PLC0415

        return shadow_classifier(settings, table, legacy_tables(settings))
    store = table if settings.use_agnostic_constraints else NoConstraints()
    return ConstraintClassifier(
        ConstraintsLookup(store, ttl_seconds=settings.constraints_ttl_seconds, clock=time.monotonic)
    )
