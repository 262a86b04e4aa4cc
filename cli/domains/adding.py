"""Adding a domain: the changes are planned first, then made in an order that lets the command be repeated."""

from dataclasses import dataclass
from pathlib import Path

import msgspec

from afluente.application.constraints.ports import ConstraintsCatalogue
from afluente.domain.constraints import StreamConfig
from afluente.domain.stream_keys import domain_faults
from cli.constraints import updates as constraint_updates
from cli.constraints.differences import differences
from cli.core.errors import CommandError, ExitCode
from cli.core.target import Target, TargetChoice, resolve
from cli.domains import files, stage_file, templates
from cli.domains.deployment import constraints_of, find_deployment, stage_of, update_local_stack
from cli.domains.templates import Domain


class ConstraintChange(msgspec.Struct, frozen=True):
    """Constraints of a scope that differ from those of the template.

    Attributes:
        scope: a domain, or a stream type of it.
        differences: a text a field, such as `value_constraints.warning_max 253 → 260`.
    """

    scope: str
    differences: tuple[str, ...]


class Plan(msgspec.Struct, frozen=True):
    """The changes that add a domain.

    Attributes:
        domain, stage: the domain, and the stage that it is added to.
        stage_file: file of the stage.
        opens: whether the file does not open the domain yet.
        deployment: whether there is one, whose constraints were compared.
        created: scopes of constraints that are new.
        changed: constraints that differ.
        unchanged: scopes of constraints that are the same.
        folder: of the domain's files.
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
        """True if constraints or files are overwritten that somebody may have changed."""
        return bool(self.changed or self.changed_files)

    @property
    def changes_nothing(self) -> bool:
        """True if everything is there already."""
        return not (self.opens or self.created or self.new_files or self.overwrites)


@dataclass(frozen=True, slots=True)
class Addition:
    """A domain with the plan that adds it.

    Attributes:
        domain: its template with its name.
        plan: the changes.
        choice: the deployment of the stage, as it was chosen.
        deployment: the same, found; None where there is none yet.
        folder: for the domain's files.
    """

    domain: Domain
    plan: Plan
    choice: TargetChoice
    deployment: Target | None
    folder: Path

    def carry_out(self, port: int | None) -> None:
        """Make the changes; the local stack is brought up to date.

        Args:
            port: of the local stack, if it has to start.
        """
        # Constraints first: the domain's first point is to find them.
        if self.deployment:
            write_constraints(self.domain, constraints_of(self.deployment))
        if self.plan.opens:
            open_in_stage(self.domain.name, self.plan.stage)
        write_files(self.domain, self.folder, self.plan)
        if self.choice.stage is None:
            update_local_stack(self.choice, None if self.deployment else port)
            if self.deployment is None:
                write_constraints(self.domain, constraints_of(resolve(self.choice)))


def prepare(choice: TargetChoice, name: str, template: str, folder: Path | None) -> Addition:
    """Plan the addition of a domain; nothing is changed.

    Args:
        choice: the deployment of the stage.
        name: of the domain.
        template: name of a template, or a file.
        folder: for its files; None for the usual one.

    Raises:
        CommandError: the name or the template has faults, or the stage can have no such domain.
    """
    for fault in domain_faults(name):
        raise CommandError(f"'{name}' {fault.message}", code=ExitCode.USAGE)
    file = templates.find(template)
    try:
        domain = templates.load(file, name)
    except templates.TemplateError as error:
        lines = "".join(f"\n  {fault.field}: {fault.message}" for fault in error.faults)
        raise CommandError(
            f"{file} has {len(error.faults)} fault(s); nothing was changed:{lines}",
            hint="correct them; 'afluente domains show iot' shows a template that is sound",
        ) from None
    deployment = find_deployment(choice)
    catalogue = constraints_of(deployment) if deployment else None
    where = folder or files.folder_of(name)
    return Addition(domain, plan(domain, stage_of(choice), catalogue, where), choice, deployment, where)


def plan(domain: Domain, stage: str, catalogue: ConstraintsCatalogue | None, folder: Path) -> Plan:
    """Compare a domain with what is there; nothing is changed.

    Args:
        domain: to be added.
        stage: name of the stage.
        catalogue: constraints of its deployment; None where there is none.
        folder: for the domain's files.

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
    """Write the constraints of a domain that are new or differ."""
    return constraint_updates.apply(catalogue, domain.constraints)


def open_in_stage(domain: str, stage: str) -> None:
    """Open a domain in the file of a stage."""
    stage_file.write_domains(stage, [*stage_file.open_domains(stage), domain])


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
