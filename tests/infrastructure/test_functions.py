"""What each function is, knows and may do: no more than it uses."""

import json
from collections.abc import Callable

import pytest

from afluente.runtime.classifier import ClassifierSettings
from afluente.runtime.csv_trigger import CsvTriggerSettings
from afluente.runtime.http_admin import HttpAdminSettings
from afluente.runtime.http_authorizer import HttpAuthorizerSettings
from afluente.runtime.http_ingest import HttpIngestSettings
from afluente.runtime.iot_rule_handler import IotRuleHandlerSettings
from afluente.runtime.settings import PREFIX
from afluente.runtime.ws_ingest import WsIngestSettings
from tests.infrastructure.deployment import Deployment, as_list

PACKAGES = (
    "http_ingest",
    "http_admin",
    "http_authorizer",
    "iot_rule_handler",
    "csv_trigger",
    "ws_ingest",
    "classifier",
)

# The grants with a star in them: what each is for has a name of its own, known when it is made.
QUARANTINE = "<QuarantineBucket>/quarantine/*"
CSV_INBOX = "<CsvFilesBucket>/inbox/*"
CSV_REJECTS = "<CsvFilesBucket>/rejects/*"
CONNECTIONS = "arn:aws:execute-api:us-east-1:<AWS::AccountId>:afluente-prod-websocket/live/*/@connections/*"

