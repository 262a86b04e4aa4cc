"""The values of the quotas that a local stack keeps."""

from collections.abc import Sequence

from cli.core.errors import CommandError, ExitCode
from cli.core.local_stack import AwsLimits
from cli.local_stack.aws_limits.quotas import QUOTAS, Kept, Quota


class Values:
    """Values of quotas: AWS's, unless a local stack was started with others."""

    def __init__(self, limits: AwsLimits) -> None:
        self._changed = limits.changed

    def rate(self, quota: Quota) -> float:
        """The value that is kept of a quota in units a second, or in seconds."""
        return self._changed.get(quota.key, quota.value)

    def count(self, quota: Quota) -> int:
        """The value that is kept of a quota that counts things or bytes."""
        return int(self.rate(quota))


def choice_of(on: bool | None, changes: Sequence[str]) -> AwsLimits | None:
    """The choice of the command line; None where it makes none.

    Raises:
        CommandError: a change is none, or the limits are off.
    """
    if on is None and not changes:
        return None
    if changes and on is False:
        raise CommandError("a plain emulator has no limits to change", code=ExitCode.USAGE)
    return AwsLimits(on is not False, read_changes(changes))


def read_changes(texts: Sequence[str]) -> dict[str, float]:
    """Values of quotas from `KEY=VALUE`, as the command line has them.

    Raises:
        CommandError: a text is none, or names no quota that is enforced here.
    """
    enforced = {quota.key for quota in QUOTAS if quota.kept is Kept.ENFORCED}
    changed: dict[str, float] = {}
    for text in texts:
        key, _, number = text.partition("=")
        value = _number(number)
        if key not in enforced or value is None or value <= 0:
            raise CommandError(
                f"'{text}' is no limit: it has to be KEY=VALUE, with a value above 0",
                hint=f"the keys are: {', '.join(sorted(enforced))}",
                code=ExitCode.USAGE,
            )
        changed[key] = value
    return changed


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
