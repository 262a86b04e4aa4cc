"""Policies of every variant of a stage are exactly these; nothing is reached without TLS, or by the public."""

import copy
import dataclasses
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.infrastructure.deployment import Deployment, as_list
from tests.infrastructure.grants import CONNECTIONS, CSV_INBOX, CSV_OF_HTTP, CSV_REJECTS, GRANTS, QUARANTINE, SENSORS

ACCOUNT = "<AWS::AccountId>"
NO_TLS = {"Bool": {"aws:SecureTransport": "false"}}
ALL_OFF = {
    "enable_agnostic_api": False,
    "enable_mqtt_multi_domain": False,
    "enable_websocket_ingest": False,
    "enable_csv_ingest": False,
    "enable_legacy_api": False,
    "enable_legacy_mqtt": False,
}
# Every preset, every option on its own, and all of them together.
VARIANTS: dict[str, tuple[str, dict[str, object]]] = {
    "prod": ("prod", {}),
    "dev": ("dev", {}),
    "local": ("local", {}),
    "migration": ("migration", {}),
    "without a key of its own": ("prod", {"customer_managed_key": False}),
    "without CSV files": ("prod", {"enable_csv_ingest": False}),
    "without legacy clients": ("prod", {"enable_legacy_api": False, "enable_legacy_mqtt": False}),
    "without WebSocket": ("prod", {"enable_websocket_ingest": False}),
    "without MQTT": ("prod", {"enable_mqtt_multi_domain": False, "enable_legacy_mqtt": False}),
    "with a firewall": ("prod", {"enable_waf": True, "waf_secret_generation": 3}),
}
FRONT_SECRETS = {("secretsmanager:GetSecretValue", "<SecretsManager::Secret>")}
# Grants that the functions of a variant lack beside those of prod, and those they have more; None: no such function.
LESS: dict[str, dict[str, set[tuple[str, str]] | None]] = {
    "migration": {"http_ingest": CSV_OF_HTTP | SENSORS, "ws_ingest": None},
    "without CSV files": {"http_ingest": CSV_OF_HTTP},
    "without legacy clients": {"http_ingest": SENSORS},
    "without WebSocket": {"ws_ingest": None},
}
MORE = {
    "with a firewall": {"http_ingest": FRONT_SECRETS, "http_admin": FRONT_SECRETS, "http_authorizer": FRONT_SECRETS}
}
ROLE_OF_THE_RULES = {
    ("sqs:SendMessage", "afluente-prod-mqtt-inbox"),
    ("sqs:SendMessage", "afluente-prod-mqtt-inbox-dlq"),
}
WITHOUT_RULES = {"migration", "without MQTT"}
# The functions that an API calls; the others are handed messages.
CALLED = {"http-ingest", "http-admin", "http-authorizer", "ws-ingest"}
# The resources with a star in them, each of which is as narrow as it can be: see grants.py.
WITH_A_STAR = {QUARANTINE, CSV_INBOX, CSV_REJECTS, CONNECTIONS}

LOGGED = {
    f"$context.{name}"
    for name in (
        "requestId",
        "requestTime",
        "routeKey",
        "status",
        "identity.sourceIp",
        "identity.userAgent",
        "responseLength",
        "responseLatency",
        "integrationLatency",
        "integrationErrorMessage",
        "authorizer.error",
        "eventType",
        "connectionId",
    )
}

every_variant = pytest.mark.parametrize("variant", VARIANTS)


@pytest.fixture
def deployment(deployment_of: Callable[..., Deployment], variant: str) -> Deployment:
    preset, values = VARIANTS[variant]
    return deployment_of(preset, **values)


@every_variant
def test_the_grants_of_a_function_are_exactly_those_that_the_options_of_the_stage_need(
    deployment: Deployment, variant: str
) -> None:
    packages = {function["Handler"].split(".")[0] for function in functions(deployment)}
    less, more = LESS.get(variant, {}), MORE.get(variant, {})

    assert packages == {package for package in GRANTS if less.get(package, set()) is not None}
    for package in packages:
        log_group = f"/aws/lambda/afluente-prod-{package.replace('_', '-')}"
        own_log = {("logs:CreateLogStream", log_group), ("logs:PutLogEvents", log_group)}
        expected = (GRANTS[package] | own_log | more.get(package, set())) - (less.get(package) or set())
        assert grants_as_in_prod(deployment, package) == expected, package


