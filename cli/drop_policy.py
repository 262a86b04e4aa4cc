"""What a customer needs who drops CSV files into the bucket: an IAM policy for folders of its own ground alone."""

from typing import TYPE_CHECKING, Any

from afluente.application.csv_jobs import INBOX
from cli.errors import CommandError
from cli.target import Target

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

    from afluente.application.tenants import Tenant


def bucket_of(target: Target) -> tuple[str, str | None]:
    """The bucket that files are dropped into, and the ARN of the key of its own that it is encrypted with.

    Raises:
        CommandError: the stage takes no CSV files.
    """
    if "CsvBucket" not in target.outputs:
        raise CommandError(
            f"stage '{target.name}' takes no CSV files: CSV ingestion is switched off there",
            way_out="set enable_csv_ingest = true in the stage's file and deploy it again",
        )
    bucket = target["CsvBucket"]
    s3: S3Client = target.client("s3")
    try:
        answer = s3.get_bucket_encryption(Bucket=bucket)
    except s3.exceptions.ClientError as error:
        if error.response["Error"]["Code"] != "ServerSideEncryptionConfigurationNotFoundError":
            raise
        return bucket, None
    [rule] = answer["ServerSideEncryptionConfiguration"]["Rules"]
    return bucket, rule.get("ApplyServerSideEncryptionByDefault", {}).get("KMSMasterKeyID")


def drop_policy(tenant: "Tenant", bucket: tuple[str, str | None]) -> dict[str, Any]:
    """The policy of a tenant; it lets nothing be read, listed or deleted.

    Args:
        tenant: whose folders they are.
        bucket: its name, and the ARN of its key.
    """
    name, key = bucket
    # A source is the folder after the domain: what begins as the ground does lies in a folder that begins so.
    folders = [f"{INBOX}/{domain}/{source}/*" for domain in tenant.domains for source in tenant.sources]
    statements: list[dict[str, Any]] = [
        {
            "Sid": "DropIntoItsOwnFolders",
            "Effect": "Allow",
            "Action": ["s3:PutObject", "s3:AbortMultipartUpload"],
            "Resource": [f"arn:aws:s3:::{name}/{folder}" for folder in folders],
        }
    ]
    if key is not None:
        statements.append(
            {
                "Sid": "EncryptAsTheBucketSays",
                "Effect": "Allow",
                # Decrypt as well: S3 asks for it to put the parts of a large file together.
                "Action": ["kms:GenerateDataKey", "kms:Decrypt"],
                "Resource": [key],
                "Condition": {"StringEquals": {"kms:EncryptionContext:aws:s3:arn": f"arn:aws:s3:::{name}"}},
            }
        )
    return {"Version": "2012-10-17", "Statement": statements}
