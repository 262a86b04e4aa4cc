"""Records of the Kinesis streams: points as lines of JSON, gzipped or plain."""

import gzip
import zlib
from collections.abc import Iterator, Sequence
from enum import StrEnum

import msgspec

from afluente.domain.classification import ClassifiedDataPoint

MAX_RECORD_BYTES = 262_144
"""Size of a record, unless a single point is larger: a quarter of what a shard takes a second. A larger record would
wait until its shard is nearly idle."""

MAX_UNPACKED_BYTES = 4_194_304
"""Size of the lines of a gzipped record."""

_GZIP_MAGIC = b"\x1f\x8b"
_GZIP_LEVEL = 6

_encoder = msgspec.json.Encoder()


class RecordFormat(StrEnum):
    """Forms of a record."""

    GZIP = "gzip"
    """As many points as fit, gzipped."""

    PLAIN = "plain"
    """As many points as fit, for consumers that cannot unpack: Firehose's conversion, event filters of Lambda."""

    POINT = "point"
    """One point, for consumers that cannot split a record; expensive, as each is billed as at least 1 KiB."""


class UnreadableRecordError(Exception):
    """The bytes are no record: they are cut off, damaged, or unpack to more than a record may hold."""


def encode_records(points: Sequence[ClassifiedDataPoint], record_format: RecordFormat) -> Iterator[bytes]:
    """Encode points as records, in their order."""
    lines = [_encoder.encode(point) for point in points]
    if record_format is RecordFormat.POINT:
        yield from (line + b"\n" for line in lines)
    elif record_format is RecordFormat.PLAIN:
        yield from (_joined(part) for part in _parts(lines, MAX_RECORD_BYTES))
    else:
        for part in _parts(lines, MAX_UNPACKED_BYTES):
            yield from _gzipped(part)


def lines_of(record: bytes) -> list[bytes]:
    """The lines of a record of any format.

    Raises:
        UnreadableRecordError: it is gzipped, and cannot be unpacked.
    """
    return (_unpacked(record) if record.startswith(_GZIP_MAGIC) else record).splitlines()


def _unpacked(record: bytes) -> bytes:
    reader = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
    try:
        unpacked = reader.decompress(record, 2 * MAX_UNPACKED_BYTES)
    except zlib.error as error:
        raise UnreadableRecordError(str(error)) from error
    if not reader.eof:
        raise UnreadableRecordError(f"it is cut off, or has more than {2 * MAX_UNPACKED_BYTES:,} bytes")
    return unpacked


def _gzipped(lines: Sequence[bytes]) -> Iterator[bytes]:
    """As few records as hold the lines: halves, and halves of halves, until each is within the size."""
    # Without the time of day: the same points are the same bytes.
    packed = gzip.compress(_joined(lines), _GZIP_LEVEL, mtime=0)
    if len(packed) <= MAX_RECORD_BYTES or len(lines) == 1:
        yield packed
        return
    middle = len(lines) // 2
    yield from _gzipped(lines[:middle])
    yield from _gzipped(lines[middle:])


def _parts(lines: Sequence[bytes], max_bytes: int) -> Iterator[Sequence[bytes]]:
    """Lines in order, in parts up to a size; at least one line each."""
    start, size = 0, 0
    for place, line in enumerate(lines):
        if place > start and size + len(line) + 1 > max_bytes:
            yield lines[start:place]
            start, size = place, 0
        size += len(line) + 1
    if lines:
        yield lines[start:]


def _joined(lines: Sequence[bytes]) -> bytes:
    return b"\n".join(lines) + b"\n"
