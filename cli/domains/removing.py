"""Removing a domain: it is closed, and its points, constraints and files stay."""

from cli.core.errors import CommandError, ExitCode
from cli.core.target import TargetChoice
from cli.domains import stage_file
from cli.domains.deployment import find_deployment, stage_of, update_local_stack


def check_removable(choice: TargetChoice, name: str) -> None:
    """Check that a domain can be closed.

    Raises:
        CommandError: it is not open, or it is the only one.
    """
    stage = stage_of(choice)
    present = stage_file.open_domains(stage)
    if name not in present:
        raise CommandError(f"the domain '{name}' is not open in stage '{stage}'", hint=f"open are {', '.join(present)}")
    if len(present) == 1:
        raise CommandError(
            f"'{name}' is the only domain of stage '{stage}'", hint="open another one first", code=ExitCode.USAGE
        )


def close(choice: TargetChoice, name: str) -> None:
    """Close a domain in the file of its stage."""
    stage = stage_of(choice)
    stage_file.write_domains(stage, [present for present in stage_file.open_domains(stage) if present != name])


def update_deployment(choice: TargetChoice) -> None:
    """Bring the local stack up to date, if it runs; a stage in an account is with its next deployment."""
    if choice.stage is None and find_deployment(choice):
        update_local_stack(choice)
