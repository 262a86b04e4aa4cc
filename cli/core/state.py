"""Files of the local stack: one state directory a checkout, or the configured one."""

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import msgspec

CHECKOUT = Path(__file__).resolve().parents[2]
"""The directory that holds `cli/`, `infra/`, `functions/` and `layers/`."""

Document = TypeVar("Document", bound=msgspec.Struct)


@dataclass(frozen=True, slots=True)
class StateDir:
    """The files of one local stack.

    Everything in it can be deleted while the stack is down; the next `afluente up` makes it again.
    """

    path: Path

    @classmethod
    def of(cls, path: Path | None) -> "StateDir":
        """The state directory at `path`, or the checkout's own, `.afluente`."""
        return cls((path or CHECKOUT / ".afluente").resolve())

    @property
    def command_lock(self) -> Path:
        """Held by the command that is changing the stack: one at a time."""
        return self.path / "command.lock"

    @property
    def emulator_lock(self) -> Path:
        """Held by the emulator as long as it lives, so that a stale process id is never mistaken for it."""
        return self.path / "emulator.lock"

    @property
    def emulator_record(self) -> Path:
        """Address of the running emulator (`EmulatorRecord`)."""
        return self.path / "emulator.json"

    @property
    def emulator_log(self) -> Path:
        """Output of the emulator."""
        return self.path / "emulator.log"

    @property
    def deployment_record(self) -> Path:
        """The last deployment to the emulator (`DeploymentRecord`)."""
        return self.path / "deployment.json"

    @property
    def assemblies(self) -> Path:
        """Synthesised cloud assemblies, each named by the hash of what it was made from."""
        return self.path / "assemblies"

    @property
    def synthesis_log(self) -> Path:
        """Output of the last synthesis."""
        return self.path / "synthesis.log"

    @property
    def scratch(self) -> Path:
        """The emulator's directory for temporary files: its functions' code lies here while they are warm."""
        return self.path / "tmp"

    @property
    def api_key(self) -> Path:
        """The key that `afluente send` uses against this stack; readable by its owner alone."""
        return self.path / "api-key.json"

    @property
    def positions(self) -> Path:
        """Positions of interrupted `afluente send` runs."""
        return self.path / "positions"

    def create(self) -> None:
        """Make the directory, ignored by git wherever it lies."""
        self.path.mkdir(parents=True, exist_ok=True)
        ignore = self.path / ".gitignore"
        if not ignore.exists():
            ignore.write_text("*\n", encoding="utf-8")


def read_document(path: Path, kind: type[Document]) -> Document | None:
    """The document at `path`; None where there is none, or one that an older release or a crash left unreadable."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except (FileNotFoundError, NotADirectoryError, msgspec.DecodeError):
        return None


def write_document(path: Path, document: msgspec.Struct, *, mode: int = 0o644) -> None:
    """Put `document` at `path` whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(msgspec.json.format(msgspec.json.encode(document)))
        temporary.chmod(mode)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
