"""Streams of a bucket in binary: deflated where that saves a write unit, and as they are where it does not.

The list of streams of earlier releases begins with a byte of 0x90 to 0x9f or 0xdc; the first byte of a deflated one is
its version, which an earlier release refuses.
"""

import zlib
from collections.abc import Iterable

import msgspec

_DEFLATED = b"\x02"
# A DynamoDB write unit is 1 KiB of an item; the rest of a bucket's item takes some 100 bytes.
_FREE = 900
# Eight streams of the longest ids, with the largest states, have a tenth of it.
_MAX_SIZE = 1 << 17
_WINDOW_BITS = -12
_MEMORY_LEVEL = 5


class StoredStream(msgspec.Struct, array_like=True, frozen=True):
    """A stream of a bucket, its state still encoded: most are neither requested nor changed.

    Attributes:
        stream_id: its id.
        last_pack: the sequence number of the last pack in the state; MessagePack has no integers of this size.
        state: the encoded state.
    """

    stream_id: str
    last_pack: bytes
    state: bytes


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(list[StoredStream])


def encode_streams(streams: Iterable[StoredStream], *, compact: bool) -> bytes:
    """Encode the streams of a bucket; `decode_streams` inverts it.

    Args:
        streams: of one bucket.
        compact: False for a form that earlier releases read.
    """
    encoded = _encoder.encode(list(streams))
    if not compact or len(encoded) <= _FREE:
        return encoded
    # The fastest level is within 3 % of the best.
    deflate = zlib.compressobj(1, zlib.DEFLATED, _WINDOW_BITS, _MEMORY_LEVEL)
    return _DEFLATED + deflate.compress(encoded) + deflate.flush()


def decode_streams(encoded: bytes) -> list[StoredStream]:
    """Decode the streams of a bucket.

    Raises:
        msgspec.DecodeError: the bytes are no streams.
    """
    if encoded[:1] != _DEFLATED:
        return _decoder.decode(encoded)
    inflate = zlib.decompressobj(_WINDOW_BITS)
    try:
        inflated = inflate.decompress(encoded[1:], _MAX_SIZE)
    except zlib.error as error:
        raise msgspec.DecodeError(f"deflated streams: {error}") from error
    if not inflate.eof or inflate.unused_data:
        raise msgspec.DecodeError("deflated streams: they do not end where they should")
    return _decoder.decode(inflated)
