"""The local stack as a whole: bring it up to date with the checkout, stop it, inspect it."""

import time
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from cli.core import aws, locks
from cli.core.errors import CommandError, ExitCode
from cli.core.local_stack import REGION, STAGE, AwsLimits, DeploymentRecord, EmulatorRecord, RunningStack, find_emulator
from cli.core.output import err, step
from cli.core.state import CHECKOUT, StateDir, read_document, write_document
from cli.local_stack import assembly as assemblies
from cli.local_stack import cloudformation, code, emulator, health, sources, synthesis
from cli.local_stack.warm_up import warm_up

SERVICE_STACK = f"afluente-{STAGE}-service"

_ANSWER_SECONDS = 15.0
_POLL_SECONDS = 0.1


class Change(StrEnum):
    """The work that brought the stack up to date."""

    NOTHING = "nothing"
    CODE = "code"
    STACKS = "stacks"


@dataclass(frozen=True, slots=True)
class UpdatedStack(RunningStack):
    """A local stack that was brought up to date.

    Attributes:
        change: the work that this took.
        not_answering: functions that were started and did not answer as they should.
    """

    change: Change = Change.NOTHING
    not_answering: tuple[str, ...] = ()

    def check_answering(self) -> None:
        """Check that every function answers.

        Raises:
            CommandError: some do not; it names them.
        """
        if self.not_answering:
            raise CommandError(
                f"deployed, but not answering as they should: {', '.join(self.not_answering)}",
                hint=f"see 'afluente logs {self.not_answering[0]}'",
            )


def up(state: StateDir, port: int | None, limits: AwsLimits | None = None) -> UpdatedStack:
    """Bring the local stack up to date with the checkout, starting whatever is not there yet.

    Args:
        state: its state directory.
        port: the emulator's port; None for the one it has, had, or the first free one from 4566.
        limits: the quotas of AWS that it keeps; None for those it has, or all of them.

    Raises:
        CommandError: see its message; nothing is left that keeps the next call from working.
    """
    state.create()
    with locks.exclusive(state.command_lock, on_wait=lambda: _say_waiting(state)):
        running = _answering_emulator(state)
        if running is not None:
            _check_port(running, port)
            _check_limits(running, limits)
            return _bring_up_to_date(state, running)
        with step("starting the emulator"):
            started = emulator.start(state, port, limits)
        try:
            return _bring_up_to_date(state, started)
        except BaseException:
            # An emulator without a deployment is of no use, and Ctrl-C means that nothing is to be left running.
            emulator.stop(state)
            raise


def down(state: StateDir) -> bool:
    """Stop the local stack, which loses its data; False if none ran."""
    if not state.path.exists():
        return False
    with locks.exclusive(state.command_lock, on_wait=lambda: _say_waiting(state)):
        return emulator.stop(state)


def _answering_emulator(state: StateDir) -> EmulatorRecord | None:
    running = find_emulator(state)
    if running is None:
        return None
    # An interrupted `up` may have left it while it was starting, or it has much to do.
    deadline = time.monotonic() + _ANSWER_SECONDS
    while health.edition_at(running.port) != running.token:
        if time.monotonic() > deadline:
            with step("stopping an emulator that does not answer"):
                emulator.stop(state)
            return None
        time.sleep(_POLL_SECONDS)
    return running


def _check_port(running: EmulatorRecord, port: int | None) -> None:
    if port is not None and port != running.port:
        raise CommandError(
            f"the local stack already runs on port {running.port}, not {port}",
            hint="leave the port out, or run 'afluente down' first",
            code=ExitCode.USAGE,
        )


def _check_limits(running: EmulatorRecord, limits: AwsLimits | None) -> None:
    if limits is not None and limits != running.aws_limits:
        raise CommandError(
            f"the local stack already runs; AWS's limits: {running.aws_limits}",
            hint="run 'afluente down' first, which loses its data",
            code=ExitCode.USAGE,
        )


def _bring_up_to_date(state: StateDir, running: EmulatorRecord) -> UpdatedStack:
    template_hash, code_hash = sources.template_hash(CHECKOUT), sources.code_hash(CHECKOUT)
    record = read_document(state.deployment_record, DeploymentRecord)
    stacks_are_right = record is not None and record.token == running.token and record.template_hash == template_hash
    if record is not None and stacks_are_right and record.code_hash == code_hash:
        return UpdatedStack(running, record.outputs)
    connection = aws.local_connection(running.endpoint, REGION)
    assembly = assemblies.read(_synthesised(state, template_hash))
    if not stacks_are_right:
        # Until the deployment is whole there is none: an interrupted one must not pass for the one before it.
        state.deployment_record.unlink(missing_ok=True)
        _deploy(connection, assembly)
    with step("updating the code of the functions"):
        code.update(connection, assembly)
    outputs = aws.outputs_of(connection, SERVICE_STACK)
    record = DeploymentRecord(running.token, template_hash, code_hash, outputs, time.time())
    write_document(state.deployment_record, record)
    with step("starting the functions"):
        not_answering = warm_up(connection, running.port, outputs)
    change = Change.CODE if stacks_are_right else Change.STACKS
    return UpdatedStack(running, outputs, change, tuple(not_answering))


def _synthesised(state: StateDir, template_hash: str) -> Path:
    cached = synthesis.cached(state, template_hash)
    if cached is not None:
        return cached
    with step("synthesising the templates (kept until the infrastructure changes)"):
        return synthesis.synthesise(state, STAGE, template_hash)


def _deploy(connection: aws.Connection, assembly: assemblies.Assembly) -> None:
    with step("uploading the assets"):
        cloudformation.upload(connection, assembly.assets.values(), REGION)
    for stack in assembly.stacks:
        with step(f"deploying {stack.name}"):
            cloudformation.deploy(connection, stack)


def _say_waiting(state: StateDir) -> None:
    err().print(f"another 'afluente' is changing the stack in {state.path}; waiting for it")
