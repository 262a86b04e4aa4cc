"""Bytes as text, lines and rows."""

import codecs
import csv
import re
from collections.abc import Iterator, Sequence

import msgspec

from afluente.application.csv.faults import JobFault, NotReadableError

MAX_QUOTED_BYTES = 64 * 1024
"""Longest quoted cell; a longer one is taken for one that was never closed."""

_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    # Before UTF-16, with whose mark that of UTF-32 begins.
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_WITH_BOM = {"utf-8-sig": "utf-8", "utf-16": "utf-16-le", "utf-32": "utf-32-le"}
# Other files that people save as CSV.
_MAGIC = (
    (b"PK\x03\x04", "a zip archive or an Excel workbook: save its sheet as CSV"),
    (b"\xd0\xcf\x11\xe0", "an old Excel workbook: save its sheet as CSV"),
    (b"PAR1", "a Parquet file: write its table as CSV"),
    (b"%PDF", "a PDF"),
    (b"SQLite format 3", "an SQLite database: export its table as CSV"),
    (b"\x1f\x8b", "packed with gzip twice: name it .csv.gz, packed once"),
)
_MULTIBYTE = re.compile(rb"[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}")
_C1 = re.compile(rb"[\x80-\x9f]")


class Encoding(msgspec.Struct, frozen=True):
    """An encoding of text.

    Attributes:
        name: Python's name of it, without a mark at the beginning.
        mark: bytes of the mark at the beginning (BOM).
    """

    name: str
    mark: int = 0

    @property
    def is_wide(self) -> bool:
        """True if an ASCII character takes more than a byte, so that lines cannot be found in the bytes."""
        return self.name.startswith(("utf-16", "utf-32"))

    def decode(self, data: bytes) -> str:
        """Decode bytes; those that are no text are escaped, so that their length and their rows are known."""
        return data.decode(self.name, "replace" if self.is_wide else "surrogateescape")

    def length_of(self, text: str) -> int:
        """The number of bytes of decoded text."""
        return len(text.encode(self.name, "surrogatepass" if self.is_wide else "surrogateescape"))


class Row(msgspec.Struct, frozen=True):
    """A row of a table.

    Attributes:
        first: the place of its first line among the lines.
        lines: their number.
        cells: its cells; None where its quotes do not match.
    """

    first: int
    lines: int
    cells: list[str] | None


def encoding_of(sample: bytes, *, is_whole: bool, given: str | None) -> Encoding:
    """The encoding of the text that begins with `sample`.

    Raises:
        NotReadableError: it is no text, or not in the given encoding.
    """
    for magic, what in _MAGIC:
        if sample.startswith(magic):
            raise NotReadableError(JobFault.NOT_CSV, f"the file is {what}")
    for mark, name in _BOMS:
        if sample.startswith(mark):
            return Encoding(name, len(mark))
    if given is not None:
        name = codecs.lookup(given).name
        return Encoding(_WITH_BOM.get(name, name))
    if b"\0" in sample:
        return _wide(sample)
    try:
        codecs.getincrementaldecoder("utf-8")().decode(sample, final=is_whole)
    except UnicodeDecodeError:
        if _MULTIBYTE.search(sample):
            return Encoding("utf-8")
        return Encoding("cp1252" if _C1.search(sample) else "latin-1")
    return Encoding("utf-8")


def lines_of(text: str) -> list[str]:
    """The lines of a text, with their ends (LF)."""
    lines = text.split("\n")
    return [f"{line}\n" for line in lines[:-1]] + ([lines[-1]] if lines[-1] else [])


def rows_of(lines: Sequence[str], delimiter: str) -> Iterator[Row]:
    """Rows of lines (with their ends), each as far as its quotes reach; where they do not match, one line is a row."""
    at = 0
    while at < len(lines):
        feed = _Feed(lines, at)
        reader = csv.reader(feed, delimiter=delimiter, strict=True)
        try:
            for cells in reader:
                yield Row(at, feed.at - at, cells)
                at = feed.at
                feed.begin_row()
        except csv.Error:
            yield Row(at, 1, None)
            at += 1


class _Feed:
    """Lines for a reader: for each row at most as many as a quoted cell may have."""

    def __init__(self, lines: Sequence[str], at: int) -> None:
        self._lines = lines
        self.at = at
        self._left = MAX_QUOTED_BYTES

    def begin_row(self) -> None:
        self._left = MAX_QUOTED_BYTES

    def __iter__(self) -> "_Feed":
        return self

    def __next__(self) -> str:
        if self.at == len(self._lines) or self._left <= 0:
            raise StopIteration
        line = self._lines[self.at]
        self.at += 1
        self._left -= len(line)
        return line


def _wide(sample: bytes) -> Encoding:
    """UTF-16 without a mark: of ASCII text every other byte is zero."""
    even, odd = sample[0::2].count(0), sample[1::2].count(0)
    if odd > len(sample) * 0.3 and even < odd / 10:
        return Encoding("utf-16-le")
    if even > len(sample) * 0.3 and odd < even / 10:
        return Encoding("utf-16-be")
    raise NotReadableError(JobFault.NOT_CSV, "the file holds zero bytes: it is no text")
