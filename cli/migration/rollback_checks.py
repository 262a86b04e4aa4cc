"""What has to be seen to before constraints are taken back, so that nobody's readings are judged by nothing."""

import time
from typing import TYPE_CHECKING

from cli.core.errors import CommandError
from cli.migration.trial_store import check_two_ways, trial_of

if TYPE_CHECKING:
    from cli.core.target import Target


def without_constraints(target: "Target") -> str | None:
    """What readings without constraints will be judged by, if that is not the old thresholds.

    A call that is not permitted is no reason to stop: who goes back may be in a hurry.
    """
    from botocore.exceptions import ClientError  # noqa: PLC0415 - only commands that call AWS

    try:
        check_two_ways(target)
    except CommandError as error:
        return f"{error.message}. Without constraints, readings of these sensors are normal, or judged by a template"
    except ClientError as error:
        return f"whether the classifier knows the old thresholds could not be seen ({error.response['Error']['Code']})"
    return None


def stop_canary(target: "Target") -> bool:
    """Let everybody go the old way; says whether anybody did not.

    Raises:
        CommandError: the canary has changed at this moment.
    """
    from afluente.migration.application.canary_commands import CanaryCommands, CommandRefusedError  # noqa: PLC0415

    try:
        event = CanaryCommands(trial_of(target), clock=time.time).roll_back("the thresholds were taken back")
    except CommandRefusedError as error:
        raise CommandError(error.message, hint="run the same command again") from None
    return event is not None
