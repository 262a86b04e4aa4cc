"""Check that an account has room for the executions that a stage reserves: `python -m infra.quota prod`."""

import sys
from typing import TYPE_CHECKING

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from infra.presets import StageError, load_stage
from infra.stage import Stage

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient

QUOTA_CODE = "L-B99A9384"
"""Service Quotas of Lambda, "Concurrent executions"."""

KEPT_UNRESERVED = 100
"""Lambda, "Configuring reserved concurrency": executions that no reservation may take."""


def main() -> None:
    """Check the stage that the command line names; ends with what to ask AWS for, if there is no room."""
    try:
        stage = load_stage(sys.argv[1])
        if not sum(stage.reservations.values()):
            return
        client = boto3.client("lambda", region_name=stage.region)
        fault = shortage(stage, client)
    except StageError as error:
        sys.exit(str(error))
    except (BotoCoreError, ClientError) as error:
        sys.exit(
            f"the quota of Lambda cannot be read: {error}\n"
            "Allow lambda:GetAccountSettings and lambda:GetFunctionConcurrency to the credentials of the deployment."
        )
    if fault:
        sys.exit(fault)


def shortage(stage: Stage, client: "LambdaClient") -> str | None:
    """The quota that the account needs for a stage, and how to ask for it; None if there is room.

    Args:
        stage: to be deployed, for the first time or again.
        client: of Lambda, in the region of the stage.
    """
    account = client.get_account_settings()["AccountLimit"]
    limit, unreserved = account["ConcurrentExecutions"], account["UnreservedConcurrentExecutions"]
    needed = sum(stage.reservations.values())
    # What this stage has reserved already is replaced.
    own = sum(_reserved(name, client) for name in stage.reservations)
    missing = needed + KEPT_UNRESERVED - (unreserved + own)
    if missing <= 0:
        return None
    return (
        f"stage {stage.name!r} reserves {needed} concurrent executions of Lambda, and {KEPT_UNRESERVED} have to stay "
        f"unreserved; of the {limit} of this account in {stage.region}, others have reserved "
        f"{limit - unreserved - own}. Ask AWS for {limit + missing}:\n\n"
        f"  aws service-quotas request-service-quota-increase --region {stage.region} --service-code lambda "
        f"--quota-code {QUOTA_CODE} --desired-value {limit + missing}\n\n"
        f"or reserve less: [reserved_concurrency] in stages/{stage.name}.toml, 0 for none."
    )


def _reserved(function: str, client: "LambdaClient") -> int:
    try:
        return client.get_function_concurrency(FunctionName=function).get("ReservedConcurrentExecutions", 0)
    except client.exceptions.ResourceNotFoundException:
        return 0


if __name__ == "__main__":
    main()
