"""What a customer needs who drops CSV files into the bucket: an IAM policy for folders of its own ground alone."""

from typing import TYPE_CHECKING, Any, NamedTuple

from afluente.application.csv.files import INBOX
from cli.core.errors import CommandError
from cli.core.target import Target

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

    from afluente.application.access.tenants import Tenant


class DropBucket(NamedTuple):
    """The bucket that files are dropped into.

    Attributes:
        name: of the bucket.
        key: the ARN of the key of the stage's own that it is encrypted with; None where there is none.
        partition: of AWS, as it begins an ARN; `aws-cn` in China, `aws-us-gov` in GovCloud.
    """

    name: str
    key: str | None = None
    partition: str = "aws"

    @property
    def arn(self) -> str:
        """The ARN of the bucket."""
        return f"arn:{self.partition}:s3:::{self.name}"


def bucket_of(target: Target) -> DropBucket:
    """The bucket that files are dropped into.

    Raises:
        CommandError: the stage takes no CSV files.
    """
    if "CsvBucket" not in target.outputs:
        raise CommandError(
            f"stage '{target.name}' takes no CSV files: CSV ingestion is switched off there",
            hint="set enable_csv_ingest = true in the stage's file and deploy it again",
        )
    bucket = target["CsvBucket"]
    s3: S3Client = target.client("s3")
    try:
        answer = s3.get_bucket_encryption(Bucket=bucket)
    except s3.exceptions.ClientError as error:
        if error.response["Error"]["Code"] != "ServerSideEncryptionConfigurationNotFoundError":
            raise
        return DropBucket(bucket, None, s3.meta.partition)
    [rule] = answer["ServerSideEncryptionConfiguration"]["Rules"]
    key = rule.get("ApplyServerSideEncryptionByDefault", {}).get("KMSMasterKeyID")
    return DropBucket(bucket, key, s3.meta.partition)


def drop_policy(tenant: "Tenant", bucket: DropBucket) -> dict[str, Any]:
    """The policy of a tenant; it lets nothing be read, listed or deleted.

    Args:
        tenant: whose folders they are.
        bucket: that they are in.
    """
    # A source is the folder after the domain: what begins as the ground does lies in a folder that begins so.
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
