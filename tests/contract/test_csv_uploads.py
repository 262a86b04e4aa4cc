"""The contract of `CsvUploads`: files come into the bucket, by the service's hands or by a client's."""

from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from botocore.exceptions import NoCredentialsError

from afluente.adapters.aws.s3_csv_uploads import PRESIGNING, S3CsvUploads
from afluente.adapters.memory.csv import MemoryCsvUploads
from afluente.application.csv.ports import CsvUploads
from afluente.application.csv.uploads import MAX_FILE_BYTES, URL_SECONDS
from afluente.application.errors import UnavailableError
from tests.contract.local_aws import LocalAws, fail

KEY = "inbox/iot/Öl 1/.uploads/0123456789abcdef01234567/März +1.csv"
MIB = 1024**2


@pytest.fixture
def uploads(backend: LocalAws | None) -> CsvUploads:
    if backend is None:
        return MemoryCsvUploads()
    return S3CsvUploads(backend.client("s3", PRESIGNING), backend.bucket())


@pytest.mark.parametrize("size", [1, 64 * MIB, 64 * MIB + 1, MAX_FILE_BYTES])
def test_an_upload_in_parts_has_a_url_for_each(uploads: CsvUploads, size: int) -> None:
    upload = uploads.begin_multipart(KEY, size)

    parts = len(set(upload.part_urls))
    assert (parts - 1) * upload.part_bytes < size <= parts * upload.part_bytes
    assert upload.upload_id
    assert upload.complete_url != upload.abort_url
    assert sum(len(url) for url in upload.part_urls) < 2 * MIB


def test_a_file_that_is_put_is_there(aws: LocalAws) -> None:
    client, bucket = aws.client("s3", PRESIGNING), aws.bucket()

    S3CsvUploads(client, bucket).put(KEY, b"a;b\r\n1;\xff")

    assert client.get_object(Bucket=bucket, Key=KEY)["Body"].read() == b"a;b\r\n1;\xff"


def test_urls_are_signed_as_every_bucket_accepts_them_and_live_an_hour(aws: LocalAws) -> None:
    uploads = S3CsvUploads(aws.client("s3", PRESIGNING), aws.bucket())
    upload = uploads.begin_multipart(KEY, 1)

    for url in (
        uploads.presign_put(KEY, None),
        uploads.presign_put(KEY, 5),
        uploads.presign_rejects(KEY),
        *upload.part_urls,
        upload.complete_url,
        upload.abort_url,
    ):
        query = parse_qs(urlsplit(url).query)
        assert query["X-Amz-Algorithm"] == ["AWS4-HMAC-SHA256"]
        assert query["X-Amz-Expires"] == [str(URL_SECONDS)]
        assert not [name for name in query if "checksum" in name.lower()]


def test_a_size_that_is_known_is_part_of_the_signature(aws: LocalAws) -> None:
    uploads = S3CsvUploads(aws.client("s3", PRESIGNING), aws.bucket())

    signed = {size: parse_qs(urlsplit(uploads.presign_put(KEY, size)).query) for size in (None, 5)}

    assert signed[None]["X-Amz-SignedHeaders"] == ["host"]
    assert signed[5]["X-Amz-SignedHeaders"] == ["content-length;host"]


def test_an_upload_in_parts_announces_no_checksums_that_clients_would_have_to_send(aws: LocalAws) -> None:
    client = aws.client("s3", PRESIGNING)
    headers: list[Any] = []
    client.meta.events.register("before-send.s3.CreateMultipartUpload", lambda request, **_: headers.append(request))

    S3CsvUploads(client, aws.bucket()).begin_multipart(KEY, 1)

    assert not [name for request in headers for name in request.headers if "checksum" in name.lower()]


@pytest.mark.parametrize("size", [None, 4])
@pytest.mark.integration
def test_a_client_puts_a_file_by_its_url(ministack: LocalAws, size: int | None) -> None:
    client, bucket = ministack.client("s3", PRESIGNING), ministack.bucket()
    uploads = S3CsvUploads(client, bucket)

    answer = httpx.put(uploads.presign_put(KEY, size), content=b"1;\xff\n", trust_env=False)

    assert answer.status_code == 200, answer.text
    assert client.get_object(Bucket=bucket, Key=KEY)["Body"].read() == b"1;\xff\n"


