"""Bringing the stack up to date: only what changed, and nothing to trip over after an interruption."""

import dataclasses
import os
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from cli.core.aws import describe_stack, local_connection
from cli.core.errors import CommandError, ExitCode
from cli.core.local_stack import REGION, AwsLimits, DeploymentRecord, EmulatorRecord, find_stack
from cli.core.state import StateDir, read_document
from cli.local_stack import assembly, cloudformation, emulator, ports, stack, synthesis
from cli.local_stack.assembly import StackTemplate
from cli.local_stack.stack import Change
from tests.integration.cli.conftest import USERS_VARIABLES, Afluente
from tests.stack import free_port

pytestmark = pytest.mark.integration

TEAPOT = "def lambda_handler(event, context):\n    return {'statusCode': 418}"
QUEUE = {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": "from-a-template"}}


@pytest.fixture
def own_state(tmp_path: Path, state: StateDir) -> Iterator[StateDir]:
    """Another state directory, with the assemblies of the first."""
    own = StateDir.of(tmp_path / "own")
    own.create()
    own.assemblies.symlink_to(state.assemblies)
    yield own
    stack.down(own)


def health(state: StateDir) -> Any:
    return httpx.get(f"{find_stack(state).api_url}/health", trust_env=False)


@contextmanager
def appended(file: Path, code: str) -> Iterator[None]:
    """The file with more code at its end, for the block."""
    before = file.read_text()
    file.write_text(f"{before}\n\n{code}\n")
    try:
        yield
    finally:
        file.write_text(before)


def processes_of(state: StateDir) -> list[int]:
    """Ids of the processes that name the state directory: the emulator and the functions that it runs."""
    return [
        int(process.name)
        for process in Path("/proc").glob("[0-9]*")
        if str(state.path).encode() in (_read(process / "cmdline") or b"")
    ]


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except OSError:  # it has ended meanwhile
        return None


def test_up_shows_where_everything_is(afluente: Afluente, state: StateDir) -> None:
    done = afluente("up")
    assert done.code == 0
    running = find_stack(state)
    assert "up to date" in done.out
    assert running.api_url in done.out
    assert health(state).status_code == httpx.codes.OK


def test_a_second_up_changes_nothing_within_a_second(state: StateDir) -> None:
    stack.up(state, None)
    started = time.monotonic()
    assert stack.up(state, None).change is Change.NOTHING
    assert time.monotonic() - started < 1.0


def test_changed_code_is_deployed_without_synthesis_or_cloudformation(
    afluente: Afluente, state: StateDir, checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def forbidden(*_: object) -> None:
        raise AssertionError

    monkeypatch.setattr(synthesis, "synthesise", forbidden)
    monkeypatch.setattr(cloudformation, "deploy", forbidden)

    # A function. Each of the next steps also undoes the one before it.
    with appended(checkout / "functions/http_ingest/handler.py", TEAPOT):
        running = stack.up(state, None)
        assert running.change is Change.CODE
        assert running.not_answering == ("http_ingest",)
        assert health(state).status_code == httpx.codes.IM_A_TEAPOT

    # The layer.
    with appended(checkout / "layers/core/python/afluente/__init__.py", '__version__ = "changed"'):
        running = stack.up(state, None)
        assert running.change is Change.CODE
        assert running.not_answering == ()
        assert health(state).status_code == httpx.codes.OK
        assert health(state).json()["version"] == "changed"

    # A function that does not start.
    with appended(checkout / "functions/classifier/handler.py", "import nonsense"):
        done = afluente("up")
        assert done.code == ExitCode.FAILED
        assert "deployed, but not answering as they should: classifier" in done.err
        assert "afluente logs classifier" in done.err
        assert "nonsense" in afluente("logs", "emulator").out
        assert health(state).json()["version"] != "changed"

    assert afluente("up").code == 0


def test_a_changed_infrastructure_updates_the_stacks(
    state: StateDir, checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = read_document(state.deployment_record, DeploymentRecord)
    assert record is not None
    present = synthesis.cached(state, record.template_hash)
    monkeypatch.setattr(synthesis, "synthesise", lambda *_: present)
    monkeypatch.setattr(assembly, "read", with_a_queue(assembly.read))
    change = checkout / "infra/changed.py"
    change.write_text("")
    assert stack.up(state, None).change is Change.STACKS
    sqs = local_connection(find_stack(state).emulator.endpoint, REGION).client("sqs")
    assert sqs.get_queue_url(QueueName="from-a-template")
    change.unlink()
    monkeypatch.undo()
    assert stack.up(state, None).change is Change.STACKS


def with_a_queue(read: Any) -> Any:
    def reading(folder: Path) -> assembly.Assembly:
        found: assembly.Assembly = read(folder)
        data, *others = found.stacks
        template = {**data.template, "Resources": {**data.template["Resources"], "Queue": QUEUE}}
        return dataclasses.replace(found, stacks=(StackTemplate(data.name, template), *others))

    return reading


def test_a_stack_that_cannot_be_deployed_is_reported_and_can_be_put_right(state: StateDir) -> None:
    connection = local_connection(find_stack(state).emulator.endpoint, REGION)
    bad = {"Type": "AWS::CloudFormation::Stack", "Properties": {"TemplateURL": "http://127.0.0.1/none/none"}}
    with pytest.raises(CommandError) as caught:
        cloudformation.deploy(connection, StackTemplate("broken", {"Resources": {"Bad": bad}}))
    assert "Bad (AWS::CloudFormation::Stack)" in caught.value.message
    cloudformation.deploy(connection, StackTemplate("broken", {"Resources": {"Queue": QUEUE}}))
    present = describe_stack(connection, "broken")
    assert present is not None
    assert present["StackStatus"] == "CREATE_COMPLETE"
    connection.client("cloudformation").delete_stack(StackName="broken")


def test_a_stack_recovers_from_interruptions_kills_and_hangs(
    state: StateDir, own_state: StateDir, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    # Ctrl-C leaves nothing running.
    with monkeypatch.context() as patch:
        patch.setattr("cli.local_stack.stack.warm_up", interrupt)
        with pytest.raises(KeyboardInterrupt):
            stack.up(own_state, None)
    assert processes_of(own_state) == []

    # An emulator that an interrupted `up` has left is used, beside another stack and without any setting.
    left = emulator.start(own_state, None)
    first = stack.up(own_state, None)
    assert first.emulator == left
    assert first.not_answering == ()
    assert first.emulator.port != find_stack(state).emulator.port
    assert health(own_state).status_code == health(state).status_code == httpx.codes.OK

    # No process outlives an emulator that is killed.
    assert len(processes_of(own_state)) >= 4
    os.kill(left.pid, signal.SIGKILL)
    deadline = time.monotonic() + 10
    while processes_of(own_state) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert processes_of(own_state) == []
    with pytest.raises(CommandError, match="no local stack is running"):
        find_stack(own_state)

    # An emulator that does not answer is replaced, on the port that the stack had.
    hanging = emulator.start(own_state, None)
    os.kill(hanging.pid, signal.SIGSTOP)
    with monkeypatch.context() as patch:
        patch.setattr("cli.local_stack.stack._ANSWER_SECONDS", 0.0)
        patch.setattr("cli.local_stack.emulator._STOP_SECONDS", 0.2)
        patch.setattr("cli.local_stack.health._TIMEOUT_SECONDS", 0.2)
        second = stack.up(own_state, None)
    assert second.emulator.pid != hanging.pid
    assert len({left.token, hanging.token, second.emulator.token}) == 3
    assert left.port == hanging.port == second.emulator.port
    assert health(own_state).status_code == httpx.codes.OK

    # Nor does one outlive an emulator that is stopped.
    assert any(own_state.scratch.iterdir())
    assert stack.down(own_state)
    assert processes_of(own_state) == []
    assert not own_state.scratch.exists()
    assert not stack.down(own_state)


def test_a_port_can_be_given_but_not_changed_while_it_runs(own_state: StateDir) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with pytest.raises(CommandError, match="is taken"):
            stack.up(own_state, port)
    assert emulator.start(own_state, port).port == port
    with pytest.raises(CommandError) as caught:
        stack.up(own_state, port + 1)
    assert caught.value.code is ExitCode.USAGE


def test_a_port_that_was_taken_for_a_moment_is_tried_again(
    own_state: StateDir, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = ports.listen(free_port())
    taken = int(server.getsockname()[1])
    choices, choose, start_at = [taken], ports.choose, emulator._start_at

    def first_the_taken_one(wanted: int | None, *, last: int | None, first: int = ports.FIRST_PORT) -> int:
        if choices and first == ports.FIRST_PORT:
            return choices.pop()
        return choose(wanted, last=last, first=first)

    def until_it_is_free(state: StateDir, port: int, mqtt_port: int, limits: AwsLimits) -> EmulatorRecord | None:
        record = start_at(state, port, mqtt_port, limits)
        server.close()
        return record

    monkeypatch.setattr(ports, "choose", first_the_taken_one)
    monkeypatch.setattr(emulator, "_start_at", until_it_is_free)

    assert emulator.start(own_state, None).port != taken


def test_an_emulator_that_cannot_start_is_reported_with_the_cause(
    own_state: StateDir, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cli.local_stack.emulator._KEPT_VARIABLES", ("PYTHONHOME",))
    monkeypatch.setenv("PYTHONHOME", "/nonsense")
    with pytest.raises(CommandError) as caught:
        emulator.start(own_state, None)
    assert "encodings" in caught.value.message  # the standard library that PYTHONHOME does not have
    assert str(own_state.emulator_log) in caught.value.hint


def test_an_emulator_is_cut_off_from_the_users_settings(state: StateDir) -> None:
    assert find_stack(state).emulator.pid in processes_of(state)
    for process in processes_of(state):
        variables = (_read(Path("/proc") / str(process) / "environ") or b"").decode().split("\0")
        assert not {variable.split("=")[0] for variable in variables} & set(USERS_VARIABLES)
