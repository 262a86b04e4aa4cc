"""Processes of this machine, as far as tests look at them: those that an emulator has started."""

from pathlib import Path

import pytest

_PROCESSES = Path("/proc")


def children_of(parent: int) -> dict[int, str]:
    """The command lines of the processes that `parent` has started, by their ids."""
    if not _PROCESSES.exists():
        pytest.skip("looks for processes in /proc, which this system does not have")
    found = {}
    for process in _PROCESSES.glob("[0-9]*"):
        try:
            # pid (name) state parent …; a name may hold blanks and brackets itself.
            fields = (process / "stat").read_text().rpartition(")")[2].split()
            command = (process / "cmdline").read_text()
        except OSError:  # it has ended meanwhile
            continue
        if int(fields[1]) == parent and fields[0] != "Z":
            found[int(process.name)] = command
    return found
