"""`afluente tenants …`: customers of one deployment, each with a ground of sources that is its own."""

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from cli.access.operators import domains_of, find_tenant, keys_into, keys_of, render_boundary, tenants_of
from cli.core.errors import CommandError, ExitCode
from cli.core.options import targeted
from cli.core.output import err, out, print_json
from cli.core.target import Target, TargetChoice, resolve

if TYPE_CHECKING:
    from afluente.application.access.tenants import Tenant

_JsonOption = Annotated[bool, typer.Option("--json", help="Write one JSON document.")]
_NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="Of the tenant, such as acme.")]

_HELP = """
Several customers in one deployment, none of which sees anything of another.

A tenant has a ground: domains of its own, or the sources of shared domains whose ids begin in its way. No two grounds \
have a source in common, and a key that is made with --tenant cannot reach beyond its tenant's.

[dim]A first look:[/]

  afluente tenants create acme --domain iot --source 'acme-*'
  afluente keys create "acme, hall 3" --tenant acme
"""

app = typer.Typer(help=_HELP, no_args_is_help=True)


@app.command()
@targeted
def create(
    *,
    target: TargetChoice,
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="A lower-case letter, then at most 31 of a-z, 0-9 and '-'.")
    ],
    domain: Annotated[list[str], typer.Option("--domain", help="A domain that its sources are in; repeat it.")],
    source: Annotated[
        list[str] | None,
        typer.Option(
            "--source",
            metavar="PATTERN",
            help="Its sources there: an id, or the beginning of ids as 'acme-*'; repeat it. By default all.",
        ),
    ] = None,
    as_json: _JsonOption = False,
) -> None:
    """Make a tenant: say which sources are a customer's and nobody else's.

    A domain is a customer's own without --source, and shared where each of its customers has a beginning of ids. The
    ground stays as it is for as long as there are keys for it.

    [dim]Examples:[/]

      afluente tenants create acme --domain iot --source 'acme-*'
      afluente tenants create clinic --domain health
    """
    from afluente.application.access.grants import EVERYTHING
    from afluente.application.access.tenants import Tenant, tenant_faults

    found = resolve(target)
    tenants = tenants_of(found)
    made = Tenant(
        name=name,
        domains=tuple(dict.fromkeys(domain)),
        sources=tuple(dict.fromkeys(source or [EVERYTHING])),
        created_at=time.time(),
    )
    others = list(tenants.list())
    if any(other.name == name for other in others):
        raise CommandError(
            f"there is a tenant '{name}' already",
            hint=f"its ground cannot be changed while it has keys; see 'afluente tenants show {name}'",
        )
    faults = tenant_faults(made, others, domains_of(found))
    if faults:
        lines = "".join(f"\n  {fault.field}: {fault.message}" for fault in faults)
        raise CommandError(f"'{name}' cannot be a tenant:{lines}", code=ExitCode.USAGE)
    _check_old_devices(found, made, others)
    tenants.put(made)
    if as_json:
        print_json(made)
        return
    for key in keys_into(made, keys_of(found).list(), time.time()):
        err().print(f"{key.key_id} ({key.name}) of the operators reaches into its ground", markup=False)
    out().print(f"made {name}: its ground is {render_boundary(made)}", markup=False, soft_wrap=True)


@app.command("list")
@targeted
def list_(*, target: TargetChoice, as_json: _JsonOption = False) -> None:
    """List the tenants with their grounds.

    [dim]Example:[/]  afluente tenants list
    """
    tenants = sorted(tenants_of(resolve(target)).list(), key=lambda tenant: tenant.name)
    if as_json:
        print_json(tenants)
        return
    if not tenants:
        out().print("there are no tenants: the deployment is one customer's, and all keys are the operators'")
        return
    table = Table("tenant", "domains", "sources", "since", box=None, padding=(0, 2, 0, 0))
    for tenant in tenants:
        since = datetime.fromtimestamp(tenant.created_at, tz=UTC).strftime("%Y-%m-%d")
        table.add_row(tenant.name, " ".join(tenant.domains), " ".join(tenant.sources), since)
    out().print(table, markup=False)


