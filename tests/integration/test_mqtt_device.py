"""The example device, run as its users run it, through a broker that goes and comes back."""

import json
import secrets
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from cli.devices import devices
from cli.devices.connection import CONNECTION_FILE
from tests.faults.relay import Relay
from tests.outbox import Outbox
from tests.stack import PATIENCE_SECONDS, LocalStack

pytestmark = pytest.mark.integration

PROGRAM = Path(__file__).parents[2] / "examples" / "mqtt_device.py"


@pytest.fixture
def source_id() -> str:
    """Not longer than the name of a thing may be."""
    return f"example-{secrets.token_hex(3)}"


@pytest.fixture
def folder(local_stack: LocalStack, source_id: str) -> Path:
    """The folder of a device of its own."""
    return devices.device_for(local_stack.target, "iot", source_id)


@contextmanager
def running(folder: Path, *arguments: str) -> Iterator["subprocess.Popen[str]"]:
    """The device, connected for the block."""
    pipe = subprocess.PIPE
    command = [sys.executable, str(PROGRAM), str(folder), "temperature", *arguments]
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True) as device:
        try:
            assert device.stderr is not None
            assert device.stderr.readline() == "connected\n"
            yield device
        finally:
            device.kill()


def test_what_is_measured_while_the_broker_is_away_arrives_in_order(
    local_stack: LocalStack, outbox: Outbox, folder: Path, source_id: str, tmp_path: Path
) -> None:
    with (
        Relay(local_stack.mqtt_port) as relay,
        running(copy_of(folder, tmp_path, port=relay.port), "--stdin") as device,
    ):
        say(device, range(10))
        arrived(local_stack, outbox, source_id, 10)
        relay.stop()
        say(device, range(10, 20))
        assert device.stderr is not None
        assert device.stderr.readline() == "disconnected\n"
        relay.start()
        _, errors = device.communicate("20\n", timeout=PATIENCE_SECONDS)

    assert device.returncode == 0
    assert "0 message(s) lost" in errors.splitlines()
    local_stack.drained()
    points = outbox.points(f"iot/{source_id}")
    assert [(point["sequence"], point["value"]) for point in points] == [(place, place) for place in range(21)]
    assert {point["stream_type"] for point in points} == {"temperature"}


def test_ctrl_c_ends_it_with_everything_acknowledged(
    local_stack: LocalStack, outbox: Outbox, folder: Path, source_id: str
) -> None:
    with running(folder) as device:
        arrived(local_stack, outbox, source_id, 2)
        device.send_signal(signal.SIGINT)
        _, errors = device.communicate(timeout=PATIENCE_SECONDS)

    assert device.returncode == 0, errors
    assert "0 message(s) lost" in errors.splitlines()


def test_a_refusal_is_reported(folder: Path, tmp_path: Path) -> None:
    foreign = copy_of(folder, tmp_path, topic="iot/another-device/{stream_id}", basic_ingest_topic=None)

    with running(foreign, "--stdin") as device:
        _, errors = device.communicate("1\n", timeout=PATIENCE_SECONDS)

    assert device.returncode == 1
    assert "the broker refuses iot/another-device/temperature: NOT_AUTHORIZED" in errors.splitlines()


def copy_of(folder: Path, where: Path, **changed: object) -> Path:
    """A copy of the folder of a device with other values in some fields of its connection."""
    copy = shutil.copytree(folder, where / "device")
    file = copy / CONNECTION_FILE
    file.write_text(json.dumps(json.loads(file.read_text()) | changed))
    return copy


def say(device: "subprocess.Popen[str]", values: range) -> None:
    assert device.stdin is not None
    device.stdin.write("".join(f"{value}\n" for value in values))
    device.stdin.flush()


def arrived(stack: LocalStack, outbox: Outbox, source_id: str, count: int) -> None:
    """Wait until so many points, or more, have come out."""
    stack.eventually(lambda: len(outbox.points(f"iot/{source_id}")) >= count, f"{count} points come out")
