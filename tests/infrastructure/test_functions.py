"""Functions: their runtime, environment, logs and event sources."""

import json
from collections.abc import Callable

import pytest

from afluente.runtime.classifier import ClassifierSettings
from afluente.runtime.core.settings import PREFIX
from afluente.runtime.csv_trigger import CsvTriggerSettings
from afluente.runtime.http_admin import HttpAdminSettings
from afluente.runtime.http_authorizer import HttpAuthorizerSettings
from afluente.runtime.http_ingest import HttpIngestSettings
from afluente.runtime.iot_rule_handler import IotRuleHandlerSettings
from afluente.runtime.ws_ingest import WsIngestSettings
from tests.infrastructure.deployment import Deployment

PACKAGES = (
    "http_ingest",
    "http_admin",
    "http_authorizer",
    "iot_rule_handler",
    "csv_trigger",
    "ws_ingest",
    "classifier",
)

AnySettings = (
    HttpIngestSettings
    | HttpAdminSettings
    | HttpAuthorizerSettings
    | IotRuleHandlerSettings
    | CsvTriggerSettings
    | WsIngestSettings
    | ClassifierSettings
)
# No preset has another value of these; a test may, and a stage with a front or a legacy database.
NEVER_SET = {
    "max_pack_points",
    "front_secrets",
    "key_ttl_seconds",
    "old_sql_secret",
    "old_sql_tables",
    "sensors_ttl_seconds",
}
# Only of a stage with a legacy database.
SET_FOR_LEGACY_TABLES = {"classifier": {"migration_table"}}

COMMON = {"AFLUENTE_STAGE": "prod", "AFLUENTE_LOG_LINES": "one", "POWERTOOLS_LOG_LEVEL": "INFO"}


def numbers(*values: float) -> dict[str, float]:
    names = ("requests_per_second", "requests_burst", "points_per_second", "points_burst", "points_per_day")
    return dict.fromkeys(names, 0) | dict(zip(names, values, strict=False))


# Variables of each function that accepts points.
ACCEPTING = {
    "AFLUENTE_DOMAINS": "iot,infrastructure,finance,health",
    "AFLUENTE_SHARDS": "64",
    "AFLUENTE_DATAPOINTS_QUEUE_URL": "afluente-prod-datapoints.fifo",
    "AFLUENTE_QUARANTINE_BUCKET": "<QuarantineBucket>",
}

# Variables of each function that limits rates.
LIMITS = {
    "AFLUENTE_LIMITS": json.dumps(
        {
            "ip": numbers(500.0, 1_000),
            "key": numbers(500.0, 1_000, 50_000.0, 200_000, 1_000_000_000),
            "source": numbers(100.0, 400, 20_000.0, 100_000, 500_000_000),
            "csv": {"bytes_per_day": 100_000_000_000},
        }
    ),
    "AFLUENTE_LIMITS_FAIL": "open",
    "AFLUENTE_LIMITS_TABLE": "afluente-prod-limits",
}

# Variables of each function that keeps CSV jobs.
CSV_JOBS = {
    "AFLUENTE_CSV_BUCKET": "<CsvFilesBucket>",
    "AFLUENTE_CSV_JOBS_TABLE": "afluente-prod-csv-jobs",
    "AFLUENTE_CSV_JOB_RETENTION_DAYS": "90",
}

