"""The life of the emulator: found, started and stopped, never more than one a state directory."""

import contextlib
import os
import secrets
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import msgspec

from cli.core.errors import CommandError, ExitCode
from cli.core.local_stack import LOOPBACK, REGION, AwsLimits, EmulatorRecord, find_emulator
from cli.core.locks import is_held
from cli.core.state import CHECKOUT, StateDir, read_document
from cli.local_stack import ports
from cli.local_stack.health import edition_at

_START_SECONDS = 60.0
_STOP_SECONDS = 10.0
_POLL_SECONDS = 0.05
_ATTEMPTS = 5
# As the emulator has it, and the system (EADDRINUSE).
_PORT_TAKEN = "already in use"
_KEPT_VARIABLES = ("HOME", "LANG", "LC_ALL", "LC_CTYPE", "PATH", "TZ", "USER")


def start(state: StateDir, port: int | None, limits: AwsLimits | None = None) -> EmulatorRecord:
    """Start an emulator in a session of its own and wait until it answers.

    Args:
        state: where it keeps its record, log and temporary files.
        port: where it has to listen; None for the last port used or the first free one from 4566.
        limits: the quotas of AWS that it keeps; None for all of them.

    Raises:
        CommandError: the port is in use, or the emulator ends before it answers.
    """
    last = read_document(state.emulator_record, EmulatorRecord)
    for _ in range(_ATTEMPTS):
        chosen = ports.choose(port, last=last.port if last else None)
        mqtt_port = ports.choose(None, last=last.mqtt_port if last else None, first=ports.FIRST_MQTT_PORT)
        record = _start_at(state, chosen, mqtt_port, limits or AwsLimits())
        if record is not None:
            return record
        if _PORT_TAKEN not in log_tail(state):
            break
        # Another program was quicker to take a port, if only for a moment; where the choice is ours we take the next.
    raise CommandError(
        f"the emulator ended before it answered; its last lines were:\n{log_tail(state)}",
        hint=f"see all of {state.emulator_log}",
    )


def stop(state: StateDir) -> bool:
    """Stop the emulator with everything it started and remove its temporary files; False where none ran."""
    record = find_emulator(state)
    if record is not None:
        _end(state, record)
    shutil.rmtree(state.scratch, ignore_errors=True)
    return record is not None


def log_tail(state: StateDir, lines: int = 15) -> str:
    """The last lines of what the emulator printed."""
    try:
        text = state.emulator_log.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return ""
    return "\n".join(text.splitlines()[-lines:])


def _start_at(state: StateDir, port: int, mqtt_port: int, limits: AwsLimits) -> EmulatorRecord | None:
    state.emulator_record.unlink(missing_ok=True)
    shutil.rmtree(state.scratch, ignore_errors=True)
    state.scratch.mkdir(parents=True)
    token = secrets.token_hex(8)
    arguments = [str(state.path), str(port), str(mqtt_port), token, msgspec.json.encode(limits).decode()]
    command = [sys.executable, "-m", "cli.local_stack.emulator_process", *arguments]
    with state.emulator_log.open("wb") as log:
        process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
            command,
            cwd=CHECKOUT,
            env=_environment(state.scratch, port, mqtt_port, token),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        record = _wait_until_it_answers(state, process, port, token)
    except BaseException:
        _kill_group(process.pid, signal.SIGKILL)
        process.wait()
        raise
    # Popen warns of a child that outlives it; this one is meant to.
    process.returncode = 0
    return record


def _wait_until_it_answers(
    state: StateDir, process: "subprocess.Popen[bytes]", port: int, token: str
) -> EmulatorRecord | None:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            return None
        # The edition is ours to name: an emulator of another checkout that took the port meanwhile has another.
        if edition_at(port) == token:
            return find_emulator(state)
        time.sleep(_POLL_SECONDS)
    raise CommandError(
        f"the emulator did not answer on port {port} within {_START_SECONDS:.0f} s;"
        f" its last lines were:\n{log_tail(state)}",
        hint=f"see all of {state.emulator_log}",
        code=ExitCode.UNREACHABLE,
    )


def _environment(scratch: Path, port: int, mqtt_port: int, token: str) -> dict[str, str]:
    """The emulator's variables, which its functions inherit: none of the user's AWS settings, proxies or secrets."""
    kept = {name: os.environ[name] for name in _KEPT_VARIABLES if name in os.environ}
    return kept | {
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "BIND_HOST": LOOPBACK,
        # It would stop containers of other emulators on a Docker daemon it finds; the local stack needs none.
        "DOCKER_HOST": f"unix://{scratch / 'no-docker.sock'}",
        "GATEWAY_PORT": str(port),
        "IOT_MTLS_ENABLED": "1",
        "IOT_MTLS_PORT": str(mqtt_port),
        "LAMBDA_EXECUTOR": "local",
        "MINISTACK_EDITION": token,
        "MINISTACK_HOST": LOOPBACK,
        "MINISTACK_REGION": REGION,
        "PYTHONDONTWRITEBYTECODE": "1",
        "S3_DATA_DIR": str(scratch / "s3"),
        "SFTP_ENABLED": "0",
        "STATE_DIR": str(scratch / "state"),
        "TMPDIR": str(scratch),
    }


def _end(state: StateDir, record: EmulatorRecord) -> None:
    """Ask the whole process group to end, then make it."""
    _kill_group(record.pid, signal.SIGTERM)
    deadline = time.monotonic() + _STOP_SECONDS
    while is_held(state.emulator_lock) and time.monotonic() < deadline:
        time.sleep(_POLL_SECONDS)
    _kill_group(record.pid, signal.SIGKILL)
    while is_held(state.emulator_lock):
        time.sleep(_POLL_SECONDS)


def _kill_group(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(pid, number)