OF_LIMITS = {("dynamodb:GetItem", "afluente-prod-limits"), ("dynamodb:PutItem", "afluente-prod-limits")}
GRANTS = {
    "http_ingest": {
        ("sqs:SendMessage", "afluente-prod-datapoints.fifo"),
        ("s3:PutObject", QUARANTINE),
        ("s3:PutObject", CSV_INBOX),
        ("s3:AbortMultipartUpload", CSV_INBOX),
        ("s3:GetObject", CSV_REJECTS),
        ("dynamodb:GetItem", "afluente-prod-csv-jobs"),
        ("dynamodb:BatchGetItem", "afluente-prod-csv-jobs"),
        ("dynamodb:PutItem", "afluente-prod-csv-jobs"),
        ("dynamodb:UpdateItem", "afluente-prod-csv-jobs"),
        ("dynamodb:Query", "afluente-prod-csv-jobs/index/by-domain"),
        ("dynamodb:BatchGetItem", "afluente-prod-migration"),
        *OF_LIMITS,
    },
    "http_admin": {
        *OF_LIMITS,
        ("dynamodb:BatchGetItem", "afluente-prod-stream-constraints"),
        ("dynamodb:UpdateItem", "afluente-prod-stream-constraints"),
        ("dynamodb:Query", "afluente-prod-stream-constraints/index/by-domain"),
        ("dynamodb:PutItem", "afluente-prod-constraint-history"),
        ("dynamodb:Query", "afluente-prod-constraint-history"),
        ("logs:FilterLogEvents", "/afluente/prod/alarms"),
    },
    "http_authorizer": {
        ("dynamodb:GetItem", "afluente-prod-access"),
        ("dynamodb:UpdateItem", "afluente-prod-access"),
        ("secretsmanager:GetSecretValue", "<SecretsManager::Secret>"),
    },
    "iot_rule_handler": {
        *OF_LIMITS,
        ("sqs:ReceiveMessage", "afluente-prod-mqtt-inbox"),
        ("sqs:DeleteMessage", "afluente-prod-mqtt-inbox"),
        ("sqs:GetQueueAttributes", "afluente-prod-mqtt-inbox"),
        ("sqs:SendMessage", "afluente-prod-datapoints.fifo"),
        ("s3:PutObject", QUARANTINE),
        ("dynamodb:BatchGetItem", "afluente-prod-migration"),
    },
    "csv_trigger": {
        *(
            (f"sqs:{action}", queue)
            for action in ("ReceiveMessage", "DeleteMessage", "ChangeMessageVisibility", "GetQueueAttributes")
            for queue in ("afluente-prod-csv-inbox", "afluente-prod-csv-jobs.fifo")
        ),
        ("sqs:SendMessage", "afluente-prod-csv-jobs.fifo"),
        ("sqs:SendMessage", "afluente-prod-datapoints.fifo"),
        ("s3:PutObject", QUARANTINE),
        ("s3:ListBucket", "<CsvFilesBucket>"),
        ("s3:GetObject", CSV_INBOX),
        ("s3:GetObjectVersion", CSV_INBOX),
        ("s3:GetObject", CSV_REJECTS),
        ("s3:PutObject", CSV_REJECTS),
        ("dynamodb:GetItem", "afluente-prod-csv-jobs"),
        ("dynamodb:PutItem", "afluente-prod-csv-jobs"),
        ("dynamodb:UpdateItem", "afluente-prod-csv-jobs"),
        ("dynamodb:DeleteItem", "afluente-prod-csv-jobs"),
    },
    "ws_ingest": {
        *OF_LIMITS,
        ("sqs:SendMessage", "afluente-prod-datapoints.fifo"),
        ("s3:PutObject", QUARANTINE),
        ("dynamodb:GetItem", "afluente-prod-access"),
        ("dynamodb:UpdateItem", "afluente-prod-access"),
        ("secretsmanager:GetSecretValue", "<SecretsManager::Secret>"),
        ("dynamodb:GetItem", "afluente-prod-ws-connections"),
        ("dynamodb:PutItem", "afluente-prod-ws-connections"),
        ("dynamodb:DeleteItem", "afluente-prod-ws-connections"),
        ("sqs:SendMessage", "afluente-prod-unanswered-connections"),
        ("sqs:ReceiveMessage", "afluente-prod-unanswered-connections"),
        ("sqs:DeleteMessage", "afluente-prod-unanswered-connections"),
        ("sqs:GetQueueAttributes", "afluente-prod-unanswered-connections"),
        ("execute-api:ManageConnections", CONNECTIONS),
    },
    "classifier": {
        ("sqs:ReceiveMessage", "afluente-prod-datapoints.fifo"),
        ("sqs:DeleteMessage", "afluente-prod-datapoints.fifo"),
        ("sqs:ChangeMessageVisibility", "afluente-prod-datapoints.fifo"),
        ("sqs:GetQueueAttributes", "afluente-prod-datapoints.fifo"),
        ("dynamodb:BatchGetItem", "afluente-prod-stream-constraints"),
        ("dynamodb:BatchGetItem", "afluente-prod-stream-latest"),
        ("dynamodb:Query", "afluente-prod-stream-latest"),
        ("dynamodb:PutItem", "afluente-prod-stream-latest"),
        ("kinesis:PutRecords", "afluente-prod-alert"),
        ("kinesis:PutRecords", "afluente-prod-warning"),
        ("kinesis:PutRecords", "afluente-prod-anomaly"),
        ("kinesis:PutRecords", "afluente-prod-normal"),
        ("events:PutEvents", "afluente-prod-alarms"),
        (
            "logs:PutLogEvents",
            "arn:aws:logs:us-east-1:<AWS::AccountId>:log-group:/afluente/prod/alarms:log-stream:alarms",
        ),
        ("s3:PutObject", QUARANTINE),
    },
}

AnySettings = (
    HttpIngestSettings
    | HttpAdminSettings
    | HttpAuthorizerSettings
    | IotRuleHandlerSettings
    | CsvTriggerSettings
    | WsIngestSettings
    | ClassifierSettings
)
# No preset has another value of these; a test may, and a stage with a front or an old service's database.
NEVER_TOLD = {"front_secrets", "key_ttl_seconds", "old_sql_secret", "old_sql_tables", "sensors_ttl_seconds"}
# Only of a stage with an old service's database.
TOLD_OF_OLD_TABLES = {"classifier": {"migration_table"}}

