"""A stream of bytes in blocks of whole rows."""

import codecs
from collections.abc import Callable, Iterator
from typing import NamedTuple, Protocol

from afluente.adapters.codecs.csv.layout import Layout
from afluente.adapters.codecs.csv.text import Encoding
from afluente.application.csv.faults import JobFailure, NotReadableError, RejectedRow, RowFault, RowFaultCode

BLOCK_BYTES = 2 * 1024 * 1024
"""Bytes of one block. Another size would make other messages, which the queue would not recognise as repeated."""

MAX_LINES = 100_000
"""Lines of one block, all of which may be rejected: very short lines come in smaller blocks."""

MAX_ROW_BYTES = 8 * 1024 * 1024
"""Longest row; a longer one is rejected."""

_READ_BYTES = 256 * 1024
_NEWLINE = b"\n"
_SHOWN_BYTES = 1_000


class ByteSource(Protocol):
    """A file, as far as it is read."""

    def read(self, size: int, /) -> bytes: ...


class Block(NamedTuple):
    """Whole rows of a file.

    Attributes:
        data: the rows; of wide encodings in UTF-8.
        stored: their bytes in the file, unpacked.
        is_row_too_long: whether it is the beginning of a row that is too long.
        damage: why no block follows.
    """

    data: bytes
    stored: int
    is_row_too_long: bool = False
    damage: JobFailure | None = None

    @property
    def lines(self) -> int:
        """The ends of lines in it."""
        return self.data.count(_NEWLINE)

    def text(self, encoding: Encoding) -> str:
        """The rows as text."""
        return self.data.decode("utf-8", "surrogatepass") if encoding.is_wide else encoding.decode(self.data)

    def rejected(self, line: int) -> RejectedRow:
        """The row that is too long, rejected.

        Args:
            line: first line of the block in the file, from 1.
        """
        text = self.data.decode("utf-8", "replace").rstrip()
        fault = RowFault(RowFaultCode.ROW_TOO_LONG, None, f"the row is longer than {MAX_ROW_BYTES} bytes")
        return RejectedRow(line, text, (fault,))


def blocks(file: ByteSource, layout: Layout) -> Iterator[Block]:
    """The bytes of a file in blocks of whole rows."""
    stored_length = _lengths(layout)
    reader: ByteSource = _Narrowed(file, layout.encoding.name) if layout.encoding.is_wide else file
    waiting = b""
    while True:
        damage = None
        try:
            while len(waiting) < BLOCK_BYTES and (more := reader.read(_READ_BYTES)):
                waiting += more
        except NotReadableError as error:
            damage = error.reason
        if damage is not None or len(waiting) < BLOCK_BYTES:
            # Where the file was cut off, its last row may be, too: then it is rejected.
            yield from _last_blocks(waiting, stored_length, damage)
            return
        # Exactly a block's size, so that the same blocks follow from here, however much was read ahead.
        end = _end_of_block(waiting[:BLOCK_BYTES])
        if end:
            yield Block(waiting[:end], stored_length(waiting[:end]))
            waiting = waiting[end:]
            continue
        block, waiting = _long_row(waiting, reader, stored_length)
        yield block


def _last_blocks(waiting: bytes, stored_length: Callable[[bytes], int], damage: JobFailure | None) -> Iterator[Block]:
    while waiting.count(_NEWLINE) > MAX_LINES and (end := _end_of_block(waiting)) < len(waiting):
        yield Block(waiting[:end], stored_length(waiting[:end]))
        waiting = waiting[end:]
    if waiting or damage:
        yield Block(waiting, stored_length(waiting), damage=damage)


def _end_of_block(data: bytes) -> int:
    """The end of a block: after whole rows, at most `MAX_LINES` lines."""
    # Where quotes match nowhere, each row is rejected for it.
    end = end_outside_quotes(data) or data.rfind(_NEWLINE) + 1
    while data.count(_NEWLINE, 0, end) > MAX_LINES and (half := end_outside_quotes(data[: end // 2])):
        end = half
    return end


def end_outside_quotes(data: bytes) -> int:
    """The last end of a line outside quotes; 0 where there is none."""
    last = data.rfind(_NEWLINE) + 1
    if b'"' not in data:
        return last
    end, is_open = last, data.count(b'"', 0, last) % 2 == 1
    while end and is_open:
        before = data.rfind(_NEWLINE, 0, end - 1) + 1
        is_open ^= data.count(b'"', before, end) % 2 == 1
        end = before
    return end


def _long_row(waiting: bytes, reader: ByteSource, stored_length: Callable[[bytes], int]) -> tuple[Block, bytes]:
    """A row longer than a block, read on to its end; of one that is too long, the beginning."""
    while (
        len(waiting) < MAX_ROW_BYTES and _NEWLINE not in waiting[-_READ_BYTES:] and (more := reader.read(_READ_BYTES))
    ):
        waiting += more
    end = waiting.find(_NEWLINE) + 1
    if end:
        return Block(waiting[:end], stored_length(waiting[:end])), waiting[end:]
    shown, stored, rest = waiting[:_SHOWN_BYTES], stored_length(waiting), b""
    while more := reader.read(_READ_BYTES):
        end = more.find(_NEWLINE) + 1
        if end:
            stored += stored_length(more[:end])
            rest = more[end:]
            shown += _NEWLINE
            break
        stored += stored_length(more)
    return Block(shown, stored, is_row_too_long=True), rest


def _lengths(layout: Layout) -> Callable[[bytes], int]:
    """Convert bytes of a block to the length that they have in the file."""
    if not layout.encoding.is_wide:
        return len
    return lambda data: layout.encoding.length_of(data.decode("utf-8", "surrogatepass"))


class _Narrowed:
    """A file in a wide encoding, read as UTF-8."""

    def __init__(self, file: ByteSource, encoding: str) -> None:
        self._file = file
        self._decoder = codecs.getincrementaldecoder(encoding)("replace")

    def read(self, size: int) -> bytes:
        data = self._file.read(size)
        return self._decoder.decode(data, final=not data).encode("utf-8", "surrogatepass")