ENVIRONMENT = {
    "http_ingest": {
        **ACCEPTING,
        **CSV_JOBS,
        **LIMITS,
        "POWERTOOLS_SERVICE_NAME": "http_ingest",
        "AFLUENTE_ENABLE_AGNOSTIC_API": "true",
        "AFLUENTE_ENABLE_CSV_INGEST": "true",
        "AFLUENTE_ENABLE_LEGACY_API": "true",
        "AFLUENTE_OLD_CLIENTS_DEPRECATED_ON": "2026-12-01",
        "AFLUENTE_OLD_CLIENTS_SUNSET_ON": "",
        "AFLUENTE_OLD_CLIENTS_GUIDE_URL": "",
        "AFLUENTE_MIGRATION_TABLE": "afluente-prod-migration",
    },
    "iot_rule_handler": {
        **ACCEPTING,
        **LIMITS,
        "POWERTOOLS_SERVICE_NAME": "iot_rule_handler",
        "AFLUENTE_MQTT_MESSAGE_POINTS": "1000",
        "AFLUENTE_MIGRATION_TABLE": "afluente-prod-migration",
    },
    "csv_trigger": {
        **ACCEPTING,
        **CSV_JOBS,
        **LIMITS,
        "POWERTOOLS_SERVICE_NAME": "csv_trigger",
        "AFLUENTE_ACCESS_TABLE": "afluente-prod-access",
        "AFLUENTE_CSV_INBOX_QUEUE_URL": "afluente-prod-csv-inbox",
        "AFLUENTE_CSV_JOBS_QUEUE_URL": "afluente-prod-csv-jobs.fifo",
        "AFLUENTE_CSV_HELD_SECONDS": "250",
        "AFLUENTE_CSV_SLOTS_TABLE": "afluente-prod-csv-slots",
        "AFLUENTE_CSV_SPLIT_BYTES": str(256 * 1024 * 1024),
        "AFLUENTE_CSV_PARTS": "4",
        "AFLUENTE_CSV_TENANT_CONCURRENCY": "5",
        "AFLUENTE_CSV_TIMEOUT_SECONDS": "240",
    },
    "ws_ingest": {
        **ACCEPTING,
        **LIMITS,
        "POWERTOOLS_SERVICE_NAME": "ws_ingest",
        "AFLUENTE_ACCESS_TABLE": "afluente-prod-access",
        "AFLUENTE_KEY_USES_TABLE": "afluente-prod-key-uses",
        "AFLUENTE_KEY_PEPPER_SECRET": "<SecretsManager::Secret>",
        "AFLUENTE_CONNECTIONS_TABLE": "afluente-prod-ws-connections",
        "AFLUENTE_UNANSWERED_QUEUE_URL": "afluente-prod-unanswered-connections",
        "AFLUENTE_WEBSOCKET_API_ID": "afluente-prod-websocket",
        "AFLUENTE_WEBSOCKET_STAGE": "live",
        "AFLUENTE_WEBSOCKET_MANAGEMENT_URL": (
            "https://afluente-prod-websocket.execute-api.us-east-1.<AWS::URLSuffix>/live"
        ),
    },
    "http_admin": {
        **LIMITS,
        "POWERTOOLS_SERVICE_NAME": "http_admin",
        "AFLUENTE_DOMAINS": "iot,infrastructure,finance,health",
        "AFLUENTE_CONSTRAINTS_TABLE": "afluente-prod-stream-constraints",
        "AFLUENTE_CONSTRAINT_HISTORY_TABLE": "afluente-prod-constraint-history",
        "AFLUENTE_ALARM_LOG_GROUP": "/afluente/prod/alarms",
    },
    "http_authorizer": {
        "POWERTOOLS_SERVICE_NAME": "http_authorizer",
        "AFLUENTE_LIMITS": json.dumps({"refused_keys": {"per_second": 10, "burst": 100}}),
        "AFLUENTE_ACCESS_TABLE": "afluente-prod-access",
        "AFLUENTE_KEY_USES_TABLE": "afluente-prod-key-uses",
        "AFLUENTE_KEY_PEPPER_SECRET": "<SecretsManager::Secret>",
    },
    "classifier": {
        "POWERTOOLS_SERVICE_NAME": "classifier",
        "AFLUENTE_CSV_SLOTS_TABLE": "afluente-prod-csv-slots",
        "AFLUENTE_USE_AGNOSTIC_CONSTRAINTS": "true",
        "AFLUENTE_RECORD_FORMAT": "plain",
        "AFLUENTE_DATAPOINTS_DLQ_URL": "afluente-prod-datapoints-dlq.fifo",
        "AFLUENTE_CONSTRAINTS_TTL_SECONDS": "60",
        "AFLUENTE_STREAMS_PER_SOURCE": "10000",
        "AFLUENTE_COMPACT_STATES": "true",
        "AFLUENTE_DATAPOINTS_QUEUE_URL": "afluente-prod-datapoints.fifo",
        "AFLUENTE_STREAM_ALERT": "afluente-prod-alert",
        "AFLUENTE_STREAM_WARNING": "afluente-prod-warning",
        "AFLUENTE_STREAM_ANOMALY": "afluente-prod-anomaly",
        "AFLUENTE_STREAM_NORMAL": "afluente-prod-normal",
        "AFLUENTE_LATEST_TABLE": "afluente-prod-stream-latest",
        "AFLUENTE_CONSTRAINTS_TABLE": "afluente-prod-stream-constraints",
        "AFLUENTE_QUARANTINE_BUCKET": "<QuarantineBucket>",
        "AFLUENTE_ALARM_BUS": "afluente-prod-alarms",
        "AFLUENTE_ALARM_LOG_GROUP": "/afluente/prod/alarms",
        "AFLUENTE_ALARM_LOG_STREAM": "alarms",
    },
}


@pytest.mark.parametrize("package", PACKAGES)
def test_the_environment_of_a_function_is_exactly_this(prod: Deployment, package: str) -> None:
    environment = prod.plain(prod.function(package)["Environment"]["Variables"])

    assert environment == COMMON | ENVIRONMENT[package]


