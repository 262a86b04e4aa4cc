"""A newcomer's journey with the command `afluente`, each step a process of its own."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cli.core.errors import ExitCode
from tests.outbox import Outbox
from tests.stack import PATIENCE_SECONDS, LocalStack

pytestmark = pytest.mark.integration

CONSTRAINTS = """
- key: iot/{source}/{source}:temperature
  value_constraints: {{max_value: 100, warning_max: 80}}
  rate_constraints: {{abs_delta: 10}}
  consecutive_violations_required: 2
- domain: iot
  stream_type: {source}-pressure
  value_constraints: {{alert_max: 3}}
"""
READINGS = """\
time,temperature,note
2024-05-01T12:00:00Z,75,
2024-05-01T12:00:10Z,79,
2024-05-01T12:00:20Z,81,hot
2024-05-01T12:00:30Z,101,too hot
2024-05-01T12:00:40Z,78,
2024-05-01T12:00:50Z,60,
2024-05-01T12:01:00Z,61,
2024-05-01T12:01:10Z,62,
"""

POINTS = 4_000
"""Enough to send for seconds, ten a request."""

Afluente = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def start(local_stack: LocalStack) -> Afluente:
    """Starts `afluente` with some arguments."""
    command = Path(sys.executable).with_name("afluente")
    environment = {**os.environ, "AFLUENTE_STATE_DIR": str(local_stack.target.state.path)}

    def run(*arguments: str | Path) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            [command, *arguments], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    return run


def ended(process: "subprocess.Popen[str]", code: int = ExitCode.OK) -> str:
    """The output of a command, once it has ended with the expected code."""
    with process:
        try:
            out, err = process.communicate(timeout=PATIENCE_SECONDS)
        finally:
            process.kill()  # Of no effect on one that has ended.
    assert process.returncode == code, err
    return out


def lines(text: str) -> list[Any]:
    return [json.loads(line) for line in text.splitlines()]


def test_from_constraints_to_alarms(start: Afluente, local_stack: LocalStack, source_id: str, tmp_path: Path) -> None:
    constraints = tmp_path / "constraints.yaml"
    constraints.write_text(CONSTRAINTS.format(source=source_id))
    readings = tmp_path / "readings.csv"
    readings.write_text(READINGS)
    pressures = tmp_path / "pressures.ndjson"
    pressures.write_text(
        "".join(
            json.dumps(
                {"stream_id": "p", "value": value, "timestamp": 1000 + value, "stream_type": f"{source_id}-pressure"}
            )
            + "\n"
            for value in (2, 3, 4)
        )
    )
    to_source = ("send", "http", "--domain", "iot", "--source", source_id, "--json")

    written = json.loads(ended(start("constraints", "apply", constraints, "--json")))
    sent = [json.loads(ended(start(*to_source, file))) for file in (readings, pressures)]
    local_stack.drained()
    of_source = ("--json", "--key", f"iot/{source_id}/*")
    came = lines(ended(start("tail", "--from-start", "--until-idle", "1", *of_source)))
    grave = lines(ended(start("tail", "alert", "--from-start", "--until-idle", "1", *of_source)))
    alarms = lines(ended(start("alarms", *of_source)))

    assert written == {"created": 2, "updated": 0, "unchanged": 0}
    assert [(summary["read"], summary["inserted"], summary["rejected"]) for summary in sent] == [(8, 8, 0), (3, 3, 0)]
    classes = {(point["stream_id"], point["value"]): point["classification"] for point in came}
    assert classes == {
        (f"{source_id}:temperature", 75): "normal",
        (f"{source_id}:temperature", 79): "normal",
        (f"{source_id}:temperature", 81): "warning",
        (f"{source_id}:temperature", 101): "alert",
        (f"{source_id}:temperature", 78): "normal",
        (f"{source_id}:temperature", 60): "anomaly",
        (f"{source_id}:temperature", 61): "normal",
        (f"{source_id}:temperature", 62): "normal",
        ("p", 2): "normal",
        ("p", 3): "normal",
        ("p", 4): "alert",
    }
    assert {point["value"] for point in grave} == {101, 4}
    assert [(alarm["state"], alarm["value"], alarm["severity"]) for alarm in alarms] == [
        ("raised", 101, "critical"),
        ("cleared", 62, "critical"),
    ]


def test_keys_admit_until_they_are_revoked(start: Afluente, source_id: str, tmp_path: Path) -> None:
    readings = tmp_path / "readings.csv"
    readings.write_text(READINGS)
    to_source = ("send", "http", "--domain", "iot", "--source", source_id, readings, "--key")

    def create(*scope: str) -> Any:
        return json.loads(ended(start("keys", "create", source_id, *scope, "--json")))

    good, narrow, revoked = create(), create("--source", "another-*"), create()
    # Before it was ever used: what the API knows of a key it may keep for a minute.
    ended(start("keys", "revoke", revoked["key_id"]))

    ended(start(*to_source, good["key"]))
    ended(start(*to_source, narrow["key"]), ExitCode.FAILED)
    ended(start(*to_source, revoked["key"]), ExitCode.FAILED)
    listed = {key["key_id"]: key["valid"] for key in json.loads(ended(start("keys", "list", "--json")))}
    assert (listed[good["key_id"]], listed[narrow["key_id"]], listed[revoked["key_id"]]) == (True, True, False)


def test_a_file_goes_over_a_websocket_but_for_the_points_with_faults(
    start: Afluente, local_stack: LocalStack, outbox: Outbox, source_id: str, tmp_path: Path
) -> None:
    points = [
        {"stream_id": "s", "value": value, "timestamp": 1000 + value, "sequence": value} for value in range(2_500)
    ]
    file = tmp_path / "points.ndjson"
    file.write_text(
        "".join(json.dumps(point | ({"value": "hot"} if point["value"] == 7 else {})) + "\n" for point in points)
    )
    rejects = tmp_path / "rejects.ndjson"
    send = ("send", "ws", "--domain", "iot", "--source", source_id, file)

    summary = json.loads(ended(start(*send, "--rejects", rejects, "--json"), ExitCode.REJECTED))

    assert (summary["read"], summary["inserted"], summary["rejected"]) == (2_500, 2_499, 1)
    (rejected,) = lines(rejects.read_text())
    assert (rejected["line"], rejected["faults"][0]["code"], rejected["faults"][0]["field"]) == (
        8,
        "wrong_type",
        "value",
    )
    local_stack.drained()
    came = outbox.lines(f"iot/{source_id}")
    assert [point["value"] for point in came] == [value for value in range(2_500) if value != 7]


@pytest.mark.parametrize(
    ("transport", "number"),
    [
        pytest.param("http", signal.SIGKILL, id="a crash, over HTTP"),
        pytest.param("ws", signal.SIGINT, id="Ctrl-C, over a WebSocket"),
        pytest.param("http", signal.SIGINT, id="Ctrl-C, over HTTP", marks=pytest.mark.exhaustive),
        pytest.param("ws", signal.SIGKILL, id="a crash, over a WebSocket", marks=pytest.mark.exhaustive),
    ],
)
def test_a_file_whose_sending_was_interrupted_is_sent_whole_and_once(
    start: Afluente,
    local_stack: LocalStack,
    outbox: Outbox,
    source_id: str,
    *,
    tmp_path: Path,
    number: signal.Signals,
    transport: str,
) -> None:
    readings = tmp_path / "readings.csv"
    rows = [f"{1_700_000_000 + second},{second % 50}\n" for second in range(POINTS)]
    readings.write_text("".join(["time,value\n", *rows]))
    send = ("send", transport, "--domain", "iot", "--source", source_id, readings, "--batch", "10", "--json")
    positions = local_stack.target.state.positions

    first = start(*send)
    local_stack.eventually(lambda: any(positions.glob("*")), "the command has kept its place")
    first.send_signal(number)
    ended(first, ExitCode.INTERRUPTED if number is signal.SIGINT else -number)
    summary = json.loads(ended(start(*send, "--resume")))

    assert (summary["read"], summary["inserted"], summary["rejected"]) == (POINTS, POINTS, 0)
    assert not any(positions.glob("*"))
    local_stack.drained()
    came = outbox.lines(f"iot/{source_id}")
    assert [point["timestamp"] for point in came] == [1_700_000_000 + second for second in range(POINTS)]
