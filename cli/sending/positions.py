"""How far an interrupted sending got, so that another run can go on from there."""

import hashlib
import time
from collections.abc import Sequence
from pathlib import Path

import msgspec

from cli.core.state import read_document, write_document
from cli.sending.inputs import content_hash
from cli.sending.run import Totals


class Position(msgspec.Struct, frozen=True):
    """A place in a file.

    Attributes:
        file: name of the file, for people.
        read: how many points and unreadable things of it are dealt with.
        inserted: how many points the service took.
        rejected: how many it or the reader did not.
        saved_at: Unix seconds.
    """

    file: str
    read: int
    inserted: int
    rejected: int
    saved_at: float


class PositionFile:
    """Where the position of one file on its way to one place is kept.

    Args:
        folder: for all positions.
        path: the file; another content is another file.
        choices: everything else that decides what is sent where: destination, domain, source, columns.
    """

    def __init__(self, folder: Path, path: Path, choices: Sequence[str]) -> None:
        digest = hashlib.sha256("\0".join([content_hash(path), *choices]).encode())
        self._path = folder / f"{digest.hexdigest()[:32]}.json"
        self._file = path.name

    def load(self) -> Position | None:
        """The position that was kept last; None where the file was never begun, or was finished."""
        return read_document(self._path, Position)

    def save(self, totals: Totals) -> None:
        """Keep a position."""
        position = Position(self._file, totals.read, totals.inserted, totals.rejected, time.time())
        write_document(self._path, position)

    def clear(self) -> None:
        """Forget the position: the file is finished."""
        self._path.unlink(missing_ok=True)