@pytest.mark.parametrize(
    ("package", "settings"),
    [
        ("http_ingest", HttpIngestSettings),
        ("http_admin", HttpAdminSettings),
        ("http_authorizer", HttpAuthorizerSettings),
        ("iot_rule_handler", IotRuleHandlerSettings),
        ("csv_trigger", CsvTriggerSettings),
        ("ws_ingest", WsIngestSettings),
        ("classifier", ClassifierSettings),
    ],
)
def test_the_environment_of_a_function_is_what_its_settings_read(
    prod: Deployment, package: str, settings: type[AnySettings]
) -> None:
    environment = prod.plain(prod.function(package)["Environment"]["Variables"])

    settings.read(environment)

    assert environment.keys() - COMMON.keys() - {"POWERTOOLS_SERVICE_NAME"} == {
        f"{PREFIX}{field.upper()}"
        for field in settings.model_fields
        if field not in NEVER_SET | SET_FOR_LEGACY_TABLES.get(package, set())
    }


@pytest.mark.parametrize(("preset", "architecture"), [("prod", "arm64"), ("dev", "arm64")])
def test_functions_run_on_python_3_13_and_arm_with_their_layers(
    deployment_of: Callable[[str], Deployment], preset: str, architecture: str
) -> None:
    deployment = deployment_of(preset)
    for function in deployment.resources("AWS::Lambda::Function").values():
        assert function["Runtime"] == "python3.13"
        assert function["Architectures"] == [architecture]
        own = {"csv_trigger": ["loader"], "http_admin": ["documentation"]}.get(function["Handler"].split(".")[0], [])
        layers = [f"afluente-{preset}-{layer}" for layer in ("third-party", "core", *own)]
        assert deployment.plain(function["Layers"]) == layers
    for layer in deployment.resources("AWS::Lambda::LayerVersion").values():
        assert layer["CompatibleRuntimes"] == ["python3.13"]
        assert layer["CompatibleArchitectures"] == [architecture]


def test_what_serves_everybody_has_executions_reserved_and_what_senders_drive_has_a_cap(
    prod: Deployment, deployment_of: Callable[[str], Deployment]
) -> None:
    reserved = {package: prod.function(package).get("ReservedConcurrentExecutions") for package in PACKAGES}
    polls: dict[str, int] = {}
    for mapping in prod.resources("AWS::Lambda::EventSourceMapping").values():
        package = prod.plain(mapping["FunctionName"]).removeprefix("afluente-prod-").replace("-", "_")
        polls[package] = polls.get(package, 0) + mapping.get("ScalingConfig", {}).get("MaximumConcurrency", 0)

    assert reserved == {
        "http_authorizer": 50,
        "classifier": 64,
        "http_ingest": 200,
        "ws_ingest": 100,
        "iot_rule_handler": 10,
        "csv_trigger": 15,
        "http_admin": None,
    }
    assert all(most <= (reserved[package] or 0) for package, most in polls.items())
    # A new account has ten executions, and Lambda lets none of them be reserved.
    dev = deployment_of("dev").resources("AWS::Lambda::Function").values()
    assert not any("ReservedConcurrentExecutions" in function for function in dev)


def test_functions_log_to_groups_of_their_own_with_a_retention(prod: Deployment) -> None:
    for function in prod.resources("AWS::Lambda::Function").values():
        name = prod.plain(function["LoggingConfig"])["LogGroup"]
        assert name == f"/aws/lambda/{function['FunctionName']}"
        assert prod.one("AWS::Logs::LogGroup", LogGroupName=name)["RetentionInDays"] == 90


def test_every_log_group_has_a_retention(prod: Deployment) -> None:
    groups = prod.resources("AWS::Logs::LogGroup").values()

    assert len(groups) == 10
    assert all(group["RetentionInDays"] == 90 for group in groups)


def test_the_classifier_consumes_batches_and_reports_the_packs_that_failed(prod: Deployment) -> None:
    mapping = prod.trigger("classifier")

    assert prod.plain(mapping["EventSourceArn"]) == "afluente-prod-datapoints.fifo"
    assert mapping["BatchSize"] == 10
    assert "MaximumBatchingWindowInSeconds" not in mapping
    assert mapping["ScalingConfig"] == {"MaximumConcurrency": 64}
    assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]


def test_each_queue_is_consumed_by_one_function(prod: Deployment) -> None:
    mappings = prod.resources("AWS::Lambda::EventSourceMapping").values()

    assert sorted(prod.plain([mapping["EventSourceArn"], mapping["FunctionName"]]) for mapping in mappings) == [
        ["afluente-prod-csv-inbox", "afluente-prod-csv-trigger"],
        ["afluente-prod-csv-jobs.fifo", "afluente-prod-csv-trigger"],
        ["afluente-prod-datapoints.fifo", "afluente-prod-classifier"],
        ["afluente-prod-mqtt-inbox", "afluente-prod-iot-rule-handler"],
        ["afluente-prod-unanswered-connections", "afluente-prod-ws-ingest"],
    ]
