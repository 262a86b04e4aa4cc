"""Queues, tables, streams and buckets: their keys, retention and lifetime."""

from collections.abc import Callable

import pytest

from afluente.adapters.aws.dynamodb_constraints import BY_DOMAIN
from tests.infrastructure.deployment import Deployment, Resource

TABLES = {
    "afluente-prod-stream-constraints": [("key", "HASH", "S")],
    "afluente-prod-constraint-history": [("key", "HASH", "S"), ("version", "RANGE", "N")],
    "afluente-prod-stream-latest": [("source", "HASH", "S"), ("bucket", "RANGE", "N")],
    "afluente-prod-access": [("id", "HASH", "S")],
    "afluente-prod-key-uses": [("id", "HASH", "S")],
    "afluente-prod-ws-connections": [("id", "HASH", "S")],
    "afluente-prod-csv-jobs": [("job_id", "HASH", "S")],
    "afluente-prod-csv-slots": [("group", "HASH", "S")],
    "afluente-prod-migration": [("id", "HASH", "S"), ("entry", "RANGE", "S")],
    "afluente-prod-limits": [("subject", "HASH", "S")],
}
STREAMS = {f"afluente-prod-{class_}" for class_ in ("alert", "warning", "anomaly", "normal")}
FIFO_QUEUES = (
    "afluente-prod-datapoints.fifo",
    "afluente-prod-datapoints-dlq.fifo",
    "afluente-prod-csv-jobs.fifo",
    "afluente-prod-csv-jobs-dlq.fifo",
)
STANDARD_QUEUES = (
    "afluente-prod-mqtt-inbox",
    "afluente-prod-mqtt-inbox-dlq",
    "afluente-prod-csv-inbox",
    "afluente-prod-csv-inbox-dlq",
)
# In the service stack: what is in it is of no use to another deployment.
PASSING_QUEUE = "afluente-prod-unanswered-connections"


@pytest.mark.parametrize("name", FIFO_QUEUES)
def test_a_queue_of_packs_or_jobs_is_fifo_with_high_throughput_and_keeps_large_messages_for_14_days(
    prod: Deployment, name: str
) -> None:
    queue = prod.one("AWS::SQS::Queue", QueueName=name)

    assert queue["FifoQueue"] is True
    assert queue["ContentBasedDeduplication"] is False
    assert queue["DeduplicationScope"] == "messageGroup"
    assert queue["FifoThroughputLimit"] == "perMessageGroupId"
    assert queue["MaximumMessageSize"] == 1024 * 1024
    assert queue["MessageRetentionPeriod"] == 14 * 24 * 3600


@pytest.mark.parametrize("name", STANDARD_QUEUES)
def test_an_inbox_is_a_standard_queue_that_a_topic_rule_and_s3_can_send_to(prod: Deployment, name: str) -> None:
    queue = prod.one("AWS::SQS::Queue", QueueName=name)

    assert "FifoQueue" not in queue
    assert queue["MaximumMessageSize"] == 1024 * 1024
    assert queue["MessageRetentionPeriod"] == 14 * 24 * 3600


@pytest.mark.parametrize(
    ("name", "dead_letters", "attempts"),
    [
        ("afluente-prod-datapoints.fifo", "afluente-prod-datapoints-dlq.fifo", 1_000),
        ("afluente-prod-mqtt-inbox", "afluente-prod-mqtt-inbox-dlq", 60),
        ("afluente-prod-csv-inbox", "afluente-prod-csv-inbox-dlq", 60),
        # Each continues where the last one ended.
        ("afluente-prod-csv-jobs.fifo", "afluente-prod-csv-jobs-dlq.fifo", 1_000),
    ],
)
def test_what_fails_so_many_times_goes_to_the_dead_letter_queue(
    prod: Deployment, name: str, dead_letters: str, attempts: int
) -> None:
    queue = prod.one("AWS::SQS::Queue", QueueName=name)

    assert prod.plain(queue["RedrivePolicy"]) == {"deadLetterTargetArn": dead_letters, "maxReceiveCount": attempts}


@pytest.mark.parametrize(
    ("package", "name"),
    [
        ("classifier", "datapoints.fifo"),
        ("iot_rule_handler", "mqtt-inbox"),
        ("csv_trigger", "csv-inbox"),
        ("csv_trigger", "csv-jobs.fifo"),
        ("ws_ingest", "unanswered-connections"),
    ],
)
def test_a_message_stays_hidden_six_times_as_long_as_its_function_may_run(
    prod: Deployment, local: Deployment, package: str, name: str
) -> None:
    """In the cloud, where polls are throttled; in the emulator it is hidden for longer than the function may run."""
    for deployment, times in ((prod, 6), (local, 1)):
        queue = deployment.one("AWS::SQS::Queue", QueueName=f"{deployment.stage.prefix}-{name}")

        mapping = deployment.trigger_from(f"{deployment.stage.prefix}-{name}")

        gathered = mapping.get("MaximumBatchingWindowInSeconds", 0)
        assert queue["VisibilityTimeout"] >= times * deployment.function(package)["Timeout"] + gathered


