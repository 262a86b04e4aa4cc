"""Packs on the queue: compressed MessagePack in base64.

Base64, since SQS refuses characters that XML does not have; compressed, since SQS bills each 64 KiB.
"""

import base64
import zlib
from collections.abc import Iterable, Iterator, Sequence
from hashlib import sha256
from itertools import groupby, repeat

import msgspec

from afluente.application.ingest.packs import Series
from afluente.domain.datapoints import DataPoint
from afluente.domain.faults import FaultyError

VERSION = 1

MAX_UNPACKED_BYTES = 16 * 1024 * 1024
"""Limit of a pack; those that are sent have less than a megabyte. A message could become a gigabyte without it."""

_COMPRESSION_LEVEL = 1
# A double in MessagePack.
_ARRIVAL_BYTES = 9
_SLOT_LENGTH = 32


class UndecodablePackError(Exception):
    """The text is no pack, or one of an unknown version."""


class EncodedPack(msgspec.Struct, frozen=True):
    """A pack as a message.

    Attributes:
        body: the message body, ASCII.
        deduplication_id: the same for the same points, whenever they arrived.
        uncompressed_bytes: upper bound of the bytes before compression and base64; the same for the same points, so
            that they are always split into the same messages.
        points: number of its points.
    """

    body: str
    deduplication_id: str
    uncompressed_bytes: int
    points: int


class DecodedPack(msgspec.Struct, frozen=True):
    """A pack out of a message.

    Attributes:
        points: of the pack, each with its `ingested_at`.
        transport: over which its points came; None of a pack that names none, as those before this field.
        slot: the slot of its message group that a pack of bulk holds; None of any other pack.
    """

    points: tuple[DataPoint, ...]
    transport: str | None = None
    slot: str | None = None


class _WirePoint(msgspec.Struct, array_like=True):
    stream_id: str
    value: float
    timestamp: float
    sequence: int | None
    stream_type: str | None
    # As JSON: MessagePack has no integers beyond 64 bits.
    metadata: bytes | None


WireRow = tuple[str, float, float, None, str | None, None]
"""A point as a tuple in the order of the fields of `_WirePoint`: the same in MessagePack."""


class _WireSource(msgspec.Struct, array_like=True):
    domain: str
    source_id: str
    points: list[_WirePoint]


class _WirePack(msgspec.Struct, array_like=True):
    version: int
    # One for all points, or one a point: points of one request share it, points of a batch of messages do not.
    arrivals: list[float]
    sources: msgspec.Raw
    transport: str | None = None
    slot: str | None = None


_pack_encoder = msgspec.msgpack.Encoder()
_pack_decoder = msgspec.msgpack.Decoder(_WirePack)
_sources_decoder = msgspec.msgpack.Decoder(list[_WireSource])
_json_encoder = msgspec.json.Encoder()
_json_decoder = msgspec.json.Decoder(dict)


def encode_pack(points: Sequence[DataPoint], transport: str | None = None) -> EncodedPack:
    """Encode points that have their `ingested_at`."""
    arrivals = [point.ingested_at or 0.0 for point in points]
    if len(set(arrivals)) == 1:
        arrivals = arrivals[:1]
    return _encoded(_pack_encoder.encode(list(_wire_sources(points))), arrivals, len(points), transport)


def rows_of(series: Sequence[Series]) -> list[WireRow]:
    """The points of series as rows of a pack."""
    rows: list[WireRow] = []
    for one in series:
        rows += zip(
            repeat(one.stream_id), one.values, one.timestamps, repeat(None), repeat(one.stream_type), repeat(None)
        )
    return rows


def encode_rows(
    domain: str,
    source_id: str,
    rows: Sequence[WireRow],
    ingested_at: float,
    transport: str | None = None,
    *,
    holds_slot: bool = False,
) -> EncodedPack:
    """Encode points of one source, as `rows_of` gives them: the same message as by `encode_pack`.

    Args:
        domain: of the source.
        source_id: the source.
        rows: its points.
        ingested_at: when they arrived, in Unix seconds.
        transport: over which they came.
        holds_slot: adds the slot of the message.
    """
    sources = _pack_encoder.encode([(domain, source_id, rows)])
    return _encoded(sources, [ingested_at], len(rows), transport, holds_slot=holds_slot)


def slot_of(deduplication_id: str) -> str:
    """The slot of a message: the same for the same points, so that a sender who repeats them finds its slot again."""
    return deduplication_id[:_SLOT_LENGTH]


def decode_pack(body: str) -> DecodedPack:
    """Decode the body of a message.

    Raises:
        UndecodablePackError: it is not a pack of this version.
    """
    try:
        pack = _pack_decoder.decode(_unpacked(base64.b64decode(body, validate=True)))
        if pack.version != VERSION:
            raise UndecodablePackError(f"version {pack.version} is not {VERSION}")
        sources = _sources_decoder.decode(pack.sources)
        rows = [(source, point) for source in sources for point in source.points]
        arrivals = pack.arrivals * len(rows) if len(pack.arrivals) == 1 else pack.arrivals
        points = tuple(_point(*row, arrival) for row, arrival in zip(rows, arrivals, strict=True))
        return DecodedPack(points, pack.transport, pack.slot)
    except (ValueError, zlib.error, msgspec.DecodeError, FaultyError, RecursionError) as error:
        raise UndecodablePackError(type(error).__name__) from error


def _unpacked(packed: bytes) -> bytes:
    reader = zlib.decompressobj()
    unpacked = reader.decompress(packed, MAX_UNPACKED_BYTES)
    if not reader.eof:
        raise UndecodablePackError(f"it is cut off, or has more than {MAX_UNPACKED_BYTES} bytes")
    return unpacked


def _encoded(
    sources: bytes, arrivals: list[float], points: int, transport: str | None, *, holds_slot: bool = False
) -> EncodedPack:
    identity = sha256(sources).hexdigest()
    slot = slot_of(identity) if holds_slot else None
    packed = _pack_encoder.encode(_WirePack(VERSION, arrivals, msgspec.Raw(sources), transport, slot))
    body = base64.b64encode(zlib.compress(packed, _COMPRESSION_LEVEL)).decode("ascii")
    return EncodedPack(body, identity, len(sources) + _ARRIVAL_BYTES * points, points)


def _wire_sources(points: Iterable[DataPoint]) -> Iterator[_WireSource]:
    for (domain, source_id), its_points in groupby(points, lambda point: (point.domain, point.source_id)):
        rows = [
            _WirePoint(
                point.stream_id,
                point.value,
                point.timestamp,
                point.sequence,
                point.stream_type,
                _json_encoder.encode(point.metadata) if point.metadata else None,
            )
            for point in its_points
        ]
        yield _WireSource(domain, source_id, rows)


def _point(source: _WireSource, point: _WirePoint, ingested_at: float) -> DataPoint:
    return DataPoint(
        domain=source.domain,
        source_id=source.source_id,
        stream_id=point.stream_id,
        value=point.value,
        timestamp=point.timestamp,
        stream_type=point.stream_type,
        sequence=point.sequence,
        metadata=_json_decoder.decode(point.metadata) if point.metadata else {},
        ingested_at=ingested_at,
    )
