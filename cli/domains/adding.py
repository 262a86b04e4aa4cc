"""A domain is added: what would change is looked at first, then done in an order that lets it be done again."""

from pathlib import Path

import msgspec

from afluente.application.constraints.ports import ConstraintsCatalogue
from afluente.domain.constraints import StreamConfig
from cli.constraints import updates as constraint_updates
from cli.constraints.differences import differences
from cli.domains import files, stage_file
from cli.domains.templates import Domain


class ConstraintChange(msgspec.Struct, frozen=True):
    """Constraints that are other ones already.

    Attributes:
        scope: of what.
        differences: a text a field, such as `value_constraints.warning_max 253 → 260`.
    """

    scope: str
    differences: tuple[str, ...]


class Plan(msgspec.Struct, frozen=True):
    """What adding a domain would change.

    Attributes:
        domain, stage: its name, and where it is added.
        stage_file: the file of the stage.
        opens: whether it is not open by that file.
        deployment: whether there is one, whose constraints were looked at.
        created: scopes of constraints that are new.
        changed: constraints that are other ones already.
        unchanged: scopes of constraints that are as they are to be.
        folder: of its files.
        new_files, changed_files: their names.
    """

    domain: str
    stage: str
    stage_file: str
    opens: bool
    deployment: bool
    created: tuple[str, ...]
    changed: tuple[ConstraintChange, ...]
    unchanged: tuple[str, ...]
    folder: str
    new_files: tuple[str, ...]
    changed_files: tuple[str, ...]

    @property
    def overwrites(self) -> bool:
        """Whether something would be lost that somebody may have changed."""
        return bool(self.changed or self.changed_files)

    @property
    def changes_nothing(self) -> bool:
        """Whether all is as it is to be."""
        return not (self.opens or self.created or self.new_files or self.overwrites)


def plan(domain: Domain, stage: str, catalogue: ConstraintsCatalogue | None, folder: Path) -> Plan:
    """Look at what there is; nothing is changed.

    Args:
        domain: what is to be added.
        stage: the name of the stage.
        catalogue: the constraints of its deployment; None where there is none.
        folder: for its files.

    Raises:
        CommandError: the stage can have no such domain, or its file has faults.
    """
    present = stage_file.open_domains(stage)
    opens = domain.name not in present
    if opens:
        stage_file.check_domains(stage, [*present, domain.name])
    created, changed, unchanged = _constraints(domain, catalogue)
    new_files, changed_files = files.differing(files.files_of(domain, folder), folder)
    return Plan(
        domain=domain.name,
        stage=stage,
        stage_file=stage_file.shown(stage),
        opens=opens,
        deployment=catalogue is not None,
        created=tuple(created),
        changed=tuple(changed),
        unchanged=tuple(unchanged),
        folder=str(folder),
        new_files=tuple(new_files),
        changed_files=tuple(changed_files),
    )


def write_constraints(domain: Domain, catalogue: ConstraintsCatalogue) -> constraint_updates.Counts:
    """Write those of the domain's constraints that are new or differ."""
    return constraint_updates.apply(catalogue, domain.constraints)


def open_in_stage(domain: str, stage: str) -> None:
    """Have the stage's file say that a domain is open."""
    stage_file.write_domains(stage, [*stage_file.open_domains(stage), domain])


def close_in_stage(domain: str, stage: str) -> None:
    """Have the stage's file say that a domain is no longer open."""
    stage_file.write_domains(stage, [name for name in stage_file.open_domains(stage) if name != domain])


def write_files(domain: Domain, folder: Path, plan: Plan) -> None:
    """Write the files that are new or differ."""
    files.write(files.files_of(domain, folder), folder, [*plan.new_files, *plan.changed_files])


def _constraints(
    domain: Domain, catalogue: ConstraintsCatalogue | None
) -> tuple[list[str], list[ConstraintChange], list[str]]:
    present = {} if catalogue is None else catalogue.fetch([entry.scope for entry in domain.constraints])
    created, unchanged = [], []
    changed = []
    for entry in domain.constraints:
        if entry.scope not in present:
            created.append(entry.scope)
        elif present[entry.scope].config == entry.config:
            unchanged.append(entry.scope)
        else:
            changed.append(_change(entry.scope, present[entry.scope].config, entry.config))
    return created, changed, unchanged


def _change(scope: str, before: StreamConfig, after: StreamConfig) -> ConstraintChange:
    return ConstraintChange(scope, differences(msgspec.to_builtins(before), msgspec.to_builtins(after)))