@app.command()
@targeted
def show(*, target: TargetChoice, name: _NameArgument, as_json: _JsonOption = False) -> None:
    """Show a tenant, its keys that are good, and whose keys reach into its ground beside them.

    [dim]Example:[/]  afluente tenants show acme
    """
    found, now = resolve(target), time.time()
    tenant, keys = find_tenant(found, name), list(keys_of(found).list())
    own = [key for key in keys if key.tenant == name and key.is_valid(now)]
    operators = keys_into(tenant, keys, now)
    if as_json:
        ids = {"keys": [key.key_id for key in own], "operators_keys": [key.key_id for key in operators]}
        print_json({**_described(tenant), **ids})
        return
    out().print(f"{name}: its ground is {render_boundary(tenant)}", markup=False, soft_wrap=True)
    for whose, its in (("its key", own), ("the operators' key", operators)):
        for key in its:
            out().print(f"{whose} {key.key_id}: {key.name}", markup=False, soft_wrap=True)


@app.command()
@targeted
def remove(*, target: TargetChoice, name: _NameArgument) -> None:
    """Remove a tenant that has no good keys and no devices any more. What it measured stays where it is.

    [dim]Example:[/]  afluente tenants remove acme
    """
    from cli.devices import devices

    found, now = resolve(target), time.time()
    tenant = find_tenant(found, name)
    ids = [key.key_id for key in keys_of(found).list() if key.tenant == name and key.is_valid(now)]
    if ids:
        raise CommandError(
            f"'{name}' has keys that are good: {', '.join(ids)}", hint="revoke each with 'afluente keys revoke ID'"
        )
    active = [one.name for one in devices.devices(found) if tenant.owns(one.domain, one.name) and one.is_active]
    if active:
        raise CommandError(
            f"'{name}' has devices that may publish: {', '.join(active)}",
            hint="revoke each with 'afluente devices revoke NAME'",
        )
    tenants_of(found).remove(name)
    out().print(f"removed {name}; what it measured stays", markup=False)


@app.command()
@targeted
def policy(*, target: TargetChoice, name: _NameArgument, as_json: _JsonOption = False) -> None:
    """Show an IAM policy by which a customer may drop CSV files into folders of its own ground, and do nothing else.

    For the IAM role or user of the customer that uploads to the bucket, with the AWS CLI or a program. A customer with
    an API key needs none of it: 'afluente csv send' uploads by addresses that the API signs.

    [dim]Example:[/]  afluente tenants policy acme --json > acme-drop.json
    """
    from cli.access.upload_policy import bucket_of, drop_policy

    found = resolve(target)
    tenant = find_tenant(found, name)
    document = drop_policy(tenant, bucket_of(found))
    if as_json:
        print_json(document)
        return
    for statement in document["Statement"]:
        out().print(f"{statement['Effect'].lower()} {' '.join(statement['Action'])}", markup=False)
        for resource in statement["Resource"]:
            out().print(f"  {resource}", markup=False, soft_wrap=True)


def _check_old_devices(target: Target, made: "Tenant", others: "list[Tenant]") -> None:
    """See that no device of the old service reaches into the new ground: such devices publish for every sensor."""
    from afluente.application.access.tenants import boundaries_crossed
    from afluente.migration.domain.legacy_service import LEGACY_DOMAIN
    from cli.devices import devices

    if LEGACY_DOMAIN not in made.domains or not boundaries_crossed(LEGACY_DOMAIN, made, [*others, made]):
        return
    old = [one.name for one in devices.devices(target) if one.legacy and one.is_active]
    if old:
        raise CommandError(
            f"devices of the old service may publish for every sensor of '{LEGACY_DOMAIN}': {', '.join(old)}",
            hint="move them (docs/how-to/move-a-client.md) and revoke them first, or give the tenant another domain",
        )


def _described(tenant: "Tenant") -> dict[str, Any]:
    return {
        "name": tenant.name,
        "domains": tenant.domains,
        "sources": tenant.sources,
        "created_at": tenant.created_at,
    }
