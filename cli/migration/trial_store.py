"""The trial of a deployment, and the check that it can have one."""

from typing import TYPE_CHECKING

from cli.core.errors import CommandError
from cli.core.target import Target

if TYPE_CHECKING:
    from afluente.migration.application.ports import TrialStore

_LEGACY_TABLES = "AFLUENTE_OLD_SQL_SECRET"
_CONSTRAINTS_ALONE = "AFLUENTE_USE_AGNOSTIC_CONSTRAINTS"


def trial_of(target: Target) -> "TrialStore":
    """The trial of a deployment."""
    from afluente.migration.adapters.dynamodb_trial import DynamoTrial  # noqa: PLC0415 - only commands that need it

    return DynamoTrial(target.client("dynamodb"), target["MigrationTable"])


def require_shadow_classifier(target: Target) -> None:
    """Check that the deployment has a shadow classifier.

    Raises:
        CommandError: its classifier has constraints alone, or no legacy tables.
    """
    function = target["ClassifierFunction"]
    found = target.client("lambda").get_function_configuration(FunctionName=function)
    variables = found.get("Environment", {}).get("Variables", {})
    hint = (
        f"set it in the stage's file, stages/{target.name}.toml, and deploy it again, the local one with 'afluente up'"
    )
    if variables.get(_CONSTRAINTS_ALONE, "true") != "false":
        raise CommandError(
            f"stage '{target.name}' classifies the new way alone: use_agnostic_constraints is not false", hint=hint
        )
    if not variables.get(_LEGACY_TABLES):
        raise CommandError(
            f"stage '{target.name}' does not know the legacy service's database: old_sql_secret is not set",
            hint=hint,
        )