@every_variant
def test_no_function_may_write_keys(deployment: Deployment) -> None:
    """Whoever breaks into a function can neither make a key nor widen one."""
    of_keys = {
        action
        for function in functions(deployment)
        for action, resource in deployment.grants_of(function["Role"]["Fn::GetAtt"][0])
        if resource.startswith(f"{deployment.stage.prefix}-access")
    }

    assert of_keys == {"dynamodb:GetItem"}


@every_variant
def test_topic_rules_may_send_to_the_inbox_and_its_dead_letters_alone(deployment: Deployment, variant: str) -> None:
    of_functions = {function["Role"]["Fn::GetAtt"][0] for function in functions(deployment)}
    of_rules = {
        action["Sqs"]["RoleArn"]["Fn::GetAtt"][0]
        for rule in deployment.resources("AWS::IoT::TopicRule").values()
        for action in (*rule["TopicRulePayload"]["Actions"], rule["TopicRulePayload"]["ErrorAction"])
    }

    assert len(of_rules) == (0 if variant in WITHOUT_RULES else 1)
    assert deployment.resources("AWS::IAM::Role").keys() - of_functions == of_rules
    for role in of_rules:
        assert without_key(deployment, role) == ROLE_OF_THE_RULES


@every_variant
def test_no_policy_is_wider_than_it_can_be(deployment: Deployment) -> None:
    assert faults(deployment) == []


@every_variant
def test_a_role_is_assumed_by_one_service_and_has_no_policy_but_its_own(deployment: Deployment) -> None:
    of_functions = {function["Role"]["Fn::GetAtt"][0] for function in functions(deployment)}
    for id_, role in deployment.resources("AWS::IAM::Role").items():
        service = "lambda" if id_ in of_functions else "iot"
        assert deployment.plain(role["AssumeRolePolicyDocument"]["Statement"]) == [
            {"Action": "sts:AssumeRole", "Effect": "Allow", "Principal": {"Service": f"{service}.amazonaws.com"}}
        ]
        assert role.keys() <= {"AssumeRolePolicyDocument", "Tags"}


@every_variant
def test_there_is_no_identity_but_roles(deployment: Deployment) -> None:
    types = {one["Type"] for one in resources(deployment).values() if one["Type"].startswith("AWS::IAM::")}

    assert types == {"AWS::IAM::Policy", "AWS::IAM::Role"}


@every_variant
def test_every_queue_bucket_and_topic_denies_everybody_without_tls(deployment: Deployment) -> None:
    denied = {}
    for type_, target in (
        ("AWS::SQS::QueuePolicy", "Queues"),
        ("AWS::S3::BucketPolicy", "Bucket"),
        ("AWS::SNS::TopicPolicy", "Topics"),
    ):
        for policy in deployment.resources(type_).values():
            for one in as_list(policy[target]):
                denied[referred(one)] = deployment.plain(policy["PolicyDocument"]["Statement"])
    kept = {
        id_
        for id_, one in resources(deployment).items()
        if one["Type"] in {"AWS::SQS::Queue", "AWS::S3::Bucket", "AWS::SNS::Topic"}
    }

    assert denied.keys() == kept
    for id_, statements in denied.items():
        [deny] = [one for one in statements if one["Effect"] == "Deny"]
        assert deny["Condition"] == NO_TLS, id_
        assert deny["Principal"] in ({"AWS": "*"}, "*")
        everything = {"AWS::SQS::Queue": "sqs:*", "AWS::S3::Bucket": "s3:*", "AWS::SNS::Topic": "sns:Publish"}
        assert deny["Action"] == everything[resources(deployment)[id_]["Type"]]


