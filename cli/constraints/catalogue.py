"""The constraints of a deployment, reached with rights in AWS and not over the API."""

from typing import TYPE_CHECKING

from cli.core.target import Target

if TYPE_CHECKING:
    from afluente.adapters.aws.dynamodb_constraints import DynamoConstraintsCatalogue

_CONNECTIONS = 16


def catalogue_of(target: Target, by: str) -> "DynamoConstraintsCatalogue":
    """The constraints of a deployment.

    Args:
        target: the deployment.
        by: name of the command for the history.
    """
    from afluente.adapters.aws.dynamodb_constraints import DynamoConstraintsCatalogue  # noqa: PLC0415 - half a second

    client = target.client("dynamodb", max_pool_connections=_CONNECTIONS)
    return DynamoConstraintsCatalogue(client, target["ConstraintsTable"], target["ConstraintHistoryTable"], by=by)
