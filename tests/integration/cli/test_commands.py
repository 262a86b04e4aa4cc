"""The commands against a stack that runs."""

import json
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cli.core.errors import ExitCode
from cli.core.local_stack import find_stack
from cli.core.state import StateDir
from cli.core.target import Target, TargetChoice, resolve
from cli.operations.dead_letters import DeadLetterQueue, redrive
from cli.operations.status import QueueStatus, queue_status
from tests.integration.cli.conftest import Afluente

pytestmark = pytest.mark.integration

BEGIN = 1_700_000_000

CONSTRAINTS = """
- key: iot/{source}/{source}:value
  value_constraints: {{max_value: 10, warning_max: 5}}
  rate_constraints: {{abs_delta: 3}}
  consecutive_violations_required: 1
- domain: iot
  stream_type: {source}
  value_constraints: {{max_value: 1}}
"""


@pytest.fixture
def target(state: StateDir) -> Target:
    return resolve(TargetChoice(state))


@pytest.fixture
def source(request: pytest.FixtureRequest) -> str:
    """A source that no other test has."""
    return str(request.node.name).replace("_", "-")[:60]


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def lines(text: str) -> list[Any]:
    return [json.loads(line) for line in text.splitlines()]


def test_a_file_comes_out_classified(afluente: Afluente, tmp_path: Path, source: str) -> None:
    constraints = tmp_path / "constraints.yaml"
    constraints.write_text(CONSTRAINTS.format(source=source))
    assert json.loads(afluente("constraints", "apply", constraints, "--json").out) == {
        "created": 2,
        "updated": 0,
        "unchanged": 0,
    }
    assert afluente("constraints", "apply", constraints).out == "0 created, 0 updated, 2 unchanged\n"
    rows = {100: 1, 200: 4.5, 300: 6, 400: 11, 500: 12, 600: 4}.items()
    file = tmp_path / "readings.csv"
    file.write_text("time,value\n" + "".join(f"{BEGIN + second},{value}\n" for second, value in rows))
    done = afluente("send", "http", "--domain", "iot", "--source", source, file, "--json")
    assert done.code == 0
    assert json.loads(done.out)["inserted"] == 6
    out = afluente("tail", "--from-start", "--until-idle", "1.5", "--json", "--key", f"iot/{source}/*")
    classes = {point["timestamp"] - BEGIN: point["classification"] for point in lines(out.out)}
    assert classes == {100: "normal", 200: "anomaly", 300: "warning", 400: "alert", 500: "alert", 600: "normal"}
    shown = afluente("tail", "alert", "warning", "--since", "1h", "--until-idle", "0.5", "--key", f"iot/{source}/*").out
    assert "2023-11-14T22:20:00.000Z  ALERT" in shown
    assert "> max_value 10, > warning_max 5" in shown
    assert "ANOMALY" not in shown
    alarms = lines(afluente("alarms", "--json", "--key", f"iot/{source}/*").out)
    assert [(alarm["state"], alarm["timestamp"] - BEGIN) for alarm in alarms] == [
        ("raised", 200),
        ("raised", 500),
        ("cleared", 600),
    ]
    assert "RAISED" in afluente("alarms", "--since", "1h").out


def test_constraints_are_listed_shown_and_deleted(afluente: Afluente, tmp_path: Path, source: str) -> None:
    file = tmp_path / "constraints.json"
    entry = {"key": f"finance/{source}/price", "value_constraints": {"max_value": 7_000_000_000}}
    file.write_text(json.dumps({"streams": [entry, {"domain": "health", "cooldown_seconds": 5}]}))
    assert afluente("constraints", "apply", file).out == "2 created, 0 updated, 0 unchanged\n"
    shown = afluente("constraints", "get", entry["key"])
    assert shown.out.startswith("# version 1\n- key:")
    assert json.loads(afluente("constraints", "get", entry["key"], "--json").out) == {**entry, "version": 1}
    listed = json.loads(afluente("constraints", "list", "--json").out)
    assert {"domain": "health", "cooldown_seconds": 5.0, "version": 1} in listed
    table = afluente("constraints", "list").out
    assert "max_value 7000000000" in table
    assert "health" in table
    assert afluente("constraints", "delete", entry["key"]).code == 0
    assert afluente("constraints", "delete", entry["key"]).code == ExitCode.FAILED
    assert afluente("constraints", "get", entry["key"]).code == ExitCode.FAILED
    assert afluente("constraints", "delete", "health").code == 0
    assert afluente("constraints", "get", "health", "--type", "none").code == ExitCode.FAILED


def test_a_file_with_a_fault_changes_nothing(afluente: Afluente, tmp_path: Path) -> None:
    file = tmp_path / "constraints.yaml"
    file.write_text("- {domain: health, cooldown_seconds: 7}\n- {domain: 3}\n")
    done = afluente("constraints", "apply", file)
    assert done.code == ExitCode.FAILED
    assert "1 of 2 entries have faults; nothing was written" in done.err
    assert afluente("constraints", "get", "health").code == ExitCode.FAILED


