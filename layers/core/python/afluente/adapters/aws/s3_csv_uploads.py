"""Uploads of CSV files into their bucket."""

from typing import TYPE_CHECKING, Any, Literal

from botocore.config import Config

from afluente.adapters.aws.calls import CLIENT_CONFIG, unavailable
from afluente.application.csv.uploads import URL_SECONDS, MultipartUpload, part_bytes_of

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

    Operation = Literal[
        "put_object", "get_object", "upload_part", "complete_multipart_upload", "abort_multipart_upload"
    ]

PRESIGNING = CLIENT_CONFIG.merge(
    # By default botocore signs URLs by version 2, which S3 refuses for new buckets, and announces a checksum that a
    # client's upload does not have.
    Config(signature_version="s3v4", request_checksum_calculation="when_required")
)
"""Configuration of the client."""


class S3CsvUploads:
    """Uploads to a bucket, by the service or by presigned URLs.

    Args:
        client: of S3, made with `PRESIGNING`.
        bucket: the bucket.
    """

    def __init__(self, client: "S3Client", bucket: str) -> None:
        self._client = client
        self._bucket = bucket

    def put(self, key: str, body: bytes) -> None:
        with unavailable("S3"):
            self._client.put_object(Bucket=self._bucket, Key=key, Body=body)

    def presign_put(self, key: str, size: int | None) -> str:
        length = {} if size is None else {"ContentLength": size}
        return self._signed("put_object", "PUT", Key=key, **length)

    def begin_multipart(self, key: str, size: int) -> MultipartUpload:
        with unavailable("S3"):
            upload_id = self._client.create_multipart_upload(Bucket=self._bucket, Key=key)["UploadId"]
        return self.go_on_with(key, size, upload_id)

    def go_on_with(self, key: str, size: int, upload_id: str) -> MultipartUpload:
        part_bytes = part_bytes_of(size)
        upload = {"Key": key, "UploadId": upload_id}
        return MultipartUpload(
            upload_id=upload_id,
            part_bytes=part_bytes,
            part_urls=tuple(
                self._signed("upload_part", "PUT", PartNumber=number, **upload)
                for number in range(1, -(-size // part_bytes) + 1)
            ),
            complete_url=self._signed("complete_multipart_upload", "POST", **upload),
            abort_url=self._signed("abort_multipart_upload", "DELETE", **upload),
        )

    def presign_rejects(self, key: str) -> str:
        return self._signed("get_object", "GET", Key=key, ResponseContentDisposition="attachment")

    def _signed(self, operation: "Operation", method: str, **parameters: Any) -> str:
        with unavailable("S3"):
            return self._client.generate_presigned_url(
                operation, Params={"Bucket": self._bucket, **parameters}, ExpiresIn=URL_SECONDS, HttpMethod=method
            )
