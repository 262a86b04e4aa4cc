"""The emulator's own process: `python -m cli.local_stack.emulator_process STATE_DIR PORT MQTT_PORT TOKEN AWS_LIMITS`.

It records itself before it opens its port. However `afluente up` ends, no emulator runs that the next one cannot find.
"""

import os
import socket
import sys
import time
from pathlib import Path

import msgspec

from cli.core.local_stack import AwsLimits, EmulatorRecord
from cli.core.locks import hold_until_exit
from cli.core.state import StateDir, write_document
from cli.local_stack import emulator_fixes, ports
from cli.local_stack.aws_limits import installation

_LOCK_SECONDS = 2.0


def main(arguments: list[str]) -> int:
    """Run the emulator until a signal stops it; return 1 at once if this state directory has one already."""
    state_path, port, mqtt_port, token, chosen = arguments
    limits = msgspec.json.decode(chosen, type=AwsLimits)
    state = StateDir(Path(state_path))
    if not hold_until_exit(state.emulator_lock, seconds=_LOCK_SECONDS):
        sys.stderr.write("this state directory has an emulator already\n")
        return 1
    try:
        # Before it is known to anyone, so that whoever reads the record finds a broker there.
        broker = ports.listen(int(mqtt_port))
    except OSError as error:
        sys.stderr.write(f"the MQTT broker cannot have port {mqtt_port}: {error}\n")
        return 1
    record = EmulatorRecord(
        pid=os.getpid(),
        port=int(port),
        token=token,
        started_at=time.time(),
        mqtt_port=int(mqtt_port),
        aws_limits=limits,
    )
    write_document(state.emulator_record, record)
    _run_ministack(broker, limits)
    return 0


def _run_ministack(broker: socket.socket, limits: AwsLimits) -> None:
    # Imported only once its environment is known to be ours: it reads its settings on import.
    from ministack import app  # noqa: PLC0415

    emulator_fixes.apply(broker)
    installation.install(limits)
    sys.argv = ["ministack"]
    app.main()


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