COMMON = {"AFLUENTE_STAGE": "prod", "POWERTOOLS_METRICS_NAMESPACE": "afluente", "POWERTOOLS_LOG_LEVEL": "INFO"}


def numbers(*values: float) -> dict[str, float]:
    names = ("requests_per_second", "requests_burst", "points_per_second", "points_burst", "points_per_day")
    return dict.fromkeys(names, 0) | dict(zip(names, values, strict=False))


# What each function is told that accepts points.
ACCEPTING = {
    "AFLUENTE_DOMAINS": "iot,infrastructure,finance,health",
    "AFLUENTE_SHARDS": "64",
    "AFLUENTE_DATAPOINTS_QUEUE_URL": "afluente-prod-datapoints.fifo",
    "AFLUENTE_QUARANTINE_BUCKET": "<QuarantineBucket>",
}

# What each function is told that keeps to limits.
LIMITS = {
    "AFLUENTE_LIMITS": json.dumps(
        {
            "ip": numbers(500.0, 1_000),
            "key": numbers(500.0, 1_000, 50_000.0, 200_000, 1_000_000_000),
            "source": numbers(100.0, 400, 20_000.0, 100_000, 500_000_000),
        }
    ),
    "AFLUENTE_LIMITS_FAIL": "open",
    "AFLUENTE_LIMITS_TABLE": "afluente-prod-limits",
}

# What each function is told that has to do with CSV jobs.
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
        "AFLUENTE_MIGRATION_TABLE": "afluente-prod-migration",
    },
    "csv_trigger": {
        **ACCEPTING,
        **CSV_JOBS,
        "POWERTOOLS_SERVICE_NAME": "csv_trigger",
        "AFLUENTE_CSV_JOBS_QUEUE_URL": "afluente-prod-csv-jobs.fifo",
        "AFLUENTE_CSV_SPLIT_BYTES": str(256 * 1024 * 1024),
        "AFLUENTE_CSV_PARTS": "4",
    },
    "ws_ingest": {
        **ACCEPTING,
        **LIMITS,
        "POWERTOOLS_SERVICE_NAME": "ws_ingest",
        "AFLUENTE_ACCESS_TABLE": "afluente-prod-access",
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
        "AFLUENTE_KEY_PEPPER_SECRET": "<SecretsManager::Secret>",
    },
    "classifier": {
        "POWERTOOLS_SERVICE_NAME": "classifier",
        "AFLUENTE_USE_AGNOSTIC_CONSTRAINTS": "true",
        "AFLUENTE_ONE_POINT_A_RECORD": "false",
        "AFLUENTE_CONSTRAINTS_TTL_SECONDS": "60",
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
def test_a_function_may_do_exactly_what_it_does(prod: Deployment, package: str) -> None:
    log_group = f"/aws/lambda/afluente-prod-{package.replace('_', '-')}"
    own_log = {("logs:CreateLogStream", log_group), ("logs:PutLogEvents", log_group)}

    # What each may do with the key of the stage follows from that: test_encryption.py.
    without_key = {(action, resource) for action, resource in prod.grants(package) if not action.startswith("kms:")}
    assert without_key == GRANTS[package] | own_log


@pytest.mark.parametrize("package", PACKAGES)
def test_a_function_knows_exactly_what_it_uses(prod: Deployment, package: str) -> None:
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
def test_what_a_function_is_told_is_what_its_settings_ask_for(
    prod: Deployment, package: str, settings: type[AnySettings]
) -> None:
    environment = prod.plain(prod.function(package)["Environment"]["Variables"])

    settings.read(environment)

    assert environment.keys() - COMMON.keys() - {"POWERTOOLS_SERVICE_NAME"} == {
        f"{PREFIX}{field.upper()}"
        for field in settings.model_fields
        if field not in NEVER_TOLD | TOLD_OF_OLD_TABLES.get(package, set())
    }


def test_no_function_shares_its_role(prod: Deployment) -> None:
    roles = [prod.function(package)["Role"]["Fn::GetAtt"][0] for package in PACKAGES]

    assert len(set(roles)) == len(PACKAGES)
    assert set(roles) | {role_of_the_rules(prod)} == prod.resources("AWS::IAM::Role").keys()


def test_a_role_has_no_policies_but_its_own_and_only_its_service_may_take_it(prod: Deployment) -> None:
    for id_, role in prod.resources("AWS::IAM::Role").items():
        service = "iot" if id_ == role_of_the_rules(prod) else "lambda"
        [statement] = role["AssumeRolePolicyDocument"]["Statement"]
        assert statement["Principal"] == {"Service": f"{service}.amazonaws.com"}
        assert "ManagedPolicyArns" not in role
        assert "Policies" not in role


def test_no_permission_is_for_everything(prod: Deployment) -> None:
    for package in PACKAGES:
        for action, resource in prod.grants(package):
            assert "*" not in action
            assert "*" not in resource or resource in {QUARANTINE, CSV_INBOX, CSV_REJECTS, CONNECTIONS}


def test_there_is_no_function_but_these(prod: Deployment) -> None:
    handlers = {function["Handler"] for function in prod.resources("AWS::Lambda::Function").values()}

    assert handlers == {f"{package}.handler.lambda_handler" for package in PACKAGES}


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


def test_functions_log_to_groups_of_their_own_that_forget(prod: Deployment) -> None:
    for function in prod.resources("AWS::Lambda::Function").values():
        name = prod.plain(function["LoggingConfig"])["LogGroup"]
        assert name == f"/aws/lambda/{function['FunctionName']}"
        assert prod.one("AWS::Logs::LogGroup", LogGroupName=name)["RetentionInDays"] == 90


def test_every_log_group_forgets(prod: Deployment) -> None:
    groups = prod.resources("AWS::Logs::LogGroup").values()

    assert len(groups) == 10
    assert all(group["RetentionInDays"] == 90 for group in groups)


def test_the_classifier_takes_batches_and_reports_the_packs_that_failed(prod: Deployment) -> None:
    mapping = prod.trigger("classifier")

    assert prod.plain(mapping["EventSourceArn"]) == "afluente-prod-datapoints.fifo"
    assert mapping["BatchSize"] == 10
    assert "MaximumBatchingWindowInSeconds" not in mapping
    assert "ScalingConfig" not in mapping
    assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]


