"""Files of the local stack: whole or not there, locked by the living only."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import msgspec
import pytest

from cli.core import locks
from cli.core.errors import CommandError, ExitCode
from cli.core.local_stack import DeploymentRecord, EmulatorRecord, find_stack
from cli.core.state import CHECKOUT, StateDir, read_document, write_document
from cli.local_stack import health, ports
from cli.local_stack.stack import down

RECORD = EmulatorRecord(pid=1, port=2, token="t", started_at=3.0)
HOLDER = """
import sys, time
from pathlib import Path
from cli.core.locks import hold_until_exit
print(hold_until_exit(Path(sys.argv[1]), seconds=0.0), flush=True)
time.sleep(60)
"""


@pytest.fixture
def state(tmp_path: Path) -> StateDir:
    state = StateDir.of(tmp_path / "state")
    state.create()
    return state


def test_a_checkout_has_a_state_directory_of_its_own() -> None:
    assert StateDir.of(None).path == CHECKOUT / ".afluente"


def test_git_does_not_see_a_state_directory(state: StateDir) -> None:
    state.create()
    assert (state.path / ".gitignore").read_text() == "*\n"


def test_a_document_comes_back(state: StateDir) -> None:
    write_document(state.emulator_record, RECORD)
    assert read_document(state.emulator_record, EmulatorRecord) == RECORD
    assert RECORD.endpoint == "http://127.0.0.1:2"


@pytest.mark.parametrize("content", [b"", b"{", b'{"pid": "x"}', b"\xff"])
def test_a_document_that_nobody_can_read_is_none(state: StateDir, content: bytes) -> None:
    state.emulator_record.write_bytes(content)
    assert read_document(state.emulator_record, EmulatorRecord) is None


def test_a_secret_is_for_its_owner_alone(state: StateDir) -> None:
    write_document(state.api_key, RECORD, mode=0o600)
    assert state.api_key.stat().st_mode & 0o777 == 0o600


def test_a_document_that_cannot_be_written_leaves_the_one_before(
    state: StateDir, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_document(state.emulator_record, RECORD)
    monkeypatch.setattr(Path, "replace", lambda *_: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        write_document(state.emulator_record, msgspec.structs.replace(RECORD, port=9))
    assert read_document(state.emulator_record, EmulatorRecord) == RECORD
    assert sorted(path.name for path in state.path.iterdir()) == [".gitignore", "emulator.json"]


def test_a_lock_is_held_until_its_holder_dies_however_it_dies(state: StateDir) -> None:
    assert not locks.is_held(state.emulator_lock)
    with subprocess.Popen([sys.executable, "-c", HOLDER, state.emulator_lock], stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"True\n"
        assert locks.is_held(state.emulator_lock)
        assert not locks.hold_until_exit(state.emulator_lock, seconds=0.05)
        holder.send_signal(signal.SIGKILL)
        holder.wait()
    assert not locks.is_held(state.emulator_lock)


def test_one_command_waits_for_the_other(state: StateDir) -> None:
    order: list[str] = []

    def second() -> None:
        with locks.exclusive(state.command_lock, on_wait=lambda: order.append("second waits")):
            order.append("second works")

    with locks.exclusive(state.command_lock, on_wait=lambda: None):
        thread = threading.Thread(target=second)
        thread.start()
        while not order:
            time.sleep(0.01)
        order.append("first works")
    thread.join()
    assert order == ["second waits", "first works", "second works"]


def test_a_port_that_is_taken_is_not_free() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert not ports.is_free(port)
        with pytest.raises(CommandError, match=f"port {port} is taken"):
            ports.choose(port, last=None)
        assert ports.choose(None, last=port) != port
    assert ports.is_free(port)
    assert ports.choose(port, last=None) == port
    assert ports.choose(None, last=port) == port


def test_no_free_port_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ports, "is_free", lambda _: False)
    with pytest.raises(CommandError, match="no port from 4566"):
        ports.choose(None, last=None)


def test_a_port_that_may_not_be_opened_is_not_free(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr("socket.socket.bind", refuse)
    assert not ports.is_free(1)


def test_where_nobody_answers_there_is_no_emulator() -> None:
    assert health.edition_at(1) is None


def test_where_something_else_answers_there_is_no_emulator() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(1000)
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]")

        thread = threading.Thread(target=answer)
        thread.start()
        assert health.edition_at(server.getsockname()[1]) is None
        thread.join()


def test_without_an_emulator_no_stack_runs(state: StateDir) -> None:
    write_document(state.emulator_record, RECORD)
    write_document(state.deployment_record, DeploymentRecord("t", "h", "c", {}, 0.0))
    with pytest.raises(CommandError) as caught:
        find_stack(state)
    assert caught.value.code is ExitCode.UNREACHABLE
    assert caught.value.hint == "run 'afluente up'"


def test_a_stack_that_never_ran_is_down_already(tmp_path: Path) -> None:
    assert not down(StateDir.of(tmp_path / "none"))
    assert not (tmp_path / "none").exists()


def test_a_recycled_process_id_is_never_stopped(state: StateDir) -> None:
    write_document(state.emulator_record, msgspec.structs.replace(RECORD, pid=os.getpid()))
    assert not down(state)
