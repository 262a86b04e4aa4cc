"""The command line as a whole: output and exit codes."""

import inspect
import subprocess
import sys
from pathlib import Path

import pytest
from botocore import exceptions

from afluente.application.errors import UnavailableError
from cli import main as command_line
from cli.core.aws import Connection
from cli.core.errors import CommandError, ExitCode, explain
from cli.core.options import flowing, targeted
from cli.core.state import StateDir
from cli.core.target import Target, TargetChoice, resolve


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["afluente", *arguments])
    with pytest.raises(SystemExit) as caught:
        command_line.main()
    assert isinstance(caught.value.code, int)
    return caught.value.code


@pytest.fixture(autouse=True)
def own_state(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("AFLUENTE_STATE_DIR", str(tmp_path / "state"))


COMMANDS = [
    ["up"],
    ["down"],
    ["status"],
    ["logs"],
    ["tail"],
    ["alarms"],
    ["send", "http"],
    *(["keys", name] for name in ("create", "list", "revoke")),
    *(["constraints", name] for name in ("apply", "validate", "get", "list", "delete", "history", "rollback")),
    *(["dlq", name] for name in ("status", "redrive")),
]


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_command_teaches_with_an_example(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], command: list[str]
) -> None:
    assert run(monkeypatch, *command, "--help") == 0
    assert f"afluente {' '.join(command)}" in capsys.readouterr().out.split("Example")[1]


def test_the_help_lists_the_exit_codes(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(monkeypatch, "--help") == 0
    assert "Exit codes" in capsys.readouterr().out


NEED_A_STACK = [
    ["status"],
    ["logs", "classifier"],
    ["tail"],
    ["alarms"],
    ["send", "http", "--domain", "iot", "--source", "s", "x.csv"],
    ["keys", "list"],
    ["constraints", "list"],
    ["constraints", "get", "iot"],
    ["dlq", "status"],
]


@pytest.mark.parametrize("command", NEED_A_STACK, ids=" ".join)
def test_without_a_stack_every_command_says_how_to_start_one(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], command: list[str]
) -> None:
    assert run(monkeypatch, *command) == ExitCode.UNREACHABLE
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == "error: no local stack is running\n→ run 'afluente up'\n"


def test_a_program_can_ask_whether_a_stack_runs(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, "status", "--json") == ExitCode.UNREACHABLE
    assert capsys.readouterr().out == '{"running":false}\n'


@pytest.mark.parametrize(
    "command",
    [
        ["nonsense"],
        ["tail", "nonsense"],
        ["tail", "--profile", "p"],
        ["alarms", "--since", "yesterday"],
        ["logs", "nonsense"],
        ["logs", "emulator", "--stage", "dev"],
        ["up", "--port", "0"],
        ["send", "http", "x.csv"],
        ["constraints", "get", "iot/a"],
        ["constraints", "get", "iot/a/b", "--type", "t"],
        ["constraints", "validate", "none.yaml"],
    ],
    ids=" ".join,
)
def test_wrong_usage_ends_with_2(monkeypatch: pytest.MonkeyPatch, command: list[str]) -> None:
    assert run(monkeypatch, *command) == ExitCode.USAGE


