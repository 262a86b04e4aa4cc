"""The bucket that CSV files are dropped into, and the way of each to the queue of new files."""

from typing import cast

from aws_cdk import Duration, Stack
from aws_cdk.aws_iam import PolicyStatement, ServicePrincipal
from aws_cdk.aws_kms import IKey
from aws_cdk.aws_s3 import BlockPublicAccess, Bucket, BucketEncryption, CfnBucket, LifecycleRule, ObjectOwnership
from aws_cdk.aws_sqs import Queue
from constructs import Construct

from afluente.application.csv_jobs import INBOX
from infra.checks import acknowledge
from infra.constructs import lifetime
from infra.stage import Stage

INBOX_OBJECTS = f"{INBOX}/*"
REJECTS_OBJECTS = "rejects/*"
"""The rows of each job that could not be taken."""


class CsvInbox(Construct):
    """A private, versioned bucket whose files expire; while CSV files are taken, S3 tells the queue of each new one.

    As the quarantine it outlives its stack in every stage, under a name that CloudFormation chooses.
    """

    def __init__(self, scope: Construct, id_: str, *, stage: Stage, queue: Queue, key: IKey | None) -> None:
        super().__init__(scope, id_)
        expiry = Duration.days(stage.quarantine_retention_days)
        self.bucket = Bucket(
            self,
            "Bucket",
            encryption=BucketEncryption.S3_MANAGED if key is None else BucketEncryption.KMS,
            encryption_key=key,
            # A key of the bucket's own stands between, so that not every object is a call to KMS.
            bucket_key_enabled=None if key is None else True,
            enforce_ssl=True,
            block_public_access=BlockPublicAccess.BLOCK_ALL,
            object_ownership=ObjectOwnership.BUCKET_OWNER_ENFORCED,
            versioned=True,
            lifecycle_rules=[
                LifecycleRule(
                    id="expire",
                    expiration=expiry,
                    noncurrent_version_expiration=expiry,
                    # A client may take days over the parts of a large file.
                    abort_incomplete_multipart_upload_after=Duration.days(7),
                )
            ],
            removal_policy=lifetime.KEPT,
        )
        acknowledge(
            self.bucket,
            "AwsSolutions-S1",
            "A file has a job that says when it came and what became of it; an access log of the bucket would be a "
            "second bucket to secure and pay for. CloudTrail data events show who read, where an account wants that.",
        )
        if stage.enable_csv_ingest:
            self._tell(queue)

    def _tell(self, queue: Queue) -> None:
        queue.add_to_resource_policy(
            PolicyStatement(
                sid="FilesOfThisAccount",
                principals=[ServicePrincipal("s3.amazonaws.com")],
                actions=["sqs:SendMessage"],
                resources=[queue.queue_arn],
                # Not the bucket's ARN: its name is known when it is there, and it comes after this policy.
                conditions={"StringEquals": {"aws:SourceAccount": Stack.of(self).account}},
            )
        )
        # Not `add_event_notification`: it makes a function of its own, which the emulator cannot run.
        bucket = cast("CfnBucket", self.bucket.node.default_child)
        bucket.notification_configuration = CfnBucket.NotificationConfigurationProperty(
            queue_configurations=[
                CfnBucket.QueueConfigurationProperty(
                    event="s3:ObjectCreated:*",
                    queue=queue.queue_arn,
                    filter=CfnBucket.NotificationFilterProperty(
                        s3_key=CfnBucket.S3KeyFilterProperty(
                            rules=[CfnBucket.FilterRuleProperty(name="prefix", value=f"{INBOX}/")]
                        )
                    ),
                )
            ]
        )
        # S3 sends a message to try the queue before it takes the notification.
        self.bucket.node.add_dependency(queue.node.find_child("Policy"))