def test_keys_are_made_shown_once_listed_and_revoked(afluente: Afluente, tmp_path: Path, source: str) -> None:
    created = json.loads(
        afluente("keys", "create", "hall 3", "--domain", "iot", "--source", "hall-*", "--expires", "1d", "--json").out
    )
    assert created["key"].startswith("afl_")
    assert (created["name"], created["domains"], created["sources"]) == ("hall 3", ["iot"], ["hall-*"])
    plain = afluente("keys", "create", "plain")
    assert plain.out.startswith("afl_")
    assert plain.out.count("\n") == 1
    assert created["key_id"] in afluente("keys", "list").out
    file = tmp_path / "readings.csv"
    file.write_text(f"time,value\n{BEGIN},1\n")
    allowed = afluente("send", "http", "--domain", "iot", "--source", "hall-1", "--key", created["key"], file)
    assert allowed.code == 0
    forbidden = afluente("send", "http", "--domain", "iot", "--source", source, "--key", created["key"], file)
    assert forbidden.code == ExitCode.FAILED
    assert "403" in forbidden.err
    assert afluente("keys", "revoke", created["key_id"]).code == 0
    assert afluente("keys", "revoke", created["key_id"]).code == 0
    assert afluente("keys", "revoke", "none").code == ExitCode.FAILED
    (listed,) = [key for key in json.loads(afluente("keys", "list", "--json").out) if key["name"] == "hall 3"]
    assert not listed["valid"]
    assert "key" not in listed
    assert "revoked" in afluente("keys", "list").out


def test_rejected_points_are_shown_written_and_end_with_4(afluente: Afluente, tmp_path: Path, source: str) -> None:
    file = tmp_path / "points.ndjson"
    file.write_text(
        '{"stream_id":"a","value":1,"timestamp":100}\n{"stream_id":"a","value":"x","timestamp":-1e99}\nnonsense\n'
    )
    rejects = tmp_path / "rejects.ndjson"
    done = afluente("send", "http", "--domain", "iot", "--source", source, file, "--rejects", rejects)
    assert done.code == ExitCode.REJECTED
    assert "1 points sent, 2 rejected" in done.out
    assert "line 2: value:" in done.err
    assert "line 2: timestamp:" in done.err
    written = lines(rejects.read_text())
    assert [line["line"] for line in written] == [2, 3]
    assert [fault["field"] for fault in written[0]["faults"]] == ["value", "timestamp"]


def test_the_key_of_the_local_stack_is_for_its_owner_alone_and_kept(
    afluente: Afluente, state: StateDir, tmp_path: Path, source: str
) -> None:
    file = tmp_path / "readings.csv"
    file.write_text(f"time,value\n{BEGIN},1\n")
    command = ("send", "http", "--domain", "iot", "--source", source, file)
    assert afluente(*command).code == 0
    kept = state.api_key.read_text()
    assert state.api_key.stat().st_mode & 0o777 == 0o600
    assert afluente(*command).code == 0
    assert state.api_key.read_text() == kept


def test_status_is_for_people_and_programs(afluente: Afluente, state: StateDir) -> None:
    document = json.loads(afluente("status", "--json").out)
    assert document["running"] is True
    assert document["endpoint"] == find_stack(state).emulator.endpoint
    assert [function["name"] for function in document["functions"]] == [
        "http_ingest",
        "http_admin",
        "http_authorizer",
        "iot_rule_handler",
        "csv_trigger",
        "ws_ingest",
        "classifier",
    ]
    for queue in ("dead_letter_queue", "mqtt_inbox", "mqtt_dead_letter_queue", "csv_inbox", "csv_jobs"):
        assert document[queue] == {"waiting": 0, "in_flight": 0}
    shown = afluente("status").out
    assert "afluente-local-classifier" in shown
    assert "datapoints" in shown


def test_logs_are_those_of_the_function(afluente: Afluente, tmp_path: Path, source: str) -> None:
    file = tmp_path / "readings.csv"
    file.write_text(f"time,value\n{BEGIN},1\n")
    afluente("send", "http", "--domain", "iot", "--source", source, file)
    assert "request accepted" in afluente("logs", "http_ingest").out
    assert "request accepted" not in afluente("logs", "http_ingest", "--since", "2999-01-01").out
    assert "Ready" in afluente("logs", "emulator").out


def test_the_emulators_log_can_be_followed(state: StateDir) -> None:
    from cli.reading.function_logs import emulator_lines  # noqa: PLC0415

    existing = len(state.emulator_log.read_text().splitlines())
    followed = emulator_lines(state, follow=True)
    for _ in range(existing):
        next(followed)

    def write_later() -> None:
        time.sleep(0.1)
        with state.emulator_log.open("a") as file:
            file.write("a new line\n")

    thread = threading.Thread(target=write_later)
    thread.start()
    came = next(line for line in followed if line == "a new line")
    thread.join()
    assert came == "a new line"


