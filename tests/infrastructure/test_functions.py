"""What each function is, knows and may do: no more than it uses."""

from collections.abc import Callable

import pytest

from afluente.runtime.settings import PREFIX, ClassifierSettings, HttpAuthorizerSettings, HttpIngestSettings
from tests.infrastructure.deployment import Deployment, as_list

PACKAGES = ("http_ingest", "http_authorizer", "classifier")

GRANTS = {
    "http_ingest": {
        ("sqs:SendMessage", "afluente-prod-datapoints.fifo"),
        ("s3:PutObject", "<S3::Bucket>/quarantine/*"),
    },
    "http_authorizer": {
        ("dynamodb:GetItem", "afluente-prod-api-keys"),
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
        ("s3:PutObject", "<S3::Bucket>/quarantine/*"),
    },
}

COMMON = {"AFLUENTE_STAGE": "prod", "POWERTOOLS_METRICS_NAMESPACE": "afluente", "POWERTOOLS_LOG_LEVEL": "INFO"}

ENVIRONMENT = {
    "http_ingest": {
        "POWERTOOLS_SERVICE_NAME": "http_ingest",
        "AFLUENTE_ENABLE_AGNOSTIC_API": "true",
        "AFLUENTE_DOMAINS": "iot,infrastructure,finance,health",
        "AFLUENTE_SHARDS": "64",
        "AFLUENTE_DATAPOINTS_QUEUE_URL": "afluente-prod-datapoints.fifo",
        "AFLUENTE_QUARANTINE_BUCKET": "<S3::Bucket>",
    },
    "http_authorizer": {
        "POWERTOOLS_SERVICE_NAME": "http_authorizer",
        "AFLUENTE_API_KEYS_TABLE": "afluente-prod-api-keys",
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
        "AFLUENTE_QUARANTINE_BUCKET": "<S3::Bucket>",
        "AFLUENTE_ALARM_BUS": "afluente-prod-alarms",
        "AFLUENTE_ALARM_LOG_GROUP": "/afluente/prod/alarms",
        "AFLUENTE_ALARM_LOG_STREAM": "alarms",
    },
}


@pytest.mark.parametrize("package", PACKAGES)
def test_a_function_may_do_exactly_what_it_does(prod: Deployment, package: str) -> None:
    log_group = f"/aws/lambda/afluente-prod-{package.replace('_', '-')}"
    own_log = {("logs:CreateLogStream", log_group), ("logs:PutLogEvents", log_group)}

    assert prod.grants(package) == GRANTS[package] | own_log


@pytest.mark.parametrize("package", PACKAGES)
def test_a_function_knows_exactly_what_it_uses(prod: Deployment, package: str) -> None:
    environment = prod.plain(prod.function(package)["Environment"]["Variables"])

    assert environment == COMMON | ENVIRONMENT[package]


@pytest.mark.parametrize(
    ("package", "settings"),
    [
        ("http_ingest", HttpIngestSettings),
        ("http_authorizer", HttpAuthorizerSettings),
        ("classifier", ClassifierSettings),
    ],
)
def test_what_a_function_is_told_is_what_its_settings_ask_for(
    prod: Deployment,
    package: str,
    settings: type[HttpIngestSettings | HttpAuthorizerSettings | ClassifierSettings],
) -> None:
    environment = prod.plain(prod.function(package)["Environment"]["Variables"])

    settings.read(environment)

    assert environment.keys() - COMMON.keys() - {"POWERTOOLS_SERVICE_NAME"} == {
        f"{PREFIX}{field.upper()}" for field in settings.model_fields
    }


def test_no_function_shares_its_role(prod: Deployment) -> None:
    roles = [prod.function(package)["Role"]["Fn::GetAtt"][0] for package in PACKAGES]

    assert len(set(roles)) == len(PACKAGES)
    assert set(roles) == prod.resources("AWS::IAM::Role").keys()


def test_a_role_has_no_policies_but_its_own_and_only_lambda_may_take_it(prod: Deployment) -> None:
    for role in prod.resources("AWS::IAM::Role").values():
        [statement] = role["AssumeRolePolicyDocument"]["Statement"]
        assert statement["Principal"] == {"Service": "lambda.amazonaws.com"}
        assert "ManagedPolicyArns" not in role
        assert "Policies" not in role


def test_no_permission_is_for_everything(prod: Deployment) -> None:
    for package in PACKAGES:
        for action, resource in prod.grants(package):
            assert "*" not in action
            assert resource.removesuffix("/quarantine/*").find("*") == -1


def test_there_is_no_function_but_these(prod: Deployment) -> None:
    handlers = {function["Handler"] for function in prod.resources("AWS::Lambda::Function").values()}

    assert handlers == {f"{package}.handler.lambda_handler" for package in PACKAGES}


@pytest.mark.parametrize(("preset", "architecture"), [("prod", "arm64"), ("dev", "arm64")])
def test_functions_run_on_python_3_13_and_arm_with_both_layers(
    deployment_of: Callable[[str], Deployment], preset: str, architecture: str
) -> None:
    deployment = deployment_of(preset)
    for function in deployment.resources("AWS::Lambda::Function").values():
        assert function["Runtime"] == "python3.13"
        assert function["Architectures"] == [architecture]
        assert deployment.plain(function["Layers"]) == [f"afluente-{preset}-third-party", f"afluente-{preset}-core"]
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

    assert len(groups) == 5
    assert all(group["RetentionInDays"] == 90 for group in groups)


def test_the_classifier_takes_batches_and_reports_the_packs_that_failed(prod: Deployment) -> None:
    [mapping] = prod.resources("AWS::Lambda::EventSourceMapping").values()

    assert prod.plain(mapping["EventSourceArn"]) == "afluente-prod-datapoints.fifo"
    assert prod.plain(mapping["FunctionName"]) == "afluente-prod-classifier"
    assert mapping["BatchSize"] == 10
    assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]


def test_a_function_is_called_by_its_trigger_alone(prod: Deployment) -> None:
    for permission in prod.resources("AWS::Lambda::Permission").values():
        assert permission["Principal"] == "apigateway.amazonaws.com"
        assert prod.plain(permission["FunctionName"]) != "afluente-prod-classifier"
        assert "<AWS::AccountId>" in as_list(prod.plain(permission["SourceArn"]))[0]
