"""Checks before constraints are rolled back, so that no reading is left without constraints and thresholds."""

import time
from typing import TYPE_CHECKING

from cli.core.errors import CommandError
from cli.migration.trial_store import require_shadow_classifier, trial_of

if TYPE_CHECKING:
    from cli.core.target import Target


def without_constraints(target: "Target") -> str | None:
    """A warning if readings without constraints are not classified by the legacy thresholds; None if they are.

    A check that is not permitted only warns: a rollback may be urgent.
    """
    from botocore.exceptions import ClientError  # noqa: PLC0415 - only commands that call AWS

    try:
        require_shadow_classifier(target)
    except CommandError as error:
        return (
            f"{error.message}. Without constraints, readings of these sensors are normal, or classified by a template"
        )
    except ClientError as error:
        return (
            f"whether the classifier knows the legacy thresholds could not be seen ({error.response['Error']['Code']})"
        )
    return None


def stop_canary(target: "Target") -> bool:
    """Take every source out of the canary; returns whether one was in it.

    Raises:
        CommandError: the canary has changed at the same moment.
    """
    from afluente.migration.application.canary_commands import CanaryCommands, CommandRefusedError  # noqa: PLC0415

    try:
        event = CanaryCommands(trial_of(target), clock=time.time).roll_back("the thresholds were taken back")
    except CommandRefusedError as error:
        raise CommandError(error.message, hint="run the same command again") from None
    return event is not None