def test_dead_letters_are_counted_and_redriven(afluente: Afluente, target: Target) -> None:
    sqs = target.client("sqs")
    for number in range(12):
        sqs.send_message(
            QueueUrl=target["DatapointsDlqUrl"],
            MessageBody=f"not a pack {number}",
            MessageGroupId=f"group-{number % 3}",
            MessageDeduplicationId=f"{os.getpid()}-{time.time()}-{number}",
        )
    assert json.loads(afluente("dlq", "status", "--json").out) == {
        "datapoints": {"waiting": 12, "in_flight": 0},
        "mqtt": {"waiting": 0, "in_flight": 0},
        "csv-inbox": {"waiting": 0, "in_flight": 0},
        "csv-jobs": {"waiting": 0, "in_flight": 0},
    }
    assert json.loads(afluente("dlq", "status", "--queue", "datapoints", "--json").out)["waiting"] == 12
    assert "12 packs wait" in afluente("dlq", "status").out
    assert "12 packs" not in afluente("dlq", "status", "--queue", "mqtt").out
    assert "there are dead letters" in afluente("status").out
    assert afluente("dlq", "redrive").out == "moved 12 packs\n"
    assert queue_status(target, target["DatapointsDlqUrl"]).waiting == 0
    assert json.loads(afluente("dlq", "redrive", "--json").out) == {
        "queue": "datapoints",
        "messages": 0,
        "task": None,
    }
    # What cannot be decoded goes to quarantine: the queue is empty again.
    until(lambda: queue_status(target, target["DatapointsQueueUrl"]) == QueueStatus(0, 0))


def test_a_message_that_its_rule_could_not_deliver_is_redriven(afluente: Afluente, target: Target, source: str) -> None:
    sqs, inbox = target.client("sqs"), target["InboxQueueUrl"]
    asked = {"QueueUrl": inbox, "AttributeNames": ["MaximumMessageSize"]}
    allowed = sqs.get_queue_attributes(**asked)["Attributes"]["MaximumMessageSize"]
    payload = {"value": 7.5, "timestamp": 1_700_000_000, "metadata": {"why": "x" * 1_500}}
    # Too small for it: the action of the rule fails, and its error action takes the message.
    sqs.set_queue_attributes(QueueUrl=inbox, Attributes={"MaximumMessageSize": "1024"})
    try:
        target.client("iot-data").publish(topic=f"iot/{source}/pressure", qos=1, payload=json.dumps(payload))
        until(lambda: queue_status(target, target["InboxDlqUrl"]).waiting == 1)
    finally:
        sqs.set_queue_attributes(QueueUrl=inbox, Attributes={"MaximumMessageSize": allowed})
    assert "1 MQTT messages wait" in afluente("dlq", "status").out
    assert json.loads(afluente("status", "--json").out)["mqtt_dead_letter_queue"]["waiting"] == 1

    assert afluente("dlq", "redrive", "--queue", "mqtt").out == "moved 1 MQTT messages\n"

    options = ("--key", f"iot/{source}/*", "--from-start", "--until-idle", "0.5", "--json")
    until(lambda: bool(afluente("tail", *options).out))
    (point,) = lines(afluente("tail", *options).out)
    assert (point["source_id"], point["stream_id"], point["value"]) == (source, "pressure", 7.5)
    assert queue_status(target, target["InboxDlqUrl"]).waiting == 0


class FakeSqs:
    """SQS of an account, which moves messages itself."""

    def get_queue_attributes(self, QueueUrl: str, AttributeNames: list[str]) -> dict[str, Any]:  # noqa: N803
        values = dict.fromkeys(AttributeNames, "3") | {"QueueArn": f"arn:{QueueUrl}"}
        return {"Attributes": values}

    def start_message_move_task(self, SourceArn: str, DestinationArn: str) -> dict[str, str]:  # noqa: N803
        return {"TaskHandle": f"from {SourceArn} to {DestinationArn}"}


@pytest.mark.parametrize(
    ("queue", "task"),
    [
        (DeadLetterQueue.DATAPOINTS, "from arn:datapoints-dlq to arn:datapoints"),
        (DeadLetterQueue.MQTT, "from arn:inbox-dlq to arn:inbox"),
        (DeadLetterQueue.CSV_INBOX, "from arn:csv-inbox-dlq to arn:csv-inbox"),
        (DeadLetterQueue.CSV_JOBS, "from arn:csv-jobs-dlq to arn:csv-jobs"),
    ],
)
def test_in_an_account_sqs_moves_the_dead_letters(queue: DeadLetterQueue, task: str) -> None:
    class Connection:
        endpoint = None

        def client(self, _: str) -> FakeSqs:
            return FakeSqs()

    outputs = {
        "DatapointsDlqUrl": "datapoints-dlq",
        "DatapointsQueueUrl": "datapoints",
        "InboxDlqUrl": "inbox-dlq",
        "InboxQueueUrl": "inbox",
        "CsvInboxDlqUrl": "csv-inbox-dlq",
        "CsvInboxQueueUrl": "csv-inbox",
        "CsvJobsDlqUrl": "csv-jobs-dlq",
        "CsvJobsQueueUrl": "csv-jobs",
    }
    in_account = Target("dev", Connection(), outputs, "https://x", StateDir.of(None), is_local=False)  # type: ignore[arg-type] # a stand-in
    outcome = redrive(in_account, queue)
    assert (outcome.messages, outcome.task) == (3, task)
