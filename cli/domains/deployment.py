"""The deployment of a stage, as far as its domains are concerned."""

from typing import TYPE_CHECKING

from cli.constraints.catalogue import catalogue_of
from cli.core.errors import CommandError, ExitCode
from cli.core.local_stack import STAGE
from cli.core.target import Target, TargetChoice, resolve
from cli.local_stack import stack

if TYPE_CHECKING:
    from afluente.adapters.aws.dynamodb_constraints import DynamoConstraintsCatalogue


def stage_of(choice: TargetChoice) -> str:
    """The name of the stage."""
    return choice.stage or STAGE


def find_deployment(choice: TargetChoice) -> Target | None:
    """The deployment of the stage; None where there is none yet."""
    try:
        return resolve(choice)
    except CommandError as error:
        if error.code is ExitCode.UNREACHABLE:
            return None
        raise


def constraints_of(deployment: Target) -> "DynamoConstraintsCatalogue":
    """The constraints of the deployment, written in the name of `domains add`."""
    return catalogue_of(deployment, "domains add")


def update_local_stack(choice: TargetChoice, port: int | None = None) -> None:
    """Bring the local stack up to date with its stage file.

    Raises:
        CommandError: it cannot be, or functions do not answer.
    """
    stack.up(choice.state, port).check_answering()
