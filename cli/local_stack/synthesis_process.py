"""Synthesis in a process of its own: `python -m cli.local_stack.synthesis_process STAGE DIRECTORY`.

It ends as soon as its standard input does, and the CDK's Node process with it: a killed `afluente up` leaves neither.
"""

import os
import sys
import threading
from pathlib import Path

from infra.app import synthesise
from infra.presets import StageError, load_stage


def main(arguments: list[str]) -> int:
    """Write the cloud assembly of a stage into a directory; 1 where the user has to put something right first."""
    stage, directory = arguments
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        synthesise(load_stage(stage), Path(directory))
    except (RuntimeError, StageError) as error:
        # What infra raises is complete as a message; so is what the CDK says of a construct it does not like.
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


def _end_with_parent() -> None:
    # Past Python's buffer, whose lock would keep the interpreter from ending in order.
    os.read(sys.stdin.fileno(), 1)
    os._exit(1)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
