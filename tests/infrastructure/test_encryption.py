"""A stage with a key of its own: everything is encrypted with it, and each role may use it for its actions alone."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.infrastructure.deployment import Deployment, as_list

# The property of each type of resource that says by which key it is encrypted.
KEY_OF = {
    "AWS::SQS::Queue": ("KmsMasterKeyId",),
    "AWS::DynamoDB::Table": ("SSESpecification", "KMSMasterKeyId"),
    "AWS::Kinesis::Stream": ("StreamEncryption", "KeyId"),
    "AWS::Logs::LogGroup": ("KmsKeyId",),
    "AWS::SNS::Topic": ("KmsMasterKeyId",),
    "AWS::Events::EventBus": ("KmsKeyIdentifier",),
    "AWS::SecretsManager::Secret": ("KmsKeyId",),
    "AWS::Lambda::Function": ("KmsKeyArn",),
    "AWS::S3::Bucket": (
        "BucketEncryption",
        "ServerSideEncryptionConfiguration",
        "ServerSideEncryptionByDefault",
        "KMSMasterKeyID",
    ),
}
# Types of resources that keep nothing of anybody's: a new type stops the test until somebody has thought about it.
KEEP_NOTHING = {
    "AWS::ApiGatewayV2::Api",
    "AWS::ApiGatewayV2::Authorizer",
    "AWS::ApiGatewayV2::Integration",
    "AWS::ApiGatewayV2::Route",
    "AWS::ApiGatewayV2::RouteResponse",
    "AWS::ApiGatewayV2::Stage",
    "AWS::CloudWatch::Alarm",
    "AWS::CloudWatch::Dashboard",
    "AWS::IAM::Policy",
    "AWS::IAM::Role",
    "AWS::IoT::Policy",
    "AWS::IoT::TopicRule",
    "AWS::KMS::Alias",
    "AWS::KMS::Key",
    "AWS::Lambda::EventSourceMapping",
    "AWS::Lambda::LayerVersion",
    "AWS::Lambda::Permission",
    "AWS::Logs::LogStream",
    "AWS::Logs::MetricFilter",
    "AWS::S3::BucketPolicy",
    "AWS::SNS::Subscription",
    "AWS::SNS::TopicPolicy",
    "AWS::SQS::QueuePolicy",
}
TABLE_READ = {"kms:Decrypt", "kms:DescribeKey"}
TABLE_WRITE = TABLE_READ | {
    "kms:Encrypt",
    "kms:GenerateDataKey",
    "kms:GenerateDataKeyWithoutPlaintext",
    "kms:ReEncryptFrom",
    "kms:ReEncryptTo",
}
# What each action on something encrypted needs of the key, and through which service.
NEEDED = {
    "sqs:SendMessage": ("sqs", {"kms:Decrypt", "kms:GenerateDataKey"}),
    "sqs:ReceiveMessage": ("sqs", {"kms:Decrypt"}),
    "s3:GetObject": ("s3", {"kms:Decrypt"}),
    "s3:GetObjectVersion": ("s3", {"kms:Decrypt"}),
    "s3:PutObject": ("s3", {"kms:Decrypt", "kms:GenerateDataKey"}),
    "kinesis:PutRecords": ("kinesis", {"kms:GenerateDataKey"}),
    "secretsmanager:GetSecretValue": ("secretsmanager", {"kms:Decrypt"}),
    **{
        f"dynamodb:{action}": ("dynamodb", TABLE_READ)
        for action in ("GetItem", "BatchGetItem", "Query", "Scan", "ConditionCheckItem")
    },
    **{
        f"dynamodb:{action}": ("dynamodb", TABLE_WRITE)
        for action in ("PutItem", "UpdateItem", "DeleteItem", "BatchWriteItem")
    },
}
# Actions that open nothing that is encrypted, or for which the service uses the key itself.
WITHOUT_KEY = {
    "sqs:DeleteMessage",
    "sqs:ChangeMessageVisibility",
    "sqs:GetQueueAttributes",
    "s3:ListBucket",
    "s3:AbortMultipartUpload",
    "logs:CreateLogStream",
    "logs:PutLogEvents",
    "logs:FilterLogEvents",
    "events:PutEvents",
    "execute-api:ManageConnections",
}
ACCOUNT = "<AWS::AccountId>"
LOGS = f"arn:aws:logs:us-east-1:{ACCOUNT}:log-group:"
BUS = f"arn:aws:events:us-east-1:{ACCOUNT}:event-bus/afluente-prod-alarms"
OF_THIS_ACCOUNT = {"aws:SourceAccount": ACCOUNT}
KEY_POLICY = {
    "LogGroupsOfThisStage": (
        "logs.us-east-1.amazonaws.com",
        {"kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey*", "kms:ReEncrypt*"},
        {
            "ArnLike": {
                "kms:EncryptionContext:aws:logs:arn": [
                    f"{LOGS}/aws/lambda/afluente-prod-*",
                    f"{LOGS}/aws/vendedlogs/afluente/prod/*",
                    f"{LOGS}/afluente/prod/*",
                    f"{LOGS}aws-waf-logs-afluente-prod-*",
                ]
            }
        },
    ),
    "AlarmsToTheTopic": (
        "cloudwatch.amazonaws.com",
        {"kms:Decrypt", "kms:GenerateDataKey"},
        {
            "StringEquals": OF_THIS_ACCOUNT,
            "ArnLike": {"aws:SourceArn": f"arn:aws:cloudwatch:us-east-1:{ACCOUNT}:alarm:afluente-prod-*"},
        },
    ),
    "EventsOnTheBus": (
        "events.amazonaws.com",
        {"kms:Decrypt", "kms:GenerateDataKey"},
        {
            "StringEquals": {
                **OF_THIS_ACCOUNT,
                "aws:SourceArn": BUS,
                "kms:EncryptionContext:aws:events:event-bus:arn": BUS,
            }
        },
    ),
    "BusLooksAtItsKey": ("events.amazonaws.com", {"kms:DescribeKey"}, {"StringEquals": OF_THIS_ACCOUNT}),
    "FilesToTheInbox": (
        "s3.amazonaws.com",
        {"kms:Decrypt", "kms:GenerateDataKey"},
        {"StringEquals": OF_THIS_ACCOUNT},
    ),
}


def test_all_that_is_kept_is_encrypted_with_the_key_of_the_stage(prod: Deployment) -> None:
    for type_, path in KEY_OF.items():
        resources = prod.resources(type_)
        assert resources, type_
        for id_, resource in resources.items():
            value = prod.plain(resource)
            for name in path:
                [value] = as_list(value.get(name, "no key"))
            assert value == "<KMS::Key>", (id_, value)


def test_there_is_no_type_of_resource_that_nobody_has_thought_about(prod: Deployment) -> None:
    types = {resource["Type"] for template in (prod.data, prod.service) for resource in template["Resources"].values()}

    assert types <= KEY_OF.keys() | KEEP_NOTHING


def test_the_key_turns_every_year_and_outlives_its_stack(deployment_of: Callable[..., Deployment]) -> None:
    for preset in ("prod", "migration"):
        deployment = deployment_of(preset)
        [key] = (one for one in deployment.data["Resources"].values() if one["Type"] == "AWS::KMS::Key")
        assert key["Properties"]["EnableKeyRotation"] is True
        assert key["Properties"]["RotationPeriodInDays"] == 365
        # What it encrypted outlives the stack too, and would be lost with it.
        assert key["DeletionPolicy"] == "RetainExceptOnCreate"


def test_the_key_is_used_by_these_services_for_this_stage_alone(prod: Deployment) -> None:
    [key] = prod.resources("AWS::KMS::Key").values()
    owner, *services = prod.plain(key["KeyPolicy"]["Statement"])

    # So that policies of the account decide: KMS Developer Guide, "Default key policy".
    assert owner == {
        "Action": "kms:*",
        "Effect": "Allow",
        "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"},
        "Resource": "*",
    }
    assert {
        one["Sid"]: (one["Principal"]["Service"], set(as_list(one["Action"])), one["Condition"]) for one in services
    } == KEY_POLICY
    assert all(one["Effect"] == "Allow" and one["Principal"].keys() == {"Service"} for one in services)


def test_every_log_group_is_one_that_the_key_policy_names(prod: Deployment) -> None:
    prefixes = [name.removeprefix(LOGS).removesuffix("*") for name in logs_of_the_key_policy()]

    for group in prod.resources("AWS::Logs::LogGroup").values():
        assert any(group["LogGroupName"].startswith(prefix) for prefix in prefixes), group["LogGroupName"]


@pytest.mark.parametrize("preset", ["prod", "migration"])
def test_a_role_may_use_the_key_for_what_it_may_do_and_no_more(
    deployment_of: Callable[..., Deployment], preset: str
) -> None:
    deployment = deployment_of(preset)
    roles = deployment.resources("AWS::IAM::Role")
    for role in roles:
        statements = deployment.statements_of(role)
        actions = {action for one in statements for action in one.actions if not action.startswith("kms:")}
        assert actions <= NEEDED.keys() | WITHOUT_KEY, "which of its key does it need?"
        expected: dict[str, set[str]] = {}
        for action in actions & NEEDED.keys():
            service, needed = NEEDED[action]
            expected.setdefault(service, set()).update(needed)
        found: dict[str, set[str]] = {}
        for one in statements:
            if any(action.startswith("kms:") for action in one.actions):
                assert one.resources == {"<KMS::Key>"}
                found.setdefault(use_of(one.condition), set()).update(one.actions)
        environment = (
            {f"{deployment.function_of(role)}'s variables": {"kms:Decrypt"}} if is_function(roles[role]) else {}
        )
        by_service = {f"{service}.us-east-1.amazonaws.com": needed for service, needed in expected.items()}
        assert found == by_service | environment


@pytest.mark.parametrize("preset", ["local", "dev"])
def test_a_stage_without_a_key_encrypts_with_those_that_aws_manages(
    deployment_of: Callable[..., Deployment], preset: str
) -> None:
    deployment = deployment_of(preset)

    assert deployment.resources("AWS::KMS::Key") == {}
    assert "kms:" not in json.dumps([deployment.data, deployment.service])
    assert all(queue["SqsManagedSseEnabled"] is True for queue in deployment.resources("AWS::SQS::Queue").values())
    for table in deployment.resources("AWS::DynamoDB::Table").values():
        assert table["SSESpecification"] == {"SSEEnabled": True}
    for stream in deployment.resources("AWS::Kinesis::Stream").values():
        assert stream["StreamEncryption"] == {"EncryptionType": "KMS", "KeyId": "alias/aws/kinesis"}
    for bucket in deployment.resources("AWS::S3::Bucket").values():
        [rule] = bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"]
        assert rule["ServerSideEncryptionByDefault"] == {"SSEAlgorithm": "AES256"}


def test_a_key_of_ones_own_changes_encryption_and_nothing_else(
    deployment_of: Callable[..., Deployment], prod: Deployment
) -> None:
    without = deployment_of("prod", customer_managed_key=False)
    of_the_key = {"AWS::KMS::Key", "AWS::KMS::Alias"}
    # And what a role may do, which is above.
    changed = {type_: {path[0]} for type_, path in KEY_OF.items()} | {"AWS::IAM::Policy": {"PolicyDocument"}}
    changed["AWS::SQS::Queue"] |= {"SqsManagedSseEnabled", "KmsDataKeyReusePeriodSeconds"}
    for ours, theirs in ((prod.data, without.data), (prod.service, without.service)):
        mine = {id_: one for id_, one in ours["Resources"].items() if one["Type"] not in of_the_key}
        assert mine.keys() == theirs["Resources"].keys()
        for id_, resource in mine.items():
            other = theirs["Resources"][id_]["Properties"]
            properties = resource["Properties"]
            differing = {name for name in properties.keys() | other if properties.get(name) != other.get(name)}
            assert differing <= changed.get(resource["Type"], set()), id_


def logs_of_the_key_policy() -> list[str]:
    condition: Any = KEY_POLICY["LogGroupsOfThisStage"][2]
    return list(condition["ArnLike"]["kms:EncryptionContext:aws:logs:arn"])


def use_of(condition: dict[str, dict[str, str]]) -> str:
    """Through which service a statement lets the key be used, or for the variables of which function."""
    [(name, value)] = condition["StringEquals"].items()
    assert condition.keys() == {"StringEquals"}
    if name == "kms:EncryptionContext:aws:lambda:FunctionArn":
        return f"{value.rsplit(':', 1)[1]}'s variables"
    assert name == "kms:ViaService"
    return value


def is_function(role: dict[str, object]) -> bool:
    return "lambda.amazonaws.com" in json.dumps(role["AssumeRolePolicyDocument"])