def test_each_queue_is_read_by_one_function(prod: Deployment) -> None:
    mappings = prod.resources("AWS::Lambda::EventSourceMapping").values()

    assert sorted(prod.plain([mapping["EventSourceArn"], mapping["FunctionName"]]) for mapping in mappings) == [
        ["afluente-prod-csv-inbox", "afluente-prod-csv-trigger"],
        ["afluente-prod-csv-jobs.fifo", "afluente-prod-csv-trigger"],
        ["afluente-prod-datapoints.fifo", "afluente-prod-classifier"],
        ["afluente-prod-mqtt-inbox", "afluente-prod-iot-rule-handler"],
        ["afluente-prod-unanswered-connections", "afluente-prod-ws-ingest"],
    ]


def test_a_function_is_called_by_its_trigger_alone(prod: Deployment) -> None:
    read_queues_only = {"afluente-prod-classifier", "afluente-prod-iot-rule-handler", "afluente-prod-csv-trigger"}
    for permission in prod.resources("AWS::Lambda::Permission").values():
        assert permission["Principal"] == "apigateway.amazonaws.com"
        assert prod.plain(permission["FunctionName"]) not in read_queues_only
        assert "<AWS::AccountId>" in as_list(prod.plain(permission["SourceArn"]))[0]


def role_of_the_rules(deployment: Deployment) -> str:
    """The logical id of the role that topic rules have."""
    [role] = {
        rule["TopicRulePayload"]["Actions"][0]["Sqs"]["RoleArn"]["Fn::GetAtt"][0]
        for rule in deployment.resources("AWS::IoT::TopicRule").values()
    }
    return str(role)
