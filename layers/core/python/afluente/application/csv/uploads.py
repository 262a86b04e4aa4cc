"""CSV files on their way into the bucket: in the hands of the service, or by URLs that let a client put them itself."""

import msgspec

MAX_PUT_BYTES = 5 * 1024**3
"""S3, "Maximum object size for a single PUT"; a larger file is uploaded in parts."""

MAX_FILE_BYTES = 5 * 1024**4
"""Of a file that a job is begun for; S3, "Maximum object size", is no smaller."""

URL_SECONDS = 3_600
"""How long a URL opens something."""

MAX_PARTS = 1_000
"""Of an upload, so that the URLs of all of them fit an answer of Lambda (6 MB); S3 takes 10,000."""

_MIB = 1024**2
_MIN_PART_BYTES = 64 * _MIB


class MultipartUpload(msgspec.Struct, frozen=True):
    """An upload in parts that has begun.

    Attributes:
        upload_id: by which S3 knows it.
        part_bytes: the size of every part but the last.
        part_urls: to PUT the parts to, in their order.
        complete_url: to POST the list of the parts to.
        abort_url: to DELETE what was uploaded.
    """

    upload_id: str
    part_bytes: int
    part_urls: tuple[str, ...]
    complete_url: str
    abort_url: str


def part_bytes_of(size: int) -> int:
    """How large each part of an upload but the last is: whole MiB, at least 64, so that there are at most `MAX_PARTS`.

    Args:
        size: of the file, in bytes.
    """
    needed = -(-size // MAX_PARTS)
    return max(_MIN_PART_BYTES, -(-needed // _MIB) * _MIB)
