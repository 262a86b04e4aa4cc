"""What holds data: how it is kept, who can read it, when it is forgotten."""

import pytest

from tests.infrastructure.deployment import Deployment, Resource

TABLES = {
    "afluente-prod-stream-constraints": [("key", "HASH", "S")],
    "afluente-prod-stream-latest": [("source", "HASH", "S"), ("bucket", "RANGE", "N")],
    "afluente-prod-api-keys": [("key_hash", "HASH", "S")],
}
STREAMS = {f"afluente-prod-{class_}" for class_ in ("alert", "warning", "anomaly", "normal")}
QUEUES = ("afluente-prod-datapoints.fifo", "afluente-prod-datapoints-dlq.fifo")


@pytest.mark.parametrize("name", QUEUES)
def test_a_queue_is_fifo_with_high_throughput_and_keeps_large_messages_for_14_days(prod: Deployment, name: str) -> None:
    queue = prod.one("AWS::SQS::Queue", QueueName=name)

    assert queue["FifoQueue"] is True
    assert queue["ContentBasedDeduplication"] is False
    assert queue["DeduplicationScope"] == "messageGroup"
    assert queue["FifoThroughputLimit"] == "perMessageGroupId"
    assert queue["MaximumMessageSize"] == 1024 * 1024
    assert queue["MessageRetentionPeriod"] == 14 * 24 * 3600
    assert queue["SqsManagedSseEnabled"] is True


def test_a_pack_that_fails_60_times_goes_to_the_dead_letter_queue(prod: Deployment) -> None:
    queue = prod.one("AWS::SQS::Queue", QueueName="afluente-prod-datapoints.fifo")

    assert prod.plain(queue["RedrivePolicy"]) == {
        "deadLetterTargetArn": "afluente-prod-datapoints-dlq.fifo",
        "maxReceiveCount": 60,
    }


@pytest.mark.parametrize(("preset", "timeout", "visibility"), [("prod", 30, 90), ("local", 10, 12)])
def test_a_pack_stays_hidden_longer_than_the_classifier_may_run(
    request: pytest.FixtureRequest, preset: str, timeout: int, visibility: int
) -> None:
    deployment: Deployment = request.getfixturevalue(preset)
    queue = deployment.one("AWS::SQS::Queue", QueueName=f"afluente-{preset}-datapoints.fifo")

    assert deployment.function("classifier")["Timeout"] == timeout
    assert queue["VisibilityTimeout"] == visibility


def test_there_are_these_queues_and_no_other(prod: Deployment) -> None:
    assert {queue["QueueName"] for queue in prod.resources("AWS::SQS::Queue").values()} == set(QUEUES)


def test_the_tables_have_these_keys_and_no_other(prod: Deployment) -> None:
    assert {table["TableName"]: keys_of(table) for table in prod.resources("AWS::DynamoDB::Table").values()} == TABLES


def test_a_table_is_on_demand_encrypted_recoverable_and_protected_in_prod(prod: Deployment) -> None:
    for table in prod.resources("AWS::DynamoDB::Table").values():
        assert table["BillingMode"] == "PAY_PER_REQUEST"
        assert table["SSESpecification"] == {"SSEEnabled": True}
        assert table["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}
        assert table["DeletionProtectionEnabled"] is True
        assert "TimeToLiveSpecification" not in table


def test_each_class_has_a_stream_on_demand_encrypted_and_kept_for_a_day(prod: Deployment) -> None:
    streams = prod.resources("AWS::Kinesis::Stream").values()

    assert {stream["Name"] for stream in streams} == STREAMS
    for stream in streams:
        assert stream["StreamModeDetails"] == {"StreamMode": "ON_DEMAND"}
        assert stream["StreamEncryption"] == {"EncryptionType": "KMS", "KeyId": "alias/aws/kinesis"}
        assert stream["RetentionPeriodHours"] == 24


def test_the_quarantine_is_private_encrypted_versioned_and_forgets(prod: Deployment) -> None:
    [bucket] = prod.resources("AWS::S3::Bucket").values()

    assert set(bucket["PublicAccessBlockConfiguration"].values()) == {True}
    assert len(bucket["PublicAccessBlockConfiguration"]) == 4
    assert bucket["VersioningConfiguration"] == {"Status": "Enabled"}
    [encryption] = bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    assert encryption["ServerSideEncryptionByDefault"] == {"SSEAlgorithm": "AES256"}
    [rule] = bucket["LifecycleConfiguration"]["Rules"]
    assert rule["Status"] == "Enabled"
    assert rule["ExpirationInDays"] == 90
    assert rule["NoncurrentVersionExpiration"] == {"NoncurrentDays": 90}


@pytest.mark.parametrize(
    ("type_", "count"), [("AWS::SQS::QueuePolicy", 2), ("AWS::S3::BucketPolicy", 1), ("AWS::SNS::TopicPolicy", 1)]
)
def test_queues_bucket_and_topic_refuse_what_comes_without_tls(prod: Deployment, type_: str, count: int) -> None:
    policies = prod.resources(type_).values()

    assert len(policies) == count
    for policy in policies:
        assert any(
            statement["Effect"] == "Deny" and statement.get("Condition") == {"Bool": {"aws:SecureTransport": "false"}}
            for statement in policy["PolicyDocument"]["Statement"]
        )


def test_alarms_have_a_bus_and_a_log_stream(prod: Deployment) -> None:
    [bus] = prod.resources("AWS::Events::EventBus").values()
    [stream] = prod.resources("AWS::Logs::LogStream").values()

    assert bus["Name"] == "afluente-prod-alarms"
    assert prod.plain(stream) == {"LogGroupName": "/afluente/prod/alarms", "LogStreamName": "alarms"}


def test_in_prod_what_holds_data_outlives_the_stack(prod: Deployment) -> None:
    kept = {
        "AWS::SQS::Queue",
        "AWS::DynamoDB::Table",
        "AWS::Kinesis::Stream",
        "AWS::S3::Bucket",
        "AWS::Logs::LogGroup",
        "AWS::Logs::LogStream",
    }
    for resource in prod.data["Resources"].values():
        if resource["Type"] in kept:
            # Retained, unless the very deployment that made it fails: nothing is in it then.
            assert resource["DeletionPolicy"] == "RetainExceptOnCreate"
            assert resource["UpdateReplacePolicy"] == "Retain"


def test_elsewhere_only_the_quarantine_outlives_the_stack(local: Deployment) -> None:
    kept = {
        resource["Type"]
        for resource in local.data["Resources"].values()
        if resource.get("DeletionPolicy", "Delete") != "Delete"
    }

    assert kept == {"AWS::S3::Bucket"}


def keys_of(table: Resource) -> list[tuple[str, str, str]]:
    types = {definition["AttributeName"]: definition["AttributeType"] for definition in table["AttributeDefinitions"]}
    return [(key["AttributeName"], key["KeyType"], types[key["AttributeName"]]) for key in table["KeySchema"]]
