"""IAM policy of a customer who uploads CSV files to the bucket: for folders within its tenant boundary alone."""

from typing import TYPE_CHECKING, Any, NamedTuple

from afluente.application.csv.files import INBOX
from cli.core.target import Target

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

    from afluente.application.access.tenants import Tenant


class UploadBucket(NamedTuple):
    """The bucket of CSV files.

    Attributes:
        name: of the bucket.
        key: ARN of the stage's own key that it is encrypted with; None where there is none.
        partition: of AWS, second part of an ARN; `aws-cn` in China, `aws-us-gov` in GovCloud.
    """

    name: str
    key: str | None = None
    partition: str = "aws"

    @property
    def arn(self) -> str:
        """The ARN of the bucket."""
        return f"arn:{self.partition}:s3:::{self.name}"


def upload_bucket(target: Target) -> UploadBucket:
    """The bucket of CSV files of a deployment.

    Raises:
        CommandError: the stage takes no CSV files.
    """
    bucket = target.csv_bucket
    s3: S3Client = target.client("s3")
    try:
        answer = s3.get_bucket_encryption(Bucket=bucket)
    except s3.exceptions.ClientError as error:
        if error.response["Error"]["Code"] != "ServerSideEncryptionConfigurationNotFoundError":
            raise
        return UploadBucket(bucket, None, s3.meta.partition)
    [rule] = answer["ServerSideEncryptionConfiguration"]["Rules"]
    key = rule.get("ApplyServerSideEncryptionByDefault", {}).get("KMSMasterKeyID")
    return UploadBucket(bucket, key, s3.meta.partition)


def upload_policy(tenant: "Tenant", bucket: UploadBucket) -> dict[str, Any]:
    """The policy of a tenant; it allows no reading, listing or deleting.

    Args:
        tenant: the customer.
        bucket: of its folders.
    """
    # A source is the folder after the domain: a beginning of source ids is the beginning of a folder.
    folders = [f"{INBOX}/{domain}/{source}/*" for domain in tenant.domains for source in tenant.sources]
    statements: list[dict[str, Any]] = [
        {
            "Sid": "DropIntoItsOwnFolders",
            "Effect": "Allow",
            "Action": ["s3:PutObject", "s3:AbortMultipartUpload"],
            "Resource": [f"{bucket.arn}/{folder}" for folder in folders],
        }
    ]
    if bucket.key is not None:
        statements.append(
            {
                "Sid": "EncryptAsTheBucketSays",
                "Effect": "Allow",
                # Decrypt as well: S3 asks for it to put the parts of a large file together.
                "Action": ["kms:GenerateDataKey", "kms:Decrypt"],
                "Resource": [bucket.key],
                "Condition": {"StringEquals": {"kms:EncryptionContext:aws:s3:arn": bucket.arn}},
            }
        )
    return {"Version": "2012-10-17", "Statement": statements}
