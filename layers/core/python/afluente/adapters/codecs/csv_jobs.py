"""CSV jobs for stores: the head of a job as JSON, and each of its parts as packed JSON."""

import re
import zlib
from typing import Any

import msgspec

from afluente.application.csv.jobs import CsvJob
from afluente.application.csv.progress import PartProgress

_SURROGATES = re.compile("[\ud800-\udfff]")

_heads = msgspec.json.Decoder(CsvJob)
_parts = msgspec.json.Decoder(PartProgress)


def encode_head(job: CsvJob) -> str:
    """A job without its parts."""
    return _encode(msgspec.structs.replace(job, parts=()))


def decode_head(text: str) -> CsvJob:
    """The job of a head, without parts."""
    return _heads.decode(text)


def encode_part(part: PartProgress) -> bytes:
    """The progress of a part, packed.

    Names of streams and rejected rows are much alike. Packed, those of all parts fit DynamoDB's 400 KB ("Item size"),
    and writing them again and again costs a fraction.
    """
    return zlib.compress(_encode(part).encode(), level=1)


def decode_part(packed: bytes) -> PartProgress:
    """The progress of a packed part."""
    return _parts.decode(zlib.decompress(packed))


def _encode(record: CsvJob | PartProgress) -> str:
    try:
        return msgspec.json.encode(record).decode()
    except UnicodeEncodeError:
        return msgspec.json.encode(_as_text(msgspec.to_builtins(record))).decode()


def _as_text(value: Any) -> Any:
    """A value without lone surrogates, which stand for bytes of a file that are no text."""
    match value:
        case str():
            return _SURROGATES.sub("\ufffd", value)
        case dict():
            return {_as_text(name): _as_text(inner) for name, inner in value.items()}
        case list() | tuple():
            return [_as_text(inner) for inner in value]
    return value
