"""Clients of AWS: of the local stack with made-up credentials, or of an account with the user's own."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cli.core.errors import CommandError, ExitCode

if TYPE_CHECKING:
    import boto3
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_cloudformation.type_defs import StackTypeDef


@dataclass(frozen=True, slots=True)
class Connection:
    """Endpoint and credentials of the clients of a deployment.

    Attributes:
        session: credentials and region; None where only the API is reached.
        endpoint: the emulator's URL; None for AWS itself.
    """

    session: "boto3.Session | None"
    endpoint: str | None = None

    @property
    def region(self) -> str | None:
        """The default region of its clients."""
        return self.session.region_name if self.session else None

    # The caller says which client it asked for; boto3's stubs know that from a literal only.
    def client(self, service: str, **options: Any) -> Any:
        """A client of a service: it retries when throttled, and uses no proxy for the local stack.

        Raises:
            CommandError: only the API is reached.
        """
        if self.session is None:
            raise needs_credentials()
        from botocore.config import Config  # noqa: PLC0415 - half a second that most commands need not spend

        config = Config(
            retries={"mode": "standard", "total_max_attempts": 5},
            proxies={} if self.endpoint else None,
            **options,
        )
        return self.session.client(service, endpoint_url=self.endpoint, config=config)  # type: ignore[call-overload] # any service


def needs_credentials() -> CommandError:
    """The error of a command that cannot do its work over the API alone."""
    return CommandError(
        "this needs the operators' AWS credentials: --url (or AFLUENTE_URL) reaches the API alone",
        hint="say --stage in place of --url, or leave both out (and AFLUENTE_URL unset) for the local stack",
        code=ExitCode.USAGE,
    )


def local_connection(endpoint: str, region: str) -> Connection:
    """The emulator at `endpoint`; the user's profile, keys and configuration files are ignored."""
    import boto3  # noqa: PLC0415 - half a second that most commands need not spend
    import botocore.session  # noqa: PLC0415

    core = botocore.session.Session(session_vars={"profile": (None, None, None, None)})
    session = boto3.Session(
        aws_access_key_id="test",
        aws_secret_access_key="test",  # noqa: S106 - the emulator takes any
        region_name=region,
        botocore_session=core,
    )
    return Connection(session, endpoint)


def account_connection(profile: str | None, region: str | None) -> Connection:
    """An AWS account, found as the AWS CLI finds it unless a profile or region is given."""
    import boto3  # noqa: PLC0415 - half a second that most commands need not spend

    return Connection(boto3.Session(profile_name=profile, region_name=region))


def no_connection() -> Connection:
    """No endpoint and no session: with an API key alone, the user's AWS credentials are not used."""
    return Connection(None)


def describe_stack(connection: Connection, name: str) -> "StackTypeDef | None":
    """A CloudFormation stack by name; None where there is none."""
    from botocore.exceptions import ClientError  # noqa: PLC0415 - half a second that most commands need not spend

    cloudformation: CloudFormationClient = connection.client("cloudformation")
    try:
        return cloudformation.describe_stacks(StackName=name)["Stacks"][0]
    except ClientError as error:
        # The one thing that can be wrong with this request is its name.
        if error.response["Error"]["Code"] == "ValidationError":
            return None
        raise


def outputs_of(connection: Connection, stack_name: str) -> dict[str, str]:
    """The outputs of a stack by name; none where there is no such stack."""
    stack = describe_stack(connection, stack_name)
    outputs = stack.get("Outputs", []) if stack else []
    return {output["OutputKey"]: output["OutputValue"] for output in outputs}
