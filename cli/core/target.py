"""Deployments that commands work on: the local stack, a stage in an AWS account, or an API by its address."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from cli.core import aws
from cli.core.errors import CommandError, ExitCode
from cli.core.local_stack import REGION, STAGE, find_stack
from cli.core.state import StateDir

_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


@dataclass(frozen=True, slots=True)
class TargetChoice:
    """The user's options that choose a deployment.

    Attributes:
        state: state directory of the local stack.
        stage: a stage in an account; None for the local stack.
        profile: an AWS profile, with a stage.
        region: an AWS region, with a stage.
        url: base of an HTTP API, to be reached with a key alone.
        websocket_url: base of a WebSocket API, to be reached with a key alone.
    """

    state: StateDir
    stage: str | None = None
    profile: str | None = None
    region: str | None = None
    url: str | None = None
    websocket_url: str | None = None

    @property
    def is_api_alone(self) -> bool:
        """True if the deployment is reached with an API key and nothing else."""
        return bool(self.url or self.websocket_url)


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
        is_api_alone: whether it is reached with an API key and nothing else; work with AWS credentials fails then.
        given_websocket_url: the WebSocket API's address as given by the user; None if none was given.
    """

    name: str
    connection: aws.Connection
    outputs: Mapping[str, str]
    api_url: str
    state: StateDir
    is_local: bool
    is_api_alone: bool = False
    given_websocket_url: str | None = None

    @property
    def uses_proxies(self) -> bool:
        """True if the user's proxy settings apply: not for addresses on this machine."""
        return not self.is_local and urlsplit(self.given_websocket_url or self.api_url).hostname not in _LOOPBACK

    @property
    def websocket_url(self) -> str:
        """The WebSocket API.

        Raises:
            CommandError: the stage has none.
        """
        if self.is_api_alone and self.given_websocket_url is None:
            raise CommandError(
                "the address of the WebSocket API is needed",
                hint="give it with --ws-url or AFLUENTE_WS_URL; the operators know it",
                code=ExitCode.USAGE,
            )
        url = self.find_websocket_url()
        if url is None:
            raise CommandError(
                f"stage '{self.name}' has no WebSocket API",
                hint="set enable_websocket_ingest = true in the stage's file and deploy it again",
            )
        return url

    def find_websocket_url(self) -> str | None:
        """The WebSocket API; None where the stage has none."""
        if self.given_websocket_url is not None:
            return self.given_websocket_url
        if "WebSocketUrl" not in self.outputs:
            return None
        url = urlsplit(self.outputs["WebSocketUrl"])
        if not self.connection.endpoint:
            return url.geturl()
        # By path, since names under `localhost` do not resolve everywhere; the stage is the path of the URL.
        local = urlsplit(self.connection.endpoint)
        return f"ws://{local.netloc}/_aws/execute-api/{self.outputs['WebSocketApiId']}{url.path}"

    @property
    def csv_bucket(self) -> str:
        """The bucket of CSV files.

        Raises:
            CommandError: the stage accepts no CSV files.
        """
        if "CsvBucket" not in self.outputs:
            raise CommandError(
                f"stage '{self.name}' takes no CSV files: CSV ingestion is switched off there",
                hint="set enable_csv_ingest = true in the stage's file and deploy it again",
            )
        return self.outputs["CsvBucket"]

    def client(self, service: str, **options: Any) -> Any:
        """A client of an AWS service of this deployment."""
        return self.connection.client(service, **options)

    def open_domains(self) -> tuple[str, ...]:
        """The domains that the deployment is open for."""
        configuration = self.client("lambda").get_function_configuration(FunctionName=self["HttpIngestFunction"])
        return tuple(configuration["Environment"]["Variables"]["AFLUENTE_DOMAINS"].split(","))

    def __getitem__(self, output: str) -> str:
        """An output of the service stack by name."""
        try:
            return self.outputs[output]
        except KeyError:
            raise CommandError(
                f"stage '{self.name}' has no output '{output}': it was deployed by another release",
                hint="deploy it again, the local one with 'afluente up'",
            ) from None


def resolve(choice: TargetChoice) -> Target:
    """Find the deployment.

    Raises:
        CommandError: it does not run, is not deployed, or the options contradict each other.
    """
    if choice.is_api_alone:
        return _by_address(choice)
    if choice.stage is None:
        if choice.profile or choice.region:
            raise CommandError(
                "--profile and --region belong to a stage in an account",
                hint="say which with --stage, or leave them out for the local stack",
                code=ExitCode.USAGE,
            )
        return _local(choice.state)
    return _in_account(choice, choice.stage)


class _NoOutputs(Mapping[str, str]):
    """The outputs of a deployment that is known by its address alone."""

    def __getitem__(self, name: str) -> str:
        raise aws.needs_credentials()

    def __iter__(self) -> Iterator[str]:
        raise aws.needs_credentials()

    def __len__(self) -> int:
        raise aws.needs_credentials()


def _by_address(choice: TargetChoice) -> Target:
    if choice.stage or choice.profile or choice.region:
        raise CommandError(
            "--url (or AFLUENTE_URL) reaches an API alone; --stage, --profile and --region belong to an account",
            hint="leave one or the other out",
            code=ExitCode.USAGE,
        )
    api_url = _address(choice.url, "https") if choice.url else ""
    websocket_url = _address(choice.websocket_url, "wss") if choice.websocket_url else None
    return Target(
        name=str(urlsplit(websocket_url or api_url).hostname),
        connection=aws.no_connection(),
        outputs=_NoOutputs(),
        api_url=api_url,
        state=choice.state,
        is_local=False,
        is_api_alone=True,
        given_websocket_url=websocket_url,
    )


def _address(text: str, scheme: str) -> str:
    """The address of an API, without a slash at the end.

    Raises:
        CommandError: it is no address, or one without encryption, which would expose the key.
    """
    try:
        url = urlsplit(text)
        # An invalid port raises only when it is read.
        host, _ = url.hostname, url.port
    except ValueError:
        raise _no_address(scheme) from None
    is_encrypted = url.scheme == scheme
    if not host or (not is_encrypted and url.scheme != scheme.removesuffix("s")):
        raise _no_address(scheme)
    if not is_encrypted and host not in _LOOPBACK:
        raise CommandError(
            f"the address of {host} begins with {url.scheme}://, over which others could read the key",
            hint=f"give it with {scheme}://",
            code=ExitCode.USAGE,
        )
    if url.query or url.fragment or "@" in url.netloc:
        raise _no_address(scheme)
    return text.rstrip("/")


def _no_address(scheme: str) -> CommandError:
    # Not with what was given: a password might be in it.
    return CommandError(
        "what was given is no address of an API",
        hint=f"it looks like {scheme}://a1b2c3.execute-api.eu-west-1.amazonaws.com",
        code=ExitCode.USAGE,
    )


def _local(state: StateDir) -> Target:
    running = find_stack(state)
    return Target(
        name=STAGE,
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
            f"there is no stack '{name}' in region {connection.region} of this account",
            hint="check --stage, --profile and --region, or deploy the stage first",
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
