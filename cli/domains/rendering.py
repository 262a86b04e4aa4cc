"""Domains, plans and next steps, for people."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from rich.table import Table

from cli.core.local_stack import STAGE
from cli.core.output import err, out
from cli.core.target import TargetChoice
from cli.domains import templates

if TYPE_CHECKING:
    from cli.domains.adding import Addition, Plan
    from cli.domains.listing import OpenDomains


def show_plan(plan: "Plan", *, is_dry_run: bool) -> None:
    """Show the changes that add a domain."""
    console = out()
    if plan.changes_nothing:
        console.print(f"all of '{plan.domain}' is there already; nothing changes", markup=False)
        return
    table = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
    table.add_column(style="dim")
    table.add_column(overflow="fold")
    table.add_row("stage", f"opens in {plan.stage_file}" if plan.opens else f"open in {plan.stage_file} already")
    table.add_row("constraints", _counts(plan))
    for change in plan.changed:
        table.add_row("", f"{change.scope}: {', '.join(change.differences)}")
    files = ", ".join([*plan.new_files, *(f"{name} (changed)" for name in plan.changed_files)])
    table.add_row("files", f"in {plan.folder}: {files or 'as they are'}")
    console.print(table, markup=False)
    if is_dry_run:
        console.print("nothing was changed")


def show_after_adding(addition: "Addition") -> None:
    """Show the next steps after a domain was added."""
    plan = addition.plan
    if addition.choice.stage is not None:
        news = f"a topic rule and a dashboard of '{plan.domain}' come, functions get another AFLUENTE_DOMAINS"
        after = {}
        if not plan.deployment:
            apply = f"afluente constraints apply {plan.folder}/constraints.yaml --stage {plan.stage}"
            after = {apply: "its constraints, once there is a table for them"}
        _show_next(_deploy_next(plan.stage, news) | after)
        return
    console = out()
    console.print(f"[green]the domain '{plan.domain}' is open[/]")
    if not plan.opens and (plan.created or plan.changed):
        console.print("changed constraints are in force within a minute")
    first = addition.domain.template.examples[0].source_id
    _show_next(
        {
            f"{plan.folder}/README.md": "what it is, and how to send",
            f"python {plan.folder}/client.py": "send its example points",
            f"afluente devices create {first} --domain {plan.domain}": "make a device, for MQTT",
            f"afluente tail --key '{plan.domain}/*' --from-start": "watch what comes out",
        }
    )


def show_after_closing(stage: str, name: str) -> None:
    """Show the next steps after a domain of a stage in an account was closed."""
    _show_next(_deploy_next(stage, f"the topic rule and the dashboard of '{name}' go"))


def show_domains(found: "OpenDomains", choice: TargetChoice) -> None:
    """Show the domains of a stage; where file and deployment differ, the command that deploys the file."""
    table = Table("domain", f"in stage '{found.stage}'", "deployed", box=None, padding=(0, 2, 0, 0))
    for one in found.domains:
        table.add_row(one.domain, _yes(one.stage), _yes(one.deployed) if found.is_deployed else "nothing is")
    out().print(table)
    if found.differ:
        command = f"make deploy STAGE={choice.stage}" if choice.stage else "afluente up"
        err().print(f"deploy it to bring both together: {command}")


def show_templates() -> None:
    """Show the templates that come with afluente."""
    table = Table("template", "for", "stream types", box=None, padding=(0, 2, 0, 0))
    for name in templates.shipped_names():
        domain = templates.load(templates.find(name), name)
        types = [entry.config.stream_type for entry in domain.constraints if entry.config.stream_type]
        table.add_row(name, domain.template.description, ", ".join(types))
    out().print(table)


def _counts(plan: "Plan") -> str:
    if plan.deployment:
        return f"{len(plan.created)} new, {len(plan.changed)} changed, {len(plan.unchanged)} unchanged"
    ready = "the local stack is up" if plan.stage == STAGE else "the stage is deployed"
    return f"{len(plan.created)}, once {ready}"


def _deploy_next(stage: str, news: str) -> dict[str, str]:
    return {f"make diff STAGE={stage}": f"see that {news}", f"make deploy STAGE={stage}": "have it so"}


def _show_next(steps: Mapping[str, str]) -> None:
    """Commands, each with its effect."""
    width = max(map(len, steps))
    lines = [f"  {command:<{width}}  {effect}" for command, effect in steps.items()]
    out().print("\n".join(["", "What next", *lines]), markup=False, soft_wrap=True)


def _yes(is_so: bool) -> str:
    return "yes" if is_so else "no"
