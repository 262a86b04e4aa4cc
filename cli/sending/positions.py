"""Positions of interrupted runs, from which another run can go on."""

import hashlib
import time
from collections.abc import Sequence
from pathlib import Path

import msgspec

from cli.core.state import read_document, write_document
from cli.sending.inputs import content_hash
from cli.sending.run import Totals


class Position(msgspec.Struct, frozen=True):
    """A position in a file.

    Attributes:
        file: name of the file, for people.
        read: items of its reader that are done.
        inserted: points that the service accepted.
        rejected: points and items that the service or the reader rejected.
        began_at: time of the first run, in Unix seconds.
        saved_at: in Unix seconds.
    """

    file: str
    read: int
    inserted: int
    rejected: int
    began_at: float
    saved_at: float


class PositionFile:
    """The saved position of one file for one destination.

    Args:
        folder: for all positions.
        path: the file; another content is another file.
        choices: everything else that decides what is sent where: destination, domain, source, options.
    """

    def __init__(self, folder: Path, path: Path, choices: Sequence[str]) -> None:
        digest = hashlib.sha256("\0".join([content_hash(path), *choices]).encode())
        self._path = folder / f"{digest.hexdigest()[:32]}.json"
        self._file = path.name

    def load(self) -> Position | None:
        """The position that was saved last; None where the file was never begun, or was finished."""
        return read_document(self._path, Position)

    def save(self, totals: Totals, began_at: float) -> None:
        """Save a position."""
        position = Position(self._file, totals.read, totals.inserted, totals.rejected, began_at, time.time())
        write_document(self._path, position)

    def clear(self) -> None:
        """Delete the position: the file is finished."""
        self._path.unlink(missing_ok=True)
