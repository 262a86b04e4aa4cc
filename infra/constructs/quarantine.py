"""The bucket of records that could not be taken, each with its reason, to be replayed."""

from aws_cdk import Duration
from aws_cdk.aws_kms import IKey
from aws_cdk.aws_s3 import BlockPublicAccess, Bucket, BucketEncryption, LifecycleRule, ObjectOwnership
from constructs import Construct

from infra.checks import acknowledge
from infra.constructs import lifetime
from infra.stage import Stage


class Quarantine(Construct):
    """A private, versioned bucket whose records expire.

    It outlives its stack in every stage (a stack cannot delete a bucket that holds objects), under a name that
    CloudFormation chooses, so that the next deployment does not find the name taken.
    """

    def __init__(self, scope: Construct, id_: str, *, stage: Stage, key: IKey | None) -> None:
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
                    abort_incomplete_multipart_upload_after=Duration.days(1),
                )
            ],
            removal_policy=lifetime.KEPT,
        )
        acknowledge(
            self.bucket,
            "AwsSolutions-S1",
            "Two functions of this service are all that may write here; an access log of the bucket would be a second "
            "bucket to secure and pay for. CloudTrail data events show who read, where an account asks for that.",
        )
