"""Folders that are there whole or not at all, however many builds are under way."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def atomic_dir(destination: Path) -> Iterator[Path]:
    """A folder to build in, which is to be made; it is at its destination once the build is done without an error."""
    destination.parent.mkdir(parents=True, exist_ok=True)
    # Next to its destination, so that the last step is a rename.
    with tempfile.TemporaryDirectory(prefix="unfinished-", dir=destination.parent) as folder:
        unfinished = Path(folder) / "folder"
        yield unfinished
        try:
            unfinished.rename(destination)
        except OSError:
            # Another build of the same folder was first: it is the same, so ours is not needed.
            if not destination.exists():
                raise
