"""CSV files of this machine that are sent or inspected."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from afluente.application.csv.files import FILE_SUFFIXES
from cli.core.errors import CommandError, ExitCode
from cli.sending.inputs import STDIN

_ENDINGS = f"{', '.join(FILE_SUFFIXES[:-1])} or {FILE_SUFFIXES[-1]}"
_POINTS = (".ndjson", ".jsonl", ".json")
_TABLES = (".xls", ".xlsx", ".ods", ".parquet")


@dataclass(frozen=True, slots=True)
class LocalFile:
    """A file that may be sent.

    Attributes:
        path: of the file.
        size: in bytes.
    """

    path: Path
    size: int

    @property
    def name(self) -> str:
        """Its name without folders."""
        return self.path.name


def local_files(names: Sequence[str]) -> tuple[LocalFile, ...]:
    """The files, all of them or none.

    Raises:
        CommandError: the service would not take one of them.
    """
    return tuple(map(local_file, dict.fromkeys(names)))


def local_file(name: str) -> LocalFile:
    """A file by its path.

    Raises:
        CommandError: the service would not take it.
    """
    if name == STDIN:
        raise CommandError(
            "a CSV job reads a file, not standard input",
            hint="write it into a file first, or send its points with 'afluente send http'",
            code=ExitCode.USAGE,
        )
    path = Path(name)
    if not path.is_file():
        wrong = "is no file" if path.exists() else "does not exist"
        raise CommandError(f"{name} {wrong}", code=ExitCode.USAGE)
    if not path.name.lower().endswith(FILE_SUFFIXES):
        raise CommandError(
            f"{name} has not the name of a CSV file: it must end with {_ENDINGS}",
            hint=_hint(path.name.lower()),
            code=ExitCode.USAGE,
        )
    size = path.stat().st_size
    if not size:
        raise CommandError(f"{name} is empty", code=ExitCode.USAGE)
    return LocalFile(path, size)


def _hint(name: str) -> str:
    if name.endswith(_POINTS):
        return "send points in JSON lines with 'afluente send http'"
    if name.endswith(_TABLES):
        return "save it as CSV first"
    return "if it is CSV, with whatever delimiter, rename it; pack it with gzip or zstd if it is packed otherwise"
