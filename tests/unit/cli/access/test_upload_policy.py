"""The policy of a customer who uploads files to the bucket."""

from fnmatch import fnmatchcase

import pytest

from cli.access.upload_policy import UploadBucket, upload_policy
from tests.factories import a_tenant

KEY = "arn:aws:kms:eu-west-1:123456789012:key/1"


@pytest.mark.parametrize(
    ("object_key", "may"),
    [
        ("inbox/iot/acme-1/march.csv", True),
        ("inbox/iot/acme-1/2026/march.csv", True),
        ("inbox/iot/zeta-1/march.csv", False),
        ("inbox/iot/acme/march.csv", False),
        ("inbox/health/acme-1/march.csv", False),
        ("inbox/iot/march.csv", False),
        ("rejects/iot/acme-1/march.csv", False),
        ("inbox/iot/acme-1", False),
    ],
)
def test_files_may_be_put_into_folders_within_the_boundary_alone(object_key: str, may: bool) -> None:
    [statement] = upload_policy(a_tenant("acme"), UploadBucket("bucket"))["Statement"]

    # As IAM reads a star: slashes too.
    found = any(fnmatchcase(f"arn:aws:s3:::bucket/{object_key}", resource) for resource in statement["Resource"])
    assert found is may
    assert set(statement["Action"]) == {"s3:PutObject", "s3:AbortMultipartUpload"}


def test_each_domain_and_beginning_is_there() -> None:
    tenant = a_tenant(domains=("iot", "health"), sources=("a-*", "b"))

    [statement] = upload_policy(tenant, UploadBucket("bucket"))["Statement"]

    assert [resource.partition("inbox/")[2] for resource in statement["Resource"]] == [
        "iot/a-*/*",
        "iot/b/*",
        "health/a-*/*",
        "health/b/*",
    ]


def test_a_bucket_with_a_key_of_its_own_lets_the_key_be_used_for_it_alone() -> None:
    _, statement = upload_policy(a_tenant(), UploadBucket("bucket", KEY))["Statement"]

    assert (statement["Action"], statement["Resource"]) == (["kms:GenerateDataKey", "kms:Decrypt"], [KEY])
    assert statement["Condition"] == {"StringEquals": {"kms:EncryptionContext:aws:s3:arn": "arn:aws:s3:::bucket"}}


def test_arns_are_of_the_partition_that_the_bucket_is_in() -> None:
    statements = upload_policy(a_tenant(), UploadBucket("bucket", KEY, "aws-us-gov"))["Statement"]

    assert statements[0]["Resource"][0].startswith("arn:aws-us-gov:s3:::bucket/inbox/")
    assert statements[1]["Condition"]["StringEquals"].popitem()[1] == "arn:aws-us-gov:s3:::bucket"