def test_there_are_these_queues_and_no_other(prod: Deployment) -> None:
    queues = [queue["QueueName"] for queue in prod.resources("AWS::SQS::Queue").values()]

    assert sorted(queues) == sorted([*FIFO_QUEUES, *STANDARD_QUEUES, PASSING_QUEUE])


def test_the_inbox_is_there_with_mqtt_off_so_that_its_messages_are_still_accepted(
    deployment_of: Callable[[str], Deployment],
) -> None:
    migration = deployment_of("migration")

    queues = {queue["QueueName"] for queue in migration.resources("AWS::SQS::Queue").values()}
    assert {"afluente-migration-mqtt-inbox", "afluente-migration-mqtt-inbox-dlq"} <= queues
    assert migration.plain(migration.trigger("iot_rule_handler")["EventSourceArn"]) == "afluente-migration-mqtt-inbox"


def test_the_tables_have_these_keys_and_no_other(prod: Deployment) -> None:
    assert {table["TableName"]: keys_of(table) for table in prod.resources("AWS::DynamoDB::Table").values()} == TABLES


def test_the_constraints_of_a_domain_are_found_by_an_index_of_their_keys(prod: Deployment) -> None:
    [index] = prod.one("AWS::DynamoDB::Table", TableName="afluente-prod-stream-constraints")["GlobalSecondaryIndexes"]

    assert index["IndexName"] == BY_DOMAIN
    assert [key["AttributeName"] for key in index["KeySchema"]] == ["domain", "key"]
    assert index["Projection"] == {"ProjectionType": "KEYS_ONLY"}


def test_a_table_is_on_demand_recoverable_and_protected_in_prod(prod: Deployment) -> None:
    for table in prod.resources("AWS::DynamoDB::Table").values():
        assert table["BillingMode"] == "PAY_PER_REQUEST"
        assert table["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}
        assert table["DeletionProtectionEnabled"] is True


def test_only_tries_connections_jobs_limits_and_records_of_the_migration_expire(prod: Deployment) -> None:
    expiry = {
        table["TableName"]: table["TimeToLiveSpecification"]
        for table in prod.resources("AWS::DynamoDB::Table").values()
        if "TimeToLiveSpecification" in table
    }

    assert expiry == {
        table: {"AttributeName": "expires_at", "Enabled": True}
        for table in (
            "afluente-prod-stream-latest",
            "afluente-prod-ws-connections",
            "afluente-prod-csv-jobs",
            "afluente-prod-migration",
            "afluente-prod-limits",
        )
    }


def test_each_class_has_a_stream_on_demand_that_keeps_records_for_a_day(prod: Deployment) -> None:
    streams = prod.resources("AWS::Kinesis::Stream").values()

    assert {stream["Name"] for stream in streams} == STREAMS
    for stream in streams:
        assert stream["StreamModeDetails"] == {"StreamMode": "ON_DEMAND"}
        assert stream["RetentionPeriodHours"] == 24


def test_the_quarantine_is_versioned_and_its_records_expire(prod: Deployment) -> None:
    [bucket] = (bucket for id_, bucket in prod.resources("AWS::S3::Bucket").items() if id_.startswith("Quarantine"))

    assert bucket["VersioningConfiguration"] == {"Status": "Enabled"}
    [rule] = bucket["LifecycleConfiguration"]["Rules"]
    assert rule["Status"] == "Enabled"
    assert rule["ExpirationInDays"] == 90
    assert rule["NoncurrentVersionExpiration"] == {"NoncurrentDays": 90}


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


def test_elsewhere_only_the_buckets_outlive_the_stack(local: Deployment) -> None:
    kept = {
        resource["Type"]
        for resource in local.data["Resources"].values()
        if resource.get("DeletionPolicy", "Delete") != "Delete"
    }

    assert kept == {"AWS::S3::Bucket"}


def keys_of(table: Resource) -> list[tuple[str, str, str]]:
    types = {definition["AttributeName"]: definition["AttributeType"] for definition in table["AttributeDefinitions"]}
    return [(key["AttributeName"], key["KeyType"], types[key["AttributeName"]]) for key in table["KeySchema"]]
