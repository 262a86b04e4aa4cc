"""Bombs and the cost of reading one: `python -m tests.bombs NAME` prints the measurements as JSON.

A process of its own reads one bomb once all is imported and the bomb is at hand, so that its peak grows by what reading
takes alone.
"""

import base64
import gzip
import io
import re
import sys
import zlib
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Protocol

import msgspec
from backports import zstd

from afluente.adapters.codecs.csv.chunks import ChunkReader
from afluente.adapters.codecs.csv.inference import inspect, sample_of
from afluente.adapters.codecs.csv.options import CSVIngestConfig
from afluente.adapters.codecs.csv.unpacking import open_unpacked
from afluente.adapters.codecs.packs import UndecodablePackError, decode_pack
from afluente.adapters.http.errors import RequestError
from afluente.adapters.http.requests import read_body
from afluente.application.csv.faults import NotReadableError

MIB = 1024 * 1024

UNPACKED_BYTES = 256 * MIB
"""The unpacked size of each bomb."""

STATUS = Path("/proc/self/status")
"""Linux's record of the peak of a process. That of `getrusage` begins with its parent's, which may be larger."""

_NOW = 1_700_000_000.0
_ROWS = b"time,v\n2023-11-14T22:00:00Z,1\n2023-11-14T22:00:01Z,"


class Cost(msgspec.Struct, frozen=True):
    """The cost of reading a bomb.

    Attributes:
        packed: bytes of the bomb.
        grown: by how many bytes the peak of the process grew.
        outcome: the reader's verdict.
    """

    packed: int
    grown: int
    outcome: str


class _Compressor(Protocol):
    def compress(self, data: bytes, /) -> bytes: ...

    def flush(self) -> bytes: ...


def cost_of(name: str) -> Cost:
    """Read a bomb in this process."""
    make, read = _BOMBS[name]
    bomb = make()
    before = _peak()
    outcome = read(bomb)
    return Cost(len(bomb), _peak() - before, outcome)


def _peak() -> int:
    found = re.search(r"VmHWM:\s+(\d+) kB", STATUS.read_text(encoding="ascii"))
    return int(found[1]) * 1024 if found else 0


# --- bombs -----------------------------------------------------------------------------------------------------------


def _packed(compressor: _Compressor, beginning: bytes, filling: bytes) -> bytes:
    block = filling * MIB
    pieces = [compressor.compress(beginning), *(compressor.compress(block) for _ in range(UNPACKED_BYTES // MIB))]
    return b"".join((*pieces, compressor.flush()))


def _gz(beginning: bytes = b"", filling: bytes = b"\0") -> bytes:
    return _packed(zlib.compressobj(9, zlib.DEFLATED, zlib.MAX_WBITS | 16), beginning, filling)


def _zst(beginning: bytes = b"", filling: bytes = b"\0") -> bytes:
    return _packed(zstd.ZstdCompressor(), beginning, filling)


def _body() -> bytes:
    return base64.b64encode(_gz())


def _pack() -> bytes:
    return base64.b64encode(_packed(zlib.compressobj(9), b"", b"\0"))


# --- their readers ---------------------------------------------------------------------------------------------------


def _read_body(bomb: bytes) -> str:
    try:
        read_body(bomb.decode(), is_base64=True, headers={"content-encoding": "gzip"})
    except RequestError as error:
        return error.code
    return "taken"


def _read_pack(bomb: bytes) -> str:
    try:
        decode_pack(bomb.decode())
    except UndecodablePackError as error:
        return str(error)
    return "taken"


def _look(name: str, bomb: bytes) -> str:
    """The first look at a file."""
    sample, is_whole = sample_of(open_unpacked(io.BytesIO(bomb), name))
    try:
        inspect(sample, is_whole=is_whole, given=CSVIngestConfig(source_id="f"), file=name)
    except NotReadableError as error:
        return error.reason.code
    return "taken"


def _read_rows(name: str, bomb: bytes) -> str:
    """A file to its end; the codes of rows that are rejected."""
    sample, is_whole = sample_of(open_unpacked(io.BytesIO(bomb), name))
    layout = inspect(sample, is_whole=is_whole, given=CSVIngestConfig(source_id="f"), file=name).layout
    file = open_unpacked(io.BytesIO(bomb), name)
    file.read(layout.begins.offset)
    reader = ChunkReader(layout, "f", part=0, parts=1, clock=lambda: _NOW, now=_NOW)
    chunks = reader.chunks(file, layout.begins, lambda: 0)
    return ",".join(fault.code for chunk in chunks for row in chunk.rejected for fault in row.faults)


def _read_all(bomb: bytes) -> str:
    """Unpack without a bound, which no reader does."""
    return str(len(gzip.decompress(bomb)))


_BOMBS: dict[str, tuple[Callable[[], bytes], Callable[[bytes], str]]] = {
    "body": (_body, _read_body),
    "pack": (_pack, _read_pack),
    "look_gz": (_gz, partial(_look, "a.csv.gz")),
    "look_zst": (_zst, partial(_look, "a.csv.zst")),
    "row_gz": (partial(_gz, _ROWS, b"9"), partial(_read_rows, "a.csv.gz")),
    "row_zst": (partial(_zst, _ROWS, b"9"), partial(_read_rows, "a.csv.zst")),
    "unbounded": (_gz, _read_all),
}


if __name__ == "__main__":
    sys.stdout.write(msgspec.json.encode(cost_of(sys.argv[1])).decode())
