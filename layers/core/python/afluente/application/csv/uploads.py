"""Uploads of CSV files: limits, and uploads in parts by presigned URLs."""

import msgspec

MAX_PUT_BYTES = 5 * 1024**3
"""S3, "Maximum object size for a single PUT"; a larger file is uploaded in parts."""

MAX_FILE_BYTES = 5 * 1024**4
"""Size of a job's file; S3, "Maximum object size", is no smaller."""

URL_SECONDS = 3_600
"""Seconds that a presigned URL is valid."""

MAX_PARTS = 1_000
"""Parts of an upload, so that all their URLs fit an answer of Lambda (6 MB); S3 allows 10,000."""

_MIB = 1024**2
_MIN_PART_BYTES = 64 * _MIB


class MultipartUpload(msgspec.Struct, frozen=True):
    """An upload in parts that has begun.

    Attributes:
        upload_id: S3's id of it.
        part_bytes: the size of every part but the last.
        part_urls: to PUT the parts to, in their order.
        complete_url: to POST the list of the parts to.
        abort_url: to DELETE the uploaded parts.
    """

    upload_id: str
    part_bytes: int
    part_urls: tuple[str, ...]
    complete_url: str
    abort_url: str


def part_bytes_of(size: int) -> int:
    """Size of each part of an upload but the last: whole MiB, at least 64, so that there are at most `MAX_PARTS`.

    Args:
        size: of the file, in bytes.
    """
    needed = -(-size // MAX_PARTS)
    return max(_MIN_PART_BYTES, -(-needed // _MIB) * _MIB)
