"""The cloud assembly of the local stage, synthesised once for each state of what it is made from."""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from cli.core.errors import CommandError
from cli.core.state import CHECKOUT, StateDir
from infra.paths import STAGES_VARIABLE, stages_directory

_KEPT_ASSEMBLIES = 3
_SHOWN_LOG_LINES = 25


def cached(state: StateDir, template_hash: str) -> Path | None:
    """The assembly that was synthesised for `template_hash`, if it was."""
    assembly = state.assemblies / template_hash
    return assembly if (assembly / "manifest.json").exists() else None


def synthesise(state: StateDir, stage: str, template_hash: str) -> Path:
    """Synthesise the assembly of `stage`; it is there whole or not at all.

    Raises:
        CommandError: the synthesis failed; it shows the end of what that printed.
    """
    state.assemblies.mkdir(parents=True, exist_ok=True)
    _remove_unfinished(state)
    with tempfile.TemporaryDirectory(prefix="unfinished-", dir=state.assemblies) as folder:
        unfinished = Path(folder) / "assembly"
        _run(state, stage, unfinished, temporary=Path(folder))
        assembly = state.assemblies / template_hash
        shutil.rmtree(assembly, ignore_errors=True)
        unfinished.rename(assembly)
    _remove_old(state)
    return assembly


def _run(state: StateDir, stage: str, unfinished: Path, *, temporary: Path) -> None:
    command = [sys.executable, "-m", "cli.local_stack.synthesis_process", stage, str(unfinished)]
    with state.synthesis_log.open("wb") as log:
        process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
            command,
            cwd=CHECKOUT,
            env={**os.environ, "TMPDIR": str(temporary), STAGES_VARIABLE: str(stages_directory())},
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        with process:
            try:
                code = process.wait()
            except BaseException:
                process.kill()
                raise
    if code != 0:
        lines = state.synthesis_log.read_text(encoding="utf-8", errors="replace").splitlines()
        shown = "\n".join(lines[-_SHOWN_LOG_LINES:])
        raise CommandError(f"the synthesis of stage '{stage}' failed:\n{shown}", hint=f"see {state.synthesis_log}")


def _remove_unfinished(state: StateDir) -> None:
    # Whoever made them was killed: the caller holds the command lock, so nobody else is at it.
    for folder in state.assemblies.glob("unfinished-*"):
        shutil.rmtree(folder, ignore_errors=True)


def _remove_old(state: StateDir) -> None:
    newest_first = sorted(state.assemblies.iterdir(), key=lambda path: path.stat().st_mtime, reverse=True)
    for assembly in newest_first[_KEPT_ASSEMBLIES:]:
        shutil.rmtree(assembly, ignore_errors=True)
