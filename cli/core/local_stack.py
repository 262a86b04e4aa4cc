"""The local stack as it runs on this machine, found by the records that it keeps."""

import time
from collections.abc import Mapping
from dataclasses import dataclass

import msgspec

from cli.core.errors import CommandError, ExitCode
from cli.core.locks import is_held
from cli.core.state import StateDir, read_document

STAGE = "local"
"""The stage that the local stack is; its resources begin with `afluente-local`."""

REGION = "us-east-1"
"""The region that the local stack plays."""

LOOPBACK = "127.0.0.1"

_RECORD_SECONDS = 10.0
_POLL_SECONDS = 0.05


class AwsLimits(msgspec.Struct, frozen=True):
    """The quotas of AWS that a local stack keeps.

    Attributes:
        on: False for a plain emulator.
        changed: values other than AWS's, by the key of the quota.
    """

    on: bool = True
    changed: Mapping[str, float] = msgspec.field(default_factory=dict)

    def __str__(self) -> str:
        if not self.on:
            return "off: a plain emulator (--no-aws-limits)"
        changes = ", ".join(f"{key}={value:g}" for key, value in sorted(self.changed.items()))
        return f"on, with {changes}" if changes else "on"


class EmulatorRecord(msgspec.Struct, frozen=True):
    """A running emulator, as it recorded itself.

    Attributes:
        pid: its process, leader of a session and process group of its own.
        port: of its endpoint, on 127.0.0.1.
        mqtt_port: of its MQTT broker; None for an earlier release, which has none.
        token: names this run; its state lives in memory and ends with it.
        started_at: Unix seconds.
        aws_limits: the quotas of AWS that it keeps; None for an earlier release, which keeps none.
    """

    pid: int
    port: int
    token: str
    started_at: float
    mqtt_port: int | None = None
    aws_limits: AwsLimits | None = None

    @property
    def endpoint(self) -> str:
        """Base URL of the emulator."""
        return f"http://{LOOPBACK}:{self.port}"


class DeploymentRecord(msgspec.Struct, frozen=True):
    """The last deployment to the emulator.

    Attributes:
        token: the run of the emulator it was deployed to.
        template_hash: of the sources of the templates.
        code_hash: of the code of the functions.
        outputs: of the service stack.
        deployed_at: Unix seconds.
    """

    token: str
    template_hash: str
    code_hash: str
    outputs: dict[str, str]
    deployed_at: float


@dataclass(frozen=True, slots=True)
class RunningStack:
    """A local stack that is up.

    Attributes:
        emulator: where it runs.
        outputs: of the service stack.
    """

    emulator: EmulatorRecord
    outputs: Mapping[str, str]

    @property
    def api_url(self) -> str:
        """Base of the HTTP API: by path, since names under `localhost` do not resolve everywhere."""
        return f"{self.emulator.endpoint}/_aws/execute-api/{self.outputs['HttpApiId']}"


def find_stack(state: StateDir) -> RunningStack:
    """The local stack that runs.

    Raises:
        CommandError: none runs, or its deployment was never finished.
    """
    emulator = find_emulator(state)
    record = read_document(state.deployment_record, DeploymentRecord)
    if emulator is None or record is None or record.token != emulator.token:
        raise CommandError("no local stack is running", hint="run 'afluente up'", code=ExitCode.UNREACHABLE)
    return RunningStack(emulator, record.outputs)


def find_emulator(state: StateDir) -> EmulatorRecord | None:
    """The emulator that runs for `state`, whether it answers yet or not; None where there is none."""
    deadline = time.monotonic() + _RECORD_SECONDS
    while is_held(state.emulator_lock):
        record = read_document(state.emulator_record, EmulatorRecord)
        if record is not None:
            return record
        # It holds its lock but has not recorded itself yet: an instant, unless something is very wrong.
        if time.monotonic() > deadline:
            raise CommandError(
                f"an emulator holds {state.emulator_lock}, but does not say where it runs",
                hint=f"find its process ('fuser {state.emulator_lock}'), stop it and try again",
            )
        time.sleep(_POLL_SECONDS)
    return None
