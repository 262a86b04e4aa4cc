"""Where a deployment keeps its trial, and whether it has one."""

from typing import TYPE_CHECKING

from cli.core.errors import CommandError
from cli.core.target import Target

if TYPE_CHECKING:
    from afluente.migration.application.trial import TrialStore

_OLD_TABLES = "AFLUENTE_OLD_SQL_SECRET"
_NEW_WAY_ALONE = "AFLUENTE_USE_AGNOSTIC_CONSTRAINTS"


def trial_of(target: Target) -> "TrialStore":
    """The trial of a deployment."""
    from afluente.migration.adapters.dynamodb_trial import DynamoTrial  # noqa: PLC0415 - only commands that need it

    return DynamoTrial(target.client("dynamodb"), target["MigrationTable"])


def check_two_ways(target: Target) -> None:
    """See that the deployment's classifier can judge by both ways.

    Raises:
        CommandError: it knows one alone.
    """
    function = target["ClassifierFunction"]
    found = target.client("lambda").get_function_configuration(FunctionName=function)
    variables = found.get("Environment", {}).get("Variables", {})
    hint = (
        f"set it in the stage's file, stages/{target.name}.toml, and deploy it again, the local one with 'afluente up'"
    )
    if variables.get(_NEW_WAY_ALONE, "true") != "false":
        raise CommandError(
            f"stage '{target.name}' judges by the new way alone: use_agnostic_constraints is not false", hint=hint
        )
    if not variables.get(_OLD_TABLES):
        raise CommandError(
            f"stage '{target.name}' does not know the old service's database: old_sql_secret is not set",
            hint=hint,
        )