def test_down_is_done_when_nothing_runs(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(monkeypatch, "down") == 0
    assert capsys.readouterr().err == "no local stack was running\n"


def test_a_sound_file_of_constraints_is_said_to_be_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    file = tmp_path / "a.yaml"
    file.write_text("- domain: iot\n")
    assert run(monkeypatch, "constraints", "validate", str(file)) == 0
    assert capsys.readouterr().out == "entries: 1, none with a fault\n"


def test_faults_of_constraints_are_reported_with_entry_and_field(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    file = tmp_path / "a.yaml"
    file.write_text("- domain: iot\n  value_constraints: {min_value: 3, max_value: 1}\n")
    assert run(monkeypatch, "constraints", "validate", str(file)) == ExitCode.FAILED
    captured = capsys.readouterr().err
    assert "value_constraints.min_value" in captured
    assert "(impossible)" in captured
    assert run(monkeypatch, "constraints", "validate", str(file), "--json") == ExitCode.FAILED
    assert '"index":0,"name":"iot"' in capsys.readouterr().out


def test_the_help_starts_without_the_libraries_of_the_work() -> None:
    script = "import sys, cli.main; print(sorted({'boto3', 'botocore', 'httpx', 'yaml', 'aws_cdk'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True, text=True)
    assert done.stdout == "[]\n"


def test_an_error_of_our_own_is_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("cli.local_stack.stack.down", fail)
    monkeypatch.setattr(sys, "argv", ["afluente", "down"])
    with pytest.raises(ZeroDivisionError):
        command_line.main()


def test_ctrl_c_ends_with_130(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("cli.local_stack.stack.down", interrupt)
    assert run(monkeypatch, "down") == ExitCode.INTERRUPTED


@pytest.mark.parametrize(
    ("error", "message", "code"),
    [
        (UnavailableError("DynamoDB table t: AccessDenied"), "DynamoDB table t", ExitCode.UNREACHABLE),
        (PermissionError(13, "denied", "/x"), "no permission for /x", ExitCode.FAILED),
        (FileNotFoundError(2, "no", "/x"), "/x does not exist", ExitCode.USAGE),
        (OSError("disk full"), "disk full", ExitCode.FAILED),
        (
            exceptions.ClientError({"Error": {"Code": "AccessDenied", "Message": "not you"}}, "Scan"),
            "AWS refused Scan: not you (AccessDenied)",
            ExitCode.FAILED,
        ),
        (exceptions.NoCredentialsError(), "no AWS credentials", ExitCode.USAGE),
        (exceptions.ProfileNotFound(profile="p"), "(p)", ExitCode.USAGE),
        (exceptions.EndpointConnectionError(endpoint_url="http://x"), "cannot be reached", ExitCode.UNREACHABLE),
        (exceptions.ReadTimeoutError(endpoint_url="http://x"), "cannot be reached", ExitCode.UNREACHABLE),
        (exceptions.ParamValidationError(report="r"), "r", ExitCode.FAILED),
    ],
    ids=lambda value: type(value).__name__,
)
def test_expected_failures_are_sentences(error: Exception, message: str, code: ExitCode) -> None:
    explained = explain(error)
    assert explained is not None
    assert message in explained.message
    assert explained.code is code


def test_a_failure_below_a_command_is_shown_as_a_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr("cli.local_stack.stack.down", fail)
    assert run(monkeypatch, "down") == ExitCode.FAILED
    assert capsys.readouterr().err == "error: disk full\n"


def test_a_fault_of_ours_is_no_expected_failure() -> None:
    assert explain(ZeroDivisionError()) is None


def test_a_command_with_a_target_gets_the_options_that_say_which() -> None:
    @targeted
    def command(target: TargetChoice, name: str = "x") -> None:
        """Do it.

        In two
        lines.
        """

    assert list(inspect.signature(command).parameters) == ["name", "stage", "profile", "region", "state_dir", "url"]
    assert command.__doc__ == "Do it.\n\nIn two lines."


def test_an_indented_paragraph_keeps_its_lines() -> None:
    assert flowing("a\nb\n\n  c\n  d") == "a b\n\n  c\n  d"


def test_a_missing_output_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:

    target = Target("dev", Connection(None), {}, "http://x", StateDir.of(None), is_local=False)
    with pytest.raises(CommandError, match="no output 'AlertStream'"):
        target["AlertStream"]


def test_a_stage_that_is_not_deployed_is_said_to_be_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:

    monkeypatch.setattr("cli.core.aws.outputs_of", lambda *_: {})
    with pytest.raises(CommandError) as caught:
        resolve(TargetChoice(StateDir.of(tmp_path), stage="dev", region="eu-west-1"))
    assert caught.value.code is ExitCode.UNREACHABLE
    assert caught.value.message == "there is no stack 'afluente-dev-service' in region eu-west-1 of this account"


def test_a_stage_in_an_account_is_found_by_its_outputs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:

    monkeypatch.setattr("cli.core.aws.outputs_of", lambda *_: {"HttpApiUrl": "https://x.example/", "AlertStream": "a"})
    target = resolve(TargetChoice(StateDir.of(tmp_path), stage="dev", region="eu-west-1"))
    assert (target.name, target.api_url, target["AlertStream"], target.is_local) == (
        "dev",
        "https://x.example",
        "a",
        False,
    )
    assert target.connection.endpoint is None