@every_variant
def test_no_bucket_can_be_made_public(deployment: Deployment) -> None:
    buckets = deployment.resources("AWS::S3::Bucket")

    assert buckets
    for bucket in buckets.values():
        assert bucket["PublicAccessBlockConfiguration"] == {
            "BlockPublicAcls": True,
            "BlockPublicPolicy": True,
            "IgnorePublicAcls": True,
            "RestrictPublicBuckets": True,
        }
        # Access lists count for nothing then.
        assert bucket["OwnershipControls"] == {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}
        assert "AccessControl" not in bucket
        assert "WebsiteConfiguration" not in bucket


@every_variant
def test_policies_of_resources_allow_others_exactly_this(deployment: Deployment, variant: str) -> None:
    allowed = {
        (id_.split("Policy")[0], one["Principal"]["Service"], one["Action"], json.dumps(one.get("Condition")))
        for type_ in ("AWS::SQS::QueuePolicy", "AWS::S3::BucketPolicy", "AWS::SNS::TopicPolicy")
        for id_, policy in deployment.resources(type_).items()
        for one in deployment.plain(policy["PolicyDocument"]["Statement"])
        if one["Effect"] == "Allow"
    }
    region = deployment.stage.region
    alarms = f"arn:aws:cloudwatch:{region}:{ACCOUNT}:alarm:{deployment.stage.prefix}-*"
    expected = {
        (
            "MonitoringTopic",
            "cloudwatch.amazonaws.com",
            "sns:Publish",
            f'{{"ArnLike": {{"aws:SourceArn": "{alarms}"}}}}',
        )
    }
    if deployment.stage.enable_csv_ingest:
        of_this_account = f'{{"StringEquals": {{"aws:SourceAccount": "{ACCOUNT}"}}}}'
        expected.add(("CsvInboxQueue", "s3.amazonaws.com", "sqs:SendMessage", of_this_account))

    assert allowed == expected
    # Other resources that may have a policy have none.
    for type_ in ("AWS::Events::EventBusPolicy", "AWS::SecretsManager::ResourcePolicy", "AWS::Kinesis::ResourcePolicy"):
        assert deployment.resources(type_) == {}
    assert all("ResourcePolicy" not in table for table in deployment.resources("AWS::DynamoDB::Table").values())


@every_variant
def test_functions_are_invoked_by_the_apis_of_the_stage_alone(deployment: Deployment) -> None:
    apis = {
        f"arn:aws:execute-api:{deployment.stage.region}:{ACCOUNT}:{api['Name']}"
        for api in deployment.resources("AWS::ApiGatewayV2::Api").values()
    }
    for permission in deployment.resources("AWS::Lambda::Permission").values():
        assert permission["Principal"] == "apigateway.amazonaws.com"
        assert permission["Action"] == "lambda:InvokeFunction"
        assert deployment.plain(permission["FunctionName"]).removeprefix(f"{deployment.stage.prefix}-") in CALLED
        source = deployment.plain(permission["SourceArn"])
        assert source.split("/")[0] in apis
    assert deployment.resources("AWS::Lambda::Url") == {}


@every_variant
def test_the_apis_speak_to_the_world_by_tls_alone(deployment: Deployment) -> None:
    """API Gateway's own endpoints of HTTP and WebSocket APIs take nothing but TLS; neither has another name here."""
    assert deployment.resources("AWS::ApiGatewayV2::DomainName") == {}
    urls = [deployment.plain(output["Value"]) for output in deployment.service["Outputs"].values()]
    assert not [url for url in urls if str(url).startswith(("http://", "ws://"))]