@pytest.mark.integration
def test_a_client_uploads_a_file_in_parts_by_their_urls(ministack: LocalAws) -> None:
    client, bucket = ministack.client("s3", PRESIGNING), ministack.bucket()
    upload = S3CsvUploads(client, bucket).begin_multipart(KEY, 64 * MIB + 3)
    parts = [b"x" * upload.part_bytes, b"end"]

    tags = [
        httpx.put(url, content=part, trust_env=False, timeout=60).headers["etag"]
        for url, part in zip(upload.part_urls, parts, strict=True)
    ]
    listed = "".join(
        f"<Part><PartNumber>{number}</PartNumber><ETag>{tag}</ETag></Part>" for number, tag in enumerate(tags, start=1)
    )
    answer = httpx.post(
        upload.complete_url,
        content=f"<CompleteMultipartUpload>{listed}</CompleteMultipartUpload>",
        trust_env=False,
        timeout=60,
    )

    assert answer.status_code == 200, answer.text
    found = client.head_object(Bucket=bucket, Key=KEY)
    assert found["ContentLength"] == 64 * MIB + 3


@pytest.mark.integration
def test_an_upload_in_parts_goes_on_by_new_urls(ministack: LocalAws) -> None:
    client, bucket = ministack.client("s3", PRESIGNING), ministack.bucket()
    uploads = S3CsvUploads(client, bucket)
    begun = uploads.begin_multipart(KEY, 5)
    tag = httpx.put(begun.part_urls[0], content=b"1;2\n3", trust_env=False).headers["etag"]

    renewed = uploads.go_on_with(KEY, 5, begun.upload_id)
    listed = f"<Part><PartNumber>1</PartNumber><ETag>{tag}</ETag></Part>"
    answer = httpx.post(
        renewed.complete_url,
        content=f"<CompleteMultipartUpload>{listed}</CompleteMultipartUpload>",
        trust_env=False,
    )

    assert answer.status_code == 200, answer.text
    assert client.get_object(Bucket=bucket, Key=KEY)["Body"].read() == b"1;2\n3"


@pytest.mark.integration
def test_a_client_ends_an_upload_in_parts(ministack: LocalAws) -> None:
    client, bucket = ministack.client("s3", PRESIGNING), ministack.bucket()
    upload = S3CsvUploads(client, bucket).begin_multipart(KEY, 5)

    assert httpx.delete(upload.abort_url, trust_env=False).status_code == 204

    assert client.list_multipart_uploads(Bucket=bucket).get("Uploads", []) == []


@pytest.mark.integration
def test_rejected_rows_are_fetched_as_a_file(ministack: LocalAws) -> None:
    client, bucket = ministack.client("s3", PRESIGNING), ministack.bucket()
    client.put_object(Bucket=bucket, Key="rejects/x.csv", Body=b"a,b\n")

    answer = httpx.get(S3CsvUploads(client, bucket).presign_rejects("rejects/x.csv"), trust_env=False)

    assert (answer.status_code, answer.content) == (200, b"a,b\n")


@pytest.mark.parametrize(
    ("operation", "use"),
    [
        ("PutObject", lambda uploads: uploads.put(KEY, b"x")),
        ("CreateMultipartUpload", lambda uploads: uploads.begin_multipart(KEY, 1)),
    ],
)
def test_a_bucket_that_does_not_answer_is_unavailable(
    aws: LocalAws, operation: str, use: Callable[[CsvUploads], Any]
) -> None:
    client = aws.client("s3", PRESIGNING)
    uploads = S3CsvUploads(client, aws.bucket())
    fail(client, operation)

    with pytest.raises(UnavailableError, match="S3"):
        use(uploads)


def test_without_credentials_no_url_can_be_signed() -> None:
    uploads = S3CsvUploads(WithoutCredentials(), "bucket")  # type: ignore[arg-type]

    with pytest.raises(UnavailableError, match="S3: NoCredentialsError"):
        uploads.presign_rejects("rejects/x.csv")


class WithoutCredentials:
    def generate_presigned_url(self, operation: str, **parameters: Any) -> str:
        raise NoCredentialsError
