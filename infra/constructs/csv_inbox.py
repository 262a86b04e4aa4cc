"""The bucket of CSV files, and its notifications to the queue of new files."""

from typing import cast

from aws_cdk import Stack
from aws_cdk.aws_iam import PolicyStatement, ServicePrincipal
from aws_cdk.aws_kms import IKey
from aws_cdk.aws_s3 import CfnBucket
from aws_cdk.aws_sqs import Queue
from constructs import Construct

from afluente.application.csv.files import INBOX
from infra.constructs.expiring_bucket import ExpiringBucket, Objects
from infra.stage import Stage

INBOX_OBJECTS = Objects(
    f"{INBOX}/*", "A file has the name that its sender gives it: no grant can be narrower than the folder of new files."
)
REJECTS_OBJECTS = Objects(
    "rejects/*", "Rejected rows have the id of their job for a name, known when it begins: no grant can be narrower."
)


class CsvInbox(Construct):
    """A bucket whose files expire; while CSV files are accepted, S3 notifies the queue of each new one."""

    def __init__(self, scope: Construct, id_: str, *, stage: Stage, queue: Queue, key: IKey | None) -> None:
        super().__init__(scope, id_)
        self.bucket = ExpiringBucket(
            self,
            "Bucket",
            stage=stage,
            key=key,
            unfinished_days=7,
            without_access_log="A file has a job that says when it came and what became of it",
        )
        if stage.enable_csv_ingest:
            self._notify(queue)

    def _notify(self, queue: Queue) -> None:
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
        # S3 sends a test message to the queue before it accepts the notification.
        self.bucket.node.add_dependency(queue.node.find_child("Policy"))