@every_variant
def test_access_logs_hold_nothing_that_a_key_could_be_in(deployment: Deployment) -> None:
    for stage in deployment.resources("AWS::ApiGatewayV2::Stage").values():
        log_format = json.loads(stage["AccessLogSettings"]["Format"])
        # No header, no path, no query: of what a client writes, only how it calls itself.
        assert set(log_format.values()) <= LOGGED
        # These would log whole requests.
        assert "DataTraceEnabled" not in stage["DefaultRouteSettings"]
        assert "LoggingLevel" not in stage["DefaultRouteSettings"]


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"Action": "dynamodb:*"}, "dynamodb:*"),
        ({"Resource": "*"}, "*"),
        ({"Resource": "arn:aws:s3:::somebody-elses-bucket/*"}, "arn:aws:s3:::somebody-elses-bucket/*"),
        ({"NotAction": "iam:*"}, "NotAction"),
        ({"NotResource": "*"}, "NotResource"),
        ({"Action": "kms:Decrypt"}, "kms:Decrypt"),
    ],
)
def test_a_policy_that_becomes_wider_is_found(prod: Deployment, change: dict[str, str], fault: str) -> None:
    wider = with_a_statement(prod, {"Effect": "Allow", "Action": "sqs:SendMessage", "Resource": "a-queue"} | change)

    assert any(fault in found for found in faults(wider))


def test_an_action_that_a_function_gains_is_found(prod: Deployment) -> None:
    gained = {"Effect": "Allow", "Action": "dynamodb:DeleteItem", "Resource": "afluente-prod-access"}

    wider = with_a_statement(prod, gained)

    changed = [package for package in GRANTS if wider.grants(package) != prod.grants(package)]
    assert len(changed) == 1
    [package] = changed
    assert grants_as_in_prod(wider, package) - grants_as_in_prod(prod, package) == {
        ("dynamodb:DeleteItem", "afluente-prod-access")
    }


def faults(deployment: Deployment) -> list[str]:
    """Faults of the statements of roles."""
    return [fault for id_ in deployment.resources("AWS::IAM::Policy") for fault in faults_of(deployment, id_)]


def faults_of(deployment: Deployment, policy: str) -> Iterator[str]:
    document = deployment.plain(deployment.resources("AWS::IAM::Policy")[policy]["PolicyDocument"])
    for one in document["Statement"]:
        if one["Effect"] != "Allow" or not one.keys() <= {"Effect", "Action", "Resource", "Condition"}:
            yield f"{policy}: {sorted(one)}"
            continue
        for action in as_list(one["Action"]):
            if "*" in action:
                yield f"{policy}: the action {action}"
            if action.startswith("kms:") != ("Condition" in one):
                yield f"{policy}: a condition of {action} too many, or none"
        for resource in as_list(one["Resource"]):
            if "*" in resource and as_named_in_prod(deployment, resource) not in WITH_A_STAR:
                yield f"{policy}: the resource {resource}"


def grants_as_in_prod(deployment: Deployment, package: str) -> set[tuple[str, str]]:
    return without_key(deployment, deployment.function(package)["Role"]["Fn::GetAtt"][0])


def without_key(deployment: Deployment, role: str) -> set[tuple[str, str]]:
    """Grants of a role without those of the stage's key, which follow from them: test_encryption.py."""
    return {
        (action, as_named_in_prod(deployment, resource))
        for action, resource in deployment.grants_of(role)
        if not action.startswith("kms:")
    }


def as_named_in_prod(deployment: Deployment, resource: str) -> str:
    stage = deployment.stage
    return resource.replace(f"{stage.prefix}-", "afluente-prod-").replace(f"/afluente/{stage.name}/", "/afluente/prod/")


def with_a_statement(deployment: Deployment, statement: dict[str, str]) -> Deployment:
    service: dict[str, Any] = copy.deepcopy(deployment.service)
    policy = next(one for one in service["Resources"].values() if one["Type"] == "AWS::IAM::Policy")
    policy["Properties"]["PolicyDocument"]["Statement"].append(statement)
    return dataclasses.replace(deployment, service=service)


def functions(deployment: Deployment) -> list[dict[str, Any]]:
    return list(deployment.resources("AWS::Lambda::Function").values())


def resources(deployment: Deployment) -> dict[str, dict[str, Any]]:
    return {**deployment.data["Resources"], **deployment.service["Resources"]}


def referred(value: dict[str, Any]) -> str:
    match value:
        case {"Ref": str(id_)} | {"Fn::GetAtt": [str(id_), _]}:
            return id_
    raise AssertionError(value)
