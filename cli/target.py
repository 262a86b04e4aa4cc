"""Which deployment a command works on: the local stack, or a stage in an AWS account."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from cli import aws
from cli.errors import CommandError, ExitCode
from cli.local_stack import stack
from cli.local_stack.emulator import REGION
from cli.local_stack.state import StateDir


@dataclass(frozen=True, slots=True)
class TargetChoice:
    """What the user said about the deployment.

    Attributes:
        state: state directory of the local stack.
        stage: a stage in an account; None for the local stack.
        profile: an AWS profile, with a stage.
        region: an AWS region, with a stage.
    """

    state: StateDir
    stage: str | None = None
    profile: str | None = None
    region: str | None = None


@dataclass(frozen=True, slots=True)
class Target:
    """A deployment that was found.

    Attributes:
        name: the stage's name.
        connection: makes its clients.
        outputs: of its service stack: names and addresses of all that a command works with.
        api_url: base of its HTTP API, without a slash at the end.
        state: the state directory, for what is kept on this machine.
        is_local: whether it is the local stack.
    """

    name: str
    connection: aws.Connection
    outputs: Mapping[str, str]
    api_url: str
    state: StateDir
    is_local: bool

    @property
    def websocket_url(self) -> str:
        """The WebSocket API.

        Raises:
            CommandError: the stage has none.
        """
        url = self.find_websocket_url()
        if url is None:
            raise CommandError(
                f"stage '{self.name}' has no WebSocket API",
                way_out="set enable_websocket_ingest = true in the stage's file and deploy it again",
            )
        return url

    def find_websocket_url(self) -> str | None:
        """The WebSocket API; None where the stage has none."""
        if "WebSocketUrl" not in self.outputs:
            return None
        url = urlsplit(self.outputs["WebSocketUrl"])
        if not self.connection.endpoint:
            return url.geturl()
        # By path, since names under `localhost` do not resolve everywhere; the stage is the path of the URL.
        local = urlsplit(self.connection.endpoint)
        return f"ws://{local.netloc}/_aws/execute-api/{self.outputs['WebSocketApiId']}{url.path}"

    def client(self, service: str, **options: Any) -> Any:
        """A client of an AWS service of this deployment."""
        return self.connection.client(service, **options)

    def __getitem__(self, output: str) -> str:
        """An output of the service stack by name."""
        try:
            return self.outputs[output]
        except KeyError:
            raise CommandError(
                f"stage '{self.name}' has no output '{output}': it was deployed by another release",
                way_out="deploy it again, the local one with 'afluente up'",
            ) from None


def resolve(choice: TargetChoice) -> Target:
    """Find the deployment.

    Raises:
        CommandError: it does not run, is not deployed, or the options contradict each other.
    """
    if choice.stage is None:
        if choice.profile or choice.region:
            raise CommandError(
                "--profile and --region belong to a stage in an account",
                way_out="say which with --stage, or leave them out for the local stack",
                code=ExitCode.USAGE,
            )
        return _local(choice.state)
    return _in_account(choice, choice.stage)


def _local(state: StateDir) -> Target:
    running = stack.find(state)
    return Target(
        name=stack.STAGE,
        connection=aws.local_connection(running.emulator.endpoint, REGION),
        outputs=running.outputs,
        api_url=running.api_url,
        state=state,
        is_local=True,
    )


def _in_account(choice: TargetChoice, stage: str) -> Target:
    connection = aws.account_connection(choice.profile, choice.region)
    name = f"afluente-{stage}-service"
    outputs = aws.outputs_of(connection, name)
    if not outputs:
        raise CommandError(
            f"there is no stack '{name}' in region {connection.session.region_name} of this account",
            way_out="check --stage, --profile and --region, or deploy the stage first",
            code=ExitCode.UNREACHABLE,
        )
    return Target(
        name=stage,
        connection=connection,
        outputs=outputs,
        api_url=outputs["HttpApiUrl"].rstrip("/"),
        state=choice.state,
        is_local=False,
    )
