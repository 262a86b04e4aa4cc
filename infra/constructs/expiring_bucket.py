"""A bucket of what clients sent: private, encrypted, versioned, and expiring."""

from dataclasses import dataclass

from aws_cdk import Duration
from aws_cdk.aws_kms import IKey
from aws_cdk.aws_s3 import BlockPublicAccess, Bucket, BucketEncryption, LifecycleRule, ObjectOwnership
from constructs import Construct

from infra.checks import acknowledge
from infra.constructs import lifetime
from infra.stage import Stage


@dataclass(frozen=True, slots=True)
class Objects:
    """Objects of a bucket: a pattern of their keys, with a star in it, and why no grant can be narrower."""

    pattern: str
    reason: str


class ExpiringBucket(Bucket):
    """A bucket that outlives its stack in every stage: a stack cannot delete a bucket that holds objects.

    CloudFormation chooses its name, so that the next deployment does not find the name taken.

    Args:
        scope: that it is part of.
        id_: in its scope.
        stage: says when objects expire.
        key: that it is encrypted with; None for S3's own.
        unfinished_days: how long a client may take over the parts of a large object.
        without_access_log: why it has none: where it is seen instead who wrote what.
    """

    def __init__(
        self,
        scope: Construct,
        id_: str,
        *,
        stage: Stage,
        key: IKey | None,
        unfinished_days: int,
        without_access_log: str,
    ) -> None:
        expiry = Duration.days(stage.quarantine_retention_days)
        super().__init__(
            scope,
            id_,
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
                    abort_incomplete_multipart_upload_after=Duration.days(unfinished_days),
                )
            ],
            removal_policy=lifetime.KEPT,
        )
        acknowledge(
            self,
            "AwsSolutions-S1",
            f"{without_access_log}; an access log of the bucket would be a second bucket to secure and pay for. "
            "CloudTrail data events show who read, where an account wants that.",
        )
