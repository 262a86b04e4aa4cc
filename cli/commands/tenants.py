"""`afluente tenants …`: customers of one deployment, each with a boundary of sources that is its own."""

from datetime import UTC, datetime
from functools import partial
from typing import Annotated

import typer
from rich.table import Table

from cli.core.options import targeted
from cli.core.output import err, out, print_json
from cli.core.target import TargetChoice, resolve

_JsonOption = Annotated[bool, typer.Option("--json", help="Write one JSON document.")]
_NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="Of the tenant, such as acme.")]

_HELP = """
Several customers in one deployment, none of which sees anything of another.

A tenant has a boundary: domains of its own, or the sources of shared domains whose ids begin with its own letters. No \
two boundaries have a source in common, and a key that is made with --tenant cannot reach beyond its tenant's.

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
    """Make a tenant: the sources of a customer, which no other customer reaches.

    A domain is a customer's own without --source, and shared where each of its customers has a beginning of ids. The
    boundary stays as it is for as long as there are keys for it.

    [dim]Examples:[/]

      afluente tenants create acme --domain iot --source 'acme-*'
      afluente tenants create clinic --domain health
    """
    from cli.access.tenants import create_tenant, keys_of_tenant, render_boundary
    from cli.devices.devices import active_legacy_devices

    found = resolve(target)
    made = create_tenant(found, name, domain, source or (), partial(active_legacy_devices, found))
    if as_json:
        print_json(made)
        return
    for key in keys_of_tenant(found, made).operators:
        err().print(f"{key.key_id} ({key.name}) of the operators crosses its boundary", markup=False)
    out().print(f"made {name}: its boundary is {render_boundary(made)}", markup=False, soft_wrap=True)


@app.command("list")
@targeted
def list_(*, target: TargetChoice, as_json: _JsonOption = False) -> None:
    """List the tenants with their boundaries.

    [dim]Example:[/]  afluente tenants list
    """
    from cli.access.tenants import list_tenants

    tenants = list_tenants(resolve(target))
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
    """Show a tenant, its valid keys, and the operators' keys that cross its boundary.

    [dim]Example:[/]  afluente tenants show acme
    """
    import msgspec

    from cli.access.tenants import find_tenant, keys_of_tenant, render_boundary

    found = resolve(target)
    tenant = find_tenant(found, name)
    keys = keys_of_tenant(found, tenant)
    if as_json:
        own, operators = ([key.key_id for key in its] for its in keys)
        print_json({**msgspec.structs.asdict(tenant), "keys": own, "operators_keys": operators})
        return
    out().print(f"{name}: its boundary is {render_boundary(tenant)}", markup=False, soft_wrap=True)
    for owner, its in (("its key", keys.own), ("the operators' key", keys.operators)):
        for key in its:
            out().print(f"{owner} {key.key_id}: {key.name}", markup=False, soft_wrap=True)


@app.command()
@targeted
def remove(*, target: TargetChoice, name: _NameArgument) -> None:
    """Remove a tenant without valid keys and active devices. Its points stay.

    [dim]Example:[/]  afluente tenants remove acme
    """
    from cli.access.tenants import remove_tenant
    from cli.devices.devices import active_devices

    found = resolve(target)
    remove_tenant(found, name, partial(active_devices, found))
    out().print(f"removed {name}; its points stay", markup=False)


@app.command()
@targeted
def policy(*, target: TargetChoice, name: _NameArgument, as_json: _JsonOption = False) -> None:
    """Show an IAM policy by which a customer may put CSV files into folders within its boundary, and do nothing else.

    For the IAM role or user of the customer that uploads to the bucket, with the AWS CLI or a program. A customer with
    an API key needs none of it: 'afluente csv send' uploads by addresses that the API signs.

    [dim]Example:[/]  afluente tenants policy acme --json > acme-drop.json
    """
    from cli.access.tenants import find_tenant
    from cli.access.upload_policy import upload_bucket, upload_policy

    found = resolve(target)
    document = upload_policy(find_tenant(found, name), upload_bucket(found))
    if as_json:
        print_json(document)
        return
    for statement in document["Statement"]:
        out().print(f"{statement['Effect'].lower()} {' '.join(statement['Action'])}", markup=False)
        for resource in statement["Resource"]:
            out().print(f"  {resource}", markup=False, soft_wrap=True)
