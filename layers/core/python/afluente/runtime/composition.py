"""What each function is made of, built once for each container, when the first event comes."""

import os
import random
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from functools import cache, partial

import msgspec

from afluente.adapters.aws.api_gateway_connections import UnansweredQueue, WebSocketConnections
from afluente.adapters.aws.cloudwatch_alarm_log import LogGroupAlarmLog
from afluente.adapters.aws.dynamodb_connections import DynamoConnections
from afluente.adapters.aws.dynamodb_constraints import DynamoConstraints, DynamoConstraintsCatalogue
from afluente.adapters.aws.dynamodb_csv_jobs import DynamoCsvJobs
from afluente.adapters.aws.dynamodb_states import DynamoStates
from afluente.adapters.aws.eventbridge import AlarmSinks, EventBridgeAlarms, LogGroupAlarms
from afluente.adapters.aws.kinesis import KinesisStreams
from afluente.adapters.aws.s3_csv_uploads import PRESIGNING, S3CsvUploads
from afluente.adapters.aws.s3_quarantine import S3Quarantine
from afluente.adapters.aws.sqs_packs import SqsPackQueue, SqsRetryBackoff
from afluente.adapters.memory.constraints import MemoryConstraints
from afluente.application.access.key_guard import KeyGuard
from afluente.application.alarms.history import AlarmLog
from afluente.application.classification.classifiers import Classifier, ConstraintClassifier
from afluente.application.classification.classify_packs import ClassifyPacks
from afluente.application.constraints.lookup import ConstraintsLookup
from afluente.application.constraints.ports import ConstraintsCatalogue, ConstraintsStore
from afluente.application.csv.jobs import CsvJobs, CsvJobStore
from afluente.application.csv.uploads import CsvUploads
from afluente.application.ingest.accept_points import AcceptPoints
from afluente.application.ingest.ports import Quarantine
from afluente.application.limits.admission import RateLimits
from afluente.application.websocket.connections import Connections
from afluente.domain.classification import Classification
from afluente.migration.adapters.dynamodb_sensors import DynamoSensors
from afluente.migration.application.sensors import SensorLookup
from afluente.runtime.authentication import authentication
from afluente.runtime.clients import client
from afluente.runtime.limiting import gate
from afluente.runtime.migration.classifier import shadow_classifier
from afluente.runtime.migration.legacy_tables import legacy_tables
from afluente.runtime.settings import (
    AcceptingSettings,
    ClassifierSettings,
    HttpAdminSettings,
    HttpAuthorizerSettings,
    HttpIngestSettings,
    IotRuleHandlerSettings,
    WsIngestSettings,
)

DAY_SECONDS = 24 * 3600

_PARALLEL_CALLS = 16


class CsvIngest(msgspec.Struct, frozen=True):
    """What `http_ingest` works with for CSV files."""

    jobs: CsvJobs
    store: CsvJobStore
    uploads: CsvUploads


class HttpIngest(msgspec.Struct, frozen=True):
    """What `http_ingest` works with."""

    settings: HttpIngestSettings
    accept: AcceptPoints
    csv: CsvIngest
    sensors: SensorLookup
    gate: RateLimits


class IotRuleHandler(msgspec.Struct, frozen=True):
    """What `iot_rule_handler` works with."""

    settings: IotRuleHandlerSettings
    accept: AcceptPoints
    quarantine: Quarantine
    executor: Executor
    sensors: SensorLookup
    gate: RateLimits


class WsIngest(msgspec.Struct, frozen=True):
    """What `ws_ingest` works with."""

    connections: Connections
    accept: AcceptPoints
    gateway: WebSocketConnections
    unanswered: UnansweredQueue
    gate: RateLimits


class HttpAuthorizer(msgspec.Struct, frozen=True):
    """What `http_authorizer` works with."""

    authenticate: KeyGuard


class HttpAdmin(msgspec.Struct, frozen=True):
    """What `http_admin` works with.

    Attributes:
        settings: of the function.
        constraints: the constraints, to be written to in the name of the one that is given.
        alarms: what was raised and cleared.
        gate: keeps requests to their limits.
    """

    settings: HttpAdminSettings
    constraints: Callable[[str], ConstraintsCatalogue]
    alarms: AlarmLog
    gate: RateLimits


class ClassifierFunction(msgspec.Struct, frozen=True):
    """What `classifier` works with."""

    classify: ClassifyPacks
    quarantine: Quarantine
    give_back: Callable[[Sequence[tuple[str, int]]], None]


@cache
def http_ingest() -> HttpIngest:
    """Build `http_ingest`."""
    settings = HttpIngestSettings.read(os.environ)
    accept = _accept_points(settings, _quarantine(settings))
    return HttpIngest(settings, accept, _csv_ingest(settings), _sensors(settings), gate(settings, wait))


@cache
def iot_rule_handler() -> IotRuleHandler:
    """Build `iot_rule_handler`."""
    settings = IotRuleHandlerSettings.read(os.environ)
    quarantine = _quarantine(settings)
    executor = ThreadPoolExecutor(_PARALLEL_CALLS)
    accept = _accept_points(settings, quarantine)
    return IotRuleHandler(settings, accept, quarantine, executor, _sensors(settings), gate(settings, wait))


