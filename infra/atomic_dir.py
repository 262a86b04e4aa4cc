"""Folders that are complete or absent, however many builds of them run."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def atomic_dir(destination: Path) -> Iterator[Path]:
    """A path to build a folder at, which is moved to its destination if the build raises no error."""
    destination.parent.mkdir(parents=True, exist_ok=True)
    # Next to its destination, so that the last step is a rename.
    with tempfile.TemporaryDirectory(prefix="unfinished-", dir=destination.parent) as folder:
        unfinished = Path(folder) / "folder"
        yield unfinished
        try:
            unfinished.rename(destination)
        except OSError:
            # Another build of the same folder was faster.
            if not destination.exists():
                raise
