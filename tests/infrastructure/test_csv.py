"""CSV files: their bucket, its notifications, and the queues of the CSV loader."""

from collections.abc import Callable

import pytest

from afluente.adapters.aws.s3_csv_files import REJECTS
from infra.constructs.csv_inbox import REJECTS_OBJECTS
from infra.presets import PRESETS
from tests.infrastructure.deployment import Deployment, Resource

# SQS, "Message deduplication interval" of a FIFO queue.
DEDUPLICATION_SECONDS = 300


def test_the_bucket_is_versioned_and_not_for_pages_of_other_origins(prod: Deployment) -> None:
    bucket = bucket_of(prod)["Properties"]

    assert bucket["VersioningConfiguration"] == {"Status": "Enabled"}
    # CloudFormation names it, and no page of another origin has to do with it.
    assert not {"BucketName", "CorsConfiguration"} & bucket.keys()


def test_files_expire_with_all_their_versions_and_so_do_unfinished_uploads(prod: Deployment, local: Deployment) -> None:
    for deployment, days in ((prod, 90), (local, 7)):
        [rule] = bucket_of(deployment)["Properties"]["LifecycleConfiguration"]["Rules"]
        assert rule["Status"] == "Enabled"
        assert rule["ExpirationInDays"] == days
        assert rule["NoncurrentVersionExpiration"] == {"NoncurrentDays": days}
        assert rule["AbortIncompleteMultipartUpload"] == {"DaysAfterInitiation": 7}


def test_s3_notifies_the_inbox_of_each_new_file_and_of_nothing_else(prod: Deployment) -> None:
    notifications = prod.plain(bucket_of(prod)["Properties"]["NotificationConfiguration"])

    assert notifications == {
        "QueueConfigurations": [
            {
                "Event": "s3:ObjectCreated:*",
                "Filter": {"S3Key": {"Rules": [{"Name": "prefix", "Value": "inbox/"}]}},
                "Queue": "afluente-prod-csv-inbox",
            }
        ]
    }


def test_the_bucket_is_made_after_s3_may_send(prod: Deployment) -> None:
    [policy] = [
        id_
        for id_, policy in prod.resources("AWS::SQS::QueuePolicy").items()
        if prod.plain(policy["PolicyDocument"]["Statement"][0]["Resource"]) == "afluente-prod-csv-inbox"
    ]

    assert policy in bucket_of(prod)["DependsOn"]


def test_no_stack_makes_a_function_to_set_the_notification(prod: Deployment) -> None:
    types = {resource["Type"] for resource in prod.data["Resources"].values()}

    assert "AWS::Lambda::Function" not in types
    assert not any(type_.startswith("Custom::") for type_ in types)


def test_new_files_are_consumed_in_tens_and_jobs_one_by_one(prod: Deployment) -> None:
    inbox = prod.trigger_from("afluente-prod-csv-inbox")
    jobs = prod.trigger_from("afluente-prod-csv-jobs.fifo")

    assert {prod.plain(mapping["FunctionName"]) for mapping in (inbox, jobs)} == {"afluente-prod-csv-trigger"}
    assert (inbox["BatchSize"], jobs["BatchSize"]) == (10, 1)
    assert jobs["ScalingConfig"] == {"MaximumConcurrency": 10}
    assert inbox["ScalingConfig"] == {"MaximumConcurrency": 5}
    for mapping in (inbox, jobs):
        assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("queue", ["csv-inbox", "csv-jobs.fifo"])
def test_a_job_is_retried_after_its_function_has_ended_and_while_sqs_drops_duplicates(
    deployment_of: Callable[[str], Deployment], preset: str, queue: str
) -> None:
    deployment = deployment_of(preset)
    function = deployment.function("csv_trigger")
    hidden = deployment.one("AWS::SQS::Queue", QueueName=f"afluente-{preset}-{queue}")["VisibilityTimeout"]
    held = int(function["Environment"]["Variables"]["AFLUENTE_CSV_HELD_SECONDS"])

    assert function["Timeout"] < (held or hidden) < DEDUPLICATION_SECONDS


def test_jobs_are_found_by_domain_in_the_order_in_which_they_were_made(prod: Deployment) -> None:
    table = prod.one("AWS::DynamoDB::Table", TableName="afluente-prod-csv-jobs")

    assert table["GlobalSecondaryIndexes"] == [
        {
            "IndexName": "by-domain",
            "KeySchema": [
                {"AttributeName": "domain", "KeyType": "HASH"},
                {"AttributeName": "created_at", "KeyType": "RANGE"},
            ],
            "Projection": {"ProjectionType": "KEYS_ONLY"},
        }
    ]
    types = {definition["AttributeName"]: definition["AttributeType"] for definition in table["AttributeDefinitions"]}
    assert types == {"job_id": "S", "domain": "S", "created_at": "N"}


def test_the_loader_has_a_whole_processor(prod: Deployment) -> None:
    assert prod.function("csv_trigger")["MemorySize"] == 1_769


def test_rejected_rows_are_kept_where_the_grants_say() -> None:
    # Not imported by the construct: that would load pandas at each synthesis.
    assert f"{REJECTS}/*" == REJECTS_OBJECTS.pattern


def test_an_alarm_says_what_to_do(prod: Deployment) -> None:
    for name in ("csv-inbox-dead-letters", "csv-jobs-dead-letters", "csv-inbox-age", "csv-trigger-errors"):
        alarm = prod.one("AWS::CloudWatch::Alarm", AlarmName=f"afluente-prod-{name}")
        assert "log" in alarm["AlarmDescription"]
    for queue in ("csv-inbox", "csv-jobs"):
        alarm = prod.one("AWS::CloudWatch::Alarm", AlarmName=f"afluente-prod-{queue}-dead-letters")
        assert f"`afluente dlq redrive --queue {queue} --stage prod`" in alarm["AlarmDescription"]


def test_a_stage_without_csv_files_gets_no_notifications_and_finishes_its_jobs(
    deployment_of: Callable[[str], Deployment],
) -> None:
    migration = deployment_of("migration")

    assert migration.stage.enable_csv_ingest is False
    assert "NotificationConfiguration" not in bucket_of(migration)["Properties"]
    assert migration.function("http_ingest")["Environment"]["Variables"]["AFLUENTE_ENABLE_CSV_INGEST"] == "false"
    for queue in ("csv-inbox", "csv-jobs.fifo"):
        trigger = migration.trigger_from(f"afluente-migration-{queue}")
        assert migration.plain(trigger["FunctionName"]) == "afluente-migration-csv-trigger"


def bucket_of(deployment: Deployment) -> Resource:
    """The bucket of CSV files, with what it depends on."""
    bucket: Resource
    [bucket] = [
        resource
        for id_, resource in deployment.data["Resources"].items()
        if resource["Type"] == "AWS::S3::Bucket" and id_.startswith("CsvFiles")
    ]
    return bucket