@cache
def ws_ingest() -> WsIngest:
    """Build `ws_ingest`."""
    settings = WsIngestSettings.read(os.environ)
    dynamodb = client("dynamodb")
    connections = Connections(
        store=DynamoConnections(dynamodb, settings.connections_table),
        authenticate=authentication(settings),
        domains=settings.domains,
        ttl_seconds=settings.key_ttl_seconds,
        clock=time.monotonic,
    )
    gateway = WebSocketConnections(client("apigatewaymanagementapi", _management_url(settings)))
    unanswered = UnansweredQueue(client("sqs"), settings.unanswered_queue_url)
    accept = _accept_points(settings, _quarantine(settings))
    return WsIngest(connections, accept, gateway, unanswered, gate(settings, wait))


@cache
def http_authorizer() -> HttpAuthorizer:
    """Build `http_authorizer`."""
    settings = HttpAuthorizerSettings.read(os.environ)
    return HttpAuthorizer(KeyGuard(authentication(settings), settings.limits.refused_keys))


@cache
def http_admin() -> HttpAdmin:
    """Build `http_admin`."""
    settings = HttpAdminSettings.read(os.environ)
    alarms = LogGroupAlarmLog(client("logs"), settings.alarm_log_group)
    return HttpAdmin(settings, partial(_catalogue, settings), alarms, gate(settings, wait))


@cache
def classifier() -> ClassifierFunction:
    """Build `classifier`."""
    settings = ClassifierSettings.read(os.environ)
    dynamodb = client("dynamodb")
    executor = ThreadPoolExecutor(_PARALLEL_CALLS)
    streams = {
        Classification.ALERT: settings.stream_alert,
        Classification.WARNING: settings.stream_warning,
        Classification.ANOMALY: settings.stream_anomaly,
        Classification.NORMAL: settings.stream_normal,
    }
    classify = ClassifyPacks(
        way=_way_of_judging(settings),
        states=DynamoStates(dynamodb, settings.latest_table, executor=executor, sleep=wait),
        streams=KinesisStreams(
            client("kinesis"),
            streams,
            executor=executor,
            one_point_a_record=settings.one_point_a_record,
            sleep=wait,
        ),
        alarms=AlarmSinks(
            EventBridgeAlarms(client("events"), settings.alarm_bus, sleep=wait),
            LogGroupAlarms(client("logs"), settings.alarm_log_group, settings.alarm_log_stream),
        ),
        clock=time.time,
    )
    quarantine = S3Quarantine(client("s3"), settings.quarantine_bucket)
    give_back = SqsRetryBackoff(client("sqs"), settings.datapoints_queue_url)
    return ClassifierFunction(classify, quarantine, give_back)


def _accept_points(settings: AcceptingSettings, quarantine: Quarantine) -> AcceptPoints:
    queue = SqsPackQueue(client("sqs"), settings.datapoints_queue_url, sleep=wait)
    return AcceptPoints(queue=queue, quarantine=quarantine, shards=settings.shards)


def _catalogue(settings: HttpAdminSettings, by: str) -> DynamoConstraintsCatalogue:
    tables = settings.constraints_table, settings.constraint_history_table
    return DynamoConstraintsCatalogue(client("dynamodb"), *tables, by=by, sleep=wait)


def _way_of_judging(settings: ClassifierSettings) -> Classifier:
    table: ConstraintsStore = DynamoConstraints(client("dynamodb"), settings.constraints_table, sleep=wait)
    old = legacy_tables(settings)
    if old is not None:
        return shadow_classifier(settings, table, old)
    store = table if settings.use_agnostic_constraints else MemoryConstraints()
    return ConstraintClassifier(
        ConstraintsLookup(store, ttl_seconds=settings.constraints_ttl_seconds, clock=time.monotonic)
    )


def _sensors(settings: HttpIngestSettings | IotRuleHandlerSettings) -> SensorLookup:
    directory = DynamoSensors(client("dynamodb"), settings.migration_table, sleep=wait)
    return SensorLookup(directory, ttl_seconds=settings.sensors_ttl_seconds, clock=time.monotonic)


def _csv_ingest(settings: HttpIngestSettings) -> CsvIngest:
    store = DynamoCsvJobs(
        client("dynamodb"),
        settings.csv_jobs_table,
        retention_seconds=settings.csv_job_retention_days * DAY_SECONDS,
        sleep=wait,
    )
    uploads = S3CsvUploads(client("s3", config=PRESIGNING), settings.csv_bucket)
    return CsvIngest(CsvJobs(store=store, domains=settings.domains), store, uploads)


def _quarantine(settings: AcceptingSettings) -> Quarantine:
    return S3Quarantine(client("s3"), settings.quarantine_bucket)


def _management_url(settings: WsIngestSettings) -> str:
    """Where connections are managed: a host of the API's own, or by path where all services are at one endpoint."""
    endpoint = os.environ.get("AWS_ENDPOINT_URL")
    if endpoint is None:
        return settings.websocket_management_url
    return f"{endpoint}/_aws/execute-api/{settings.websocket_api_id}/{settings.websocket_stage}"


def wait(seconds: float) -> None:
    """Wait half to one and a half times as long, so that those who failed together do not try again together."""
    time.sleep(seconds * random.uniform(0.5, 1.5))  # noqa: S311 - no secret hangs on it
