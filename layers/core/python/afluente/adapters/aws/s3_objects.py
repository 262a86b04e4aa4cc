"""Objects of a bucket as files: one version, in ranges that are read ahead."""

import io
from concurrent.futures import Executor, Future
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from afluente.adapters.aws.calls import unavailable
from afluente.application.csv.faults import JobFault, NotReadableError
from afluente.application.csv.files import FileVersion

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

RANGE_BYTES = 8 * 1024 * 1024
"""Bytes of one request; two ranges are in memory."""

_DELETED = frozenset({"NoSuchKey", "NoSuchVersion", "404"})


class ObjectStream(io.RawIOBase):
    """Reads one version of an object.

    Args:
        client: of S3.
        bucket: the bucket.
        file: the version.
        offset: of the first byte.
        executor: reads the next range meanwhile.
        range_bytes: bytes of one request.

    Raises:
        NotReadableError: on reading, the version was deleted.
        UnavailableError: on reading, S3 does not answer.
    """

    def __init__(
        self,
        client: "S3Client",
        bucket: str,
        file: FileVersion,
        *,
        executor: Executor,
        offset: int = 0,
        range_bytes: int = RANGE_BYTES,
    ) -> None:
        super().__init__()
        self._client = client
        self._bucket = bucket
        self._file = file
        self._executor = executor
        self._range_bytes = range_bytes
        self._here = memoryview(b"")
        self._next_offset = offset
        self._ahead: Future[bytes] | None = None
        self.position = offset

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        """Read from the range at hand, as far as it fits."""
        if not self._here:
            self._here = memoryview(self._next_range())
        size = min(len(buffer), len(self._here))
        buffer[:size] = self._here[:size]
        self._here = self._here[size:]
        self.position += size
        return size

    def _next_range(self) -> bytes:
        data = self._ahead.result() if self._ahead else self._fetch(self._next_offset)
        self._next_offset += len(data)
        has_more = bool(data) and self._next_offset < self._file.size
        self._ahead = self._executor.submit(self._fetch, self._next_offset) if has_more else None
        return data

    def _fetch(self, offset: int) -> bytes:
        if offset >= self._file.size:
            return b""
        return fetch(self._client, self._bucket, self._file, offset, self._range_bytes)


def fetch(client: "S3Client", bucket: str, file: FileVersion, offset: int, size: int) -> bytes:
    """Fetch some bytes of a version of an object.

    Raises:
        NotReadableError: the version was deleted.
        UnavailableError: S3 does not answer.
    """
    with unavailable("S3"):
        try:
            answer = client.get_object(
                Bucket=bucket,
                Key=file.key,
                VersionId=file.version_id,
                Range=f"bytes={offset}-{min(offset + size, file.size) - 1}",
            )
            return answer["Body"].read()
        except ClientError as error:
            if error.response["Error"].get("Code") in _DELETED:
                message = "the version of the file that was to be read was deleted; drop the file again"
                raise NotReadableError(JobFault.FILE_GONE, message) from error
            raise
