"""Files and standard input that are sent."""

import hashlib
import io
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from afluente.application.csv.files import FILE_SUFFIXES
from cli.core.errors import CommandError, ExitCode

STDIN = "-"
_SUFFIXES = {".tsv": "csv", ".ndjson": "ndjson", ".jsonl": "ndjson", ".json": "ndjson"}
_PEEKED_BYTES = 4096


class Format(StrEnum):
    """Format of a file of points."""

    CSV = "csv"
    NDJSON = "ndjson"


@dataclass(slots=True)
class Input:
    """An open input.

    Attributes:
        name: for people.
        path: the file; None for standard input.
        size: in bytes; None where it is not known.
        file: its content, packed or not.
    """

    name: str
    path: Path | None
    size: int | None
    file: "io.BufferedReader[Any]"

    def format(self) -> Format:
        """The format by its name, or else by its beginning: NDJSON begins with a JSON object."""
        if self.name.lower().endswith(FILE_SUFFIXES):
            return Format.CSV
        named = _SUFFIXES.get(self.path.suffix.lower()) if self.path else None
        if named:
            return Format(named)
        beginning = self.file.peek(_PEEKED_BYTES).removeprefix(b"\xef\xbb\xbf").lstrip()
        return Format.NDJSON if beginning.startswith(b"{") else Format.CSV

    def bytes_read(self) -> int:
        """The bytes read so far; 0 for standard input."""
        return self.file.tell() if self.size is not None and not self.file.closed else 0

    def lines(self) -> Iterator[str]:
        """The lines of a plain file with their ends, as text.

        Raises:
            CommandError: it is not UTF-8.
        """
        # A byte order mark at the beginning is no part of the first column's name.
        with io.TextIOWrapper(self.file, encoding="utf-8-sig", newline="") as text:
            try:
                yield from text
            except UnicodeDecodeError as error:
                raise CommandError(
                    f"{self.name} is not UTF-8: {error.reason} (byte {error.object[error.start]:#04x})",
                    hint="convert it first, for example with 'iconv -f latin1 -t utf-8'",
                    code=ExitCode.USAGE,
                ) from None


@contextmanager
def open_input(name: str) -> Iterator[Input]:
    """A file, or standard input for `-`, open for the block.

    Raises:
        CommandError: there is no such file.
    """
    if name == STDIN:
        with io.BufferedReader(io.FileIO(sys.stdin.fileno(), closefd=False)) as stdin:
            yield Input("standard input", None, None, stdin)
        return
    path = Path(name)
    if not path.is_file():
        raise CommandError(f"there is no file {path}", code=ExitCode.USAGE)
    with path.open("rb") as file:
        yield Input(path.name, path, path.stat().st_size, file)


def content_hash(path: Path) -> str:
    """SHA-256 of the content of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
