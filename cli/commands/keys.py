"""`afluente keys …`: API keys."""

import time
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from afluente.application.access.grants import Action
from cli.core.options import targeted
from cli.core.output import err, out, print_json
from cli.core.target import TargetChoice, resolve
from cli.core.times import span_option, until_option

if TYPE_CHECKING:
    from afluente.application.limits.stage_limits import KeyLimits

REVOKED_WITHIN_SECONDS = 60
"""A revoked key may open the APIs for so long: API Gateway and the functions cache it."""

_KEEP_IT = "keep it safe: it is shown only now; it goes into the header X-API-Key"

_JsonOption = Annotated[bool, typer.Option("--json", help="Write one JSON document.")]
_IdArgument = Annotated[
    str, typer.Argument(metavar="ID", help="As 'afluente keys list' shows it, or as the key begins: afl_7qk2m4xa.")
]
_ExpiresOption = Annotated[
    datetime | None,
    typer.Option(parser=until_option, metavar="TIME", help="When it expires: 30d or an ISO 8601 time."),
]
_LimitsPanel = "Limits of its own, in place of the stage's; 0 is none"

app = typer.Typer(help="Make API keys, list, replace and revoke them.", no_args_is_help=True)


@app.command()
@targeted
def create(
    *,
    target: TargetChoice,
    name: Annotated[str, typer.Argument(metavar="NAME", help="Who or what it is for.")],
    tenant: Annotated[
        str | None,
        typer.Option("--tenant", metavar="NAME", help="The customer that it is for; without one it is the operators'."),
    ] = None,
    action: Annotated[
        list[Action] | None, typer.Option("--action", help="What it may be used for; repeat it. By default everything.")
    ] = None,
    domain: Annotated[
        list[str] | None,
        typer.Option("--domain", help="A domain it reaches; repeat it. By default all, or all of its tenant."),
    ] = None,
    source: Annotated[
        list[str] | None,
        typer.Option(
            "--source",
            metavar="GLOB",
            help="Sources it reaches, such as 'furnace-*'; repeat it. By default all, or all of its tenant.",
        ),
    ] = None,
    expires: _ExpiresOption = None,
    requests_per_second: Annotated[
        float | None, typer.Option("--requests-per-second", min=0, rich_help_panel=_LimitsPanel)
    ] = None,
    requests_burst: Annotated[int | None, typer.Option("--requests-burst", min=0, rich_help_panel=_LimitsPanel)] = None,
    points_per_second: Annotated[
        float | None, typer.Option("--points-per-second", min=0, rich_help_panel=_LimitsPanel)
    ] = None,
    points_burst: Annotated[int | None, typer.Option("--points-burst", min=0, rich_help_panel=_LimitsPanel)] = None,
    points_per_day: Annotated[int | None, typer.Option("--points-per-day", min=0, rich_help_panel=_LimitsPanel)] = None,
    csv_bytes_per_day: Annotated[
        int | None, typer.Option("--csv-bytes-per-day", min=0, rich_help_panel=_LimitsPanel)
    ] = None,
    as_json: _JsonOption = False,
) -> None:
    """Make an API key and show it, once: only its hash is kept.

    A key does what its actions say (ingest, jobs, constraints, alarms) with the sources of its domains and patterns,
    and nothing else. Where the deployment has customers, give each of them keys with --tenant: such a key cannot reach
    beyond the customer's boundary. A key without --tenant is the operators' and reaches the sources of every
    customer, unless its domains and sources say otherwise: give it to no customer.

    [dim]Examples:[/]

      afluente keys create "hall 3" --domain iot --source 'furnace-*' --action ingest --expires 365d
      afluente keys create "acme, dashboards" --tenant acme --action jobs --action alarms
    """
    from cli.access.key_rendering import key_document
    from cli.access.keys import KeyRights, create_key

    limits = _limits(
        requests_per_second=requests_per_second,
        requests_burst=requests_burst,
        points_per_second=points_per_second,
        points_burst=points_burst,
        points_per_day=points_per_day,
        csv_bytes_per_day=csv_bytes_per_day,
    )
    rights = KeyRights(tenant, action or (), domain or (), source or (), limits)
    made = create_key(resolve(target), name, rights, expires.timestamp() if expires else None)
    if as_json:
        print_json({"key": made.text, **key_document(made.record, time.time())})
        return
    err().print(_KEEP_IT)
    if made.crosses_boundaries:
        err().print("it is the operators': it crosses the boundaries of tenants; give customers one with --tenant")
    out().print(made.text, markup=False, soft_wrap=True)


@app.command("list")
@targeted
def list_(*, target: TargetChoice, as_json: _JsonOption = False) -> None:
    """List the API keys, without the keys themselves.

    [dim]Example:[/]  afluente keys list
    """
    from cli.access.key_rendering import key_document, keys_table
    from cli.access.keys import list_keys

    keys, now = list_keys(resolve(target)), time.time()
    if as_json:
        print_json([key_document(key, now) for key in keys])
    elif keys:
        out().print(keys_table(keys, now), markup=False)
    else:
        out().print("there are no keys; 'afluente keys create NAME' makes one")


@app.command()
@targeted
def show(*, target: TargetChoice, key_id: _IdArgument, as_json: _JsonOption = False) -> None:
    """Show everything that is known of a key, but for the key itself.

    [dim]Example:[/]  afluente keys show 7qk2m4xa
    """
    from cli.access.key_rendering import key_document, key_table
    from cli.access.keys import find_key

    found, now = find_key(resolve(target), key_id), time.time()
    if as_json:
        print_json(key_document(found, now))
    else:
        out().print(key_table(found, now), markup=False)


@app.command()
@targeted
def rotate(
    *,
    target: TargetChoice,
    key_id: _IdArgument,
    overlap: Annotated[
        float, typer.Option("--overlap", parser=span_option, metavar="SPAN", help="How long both are good.")
    ] = 7 * 86_400.0,
    expires: _ExpiresOption = None,
    as_json: _JsonOption = False,
) -> None:
    """Make the successor of a key and show it, once; the old key ends after the overlap.

    The new key may do what the old one may. Unless --expires says otherwise, it lives as long as the old one was to.

    [dim]Example:[/]  afluente keys rotate 7qk2m4xa --overlap 7d
    """
    from cli.access.key_rendering import key_document, minute_of
    from cli.access.keys import rotate_key

    expires_at = expires.timestamp() if expires else None
    rotated = rotate_key(resolve(target), key_id, overlap_seconds=overlap, expires_at=expires_at)
    if as_json:
        now = time.time()
        replaced = key_document(rotated.replaced, now)
        print_json({"key": rotated.text, **key_document(rotated.successor, now), "replaces": replaced})
        return
    err().print(_KEEP_IT)
    err().print(f"{rotated.replaced.key_id} ends {minute_of(rotated.replaced.expires_at)} UTC", markup=False)
    out().print(rotated.text, markup=False, soft_wrap=True)


@app.command()
@targeted
def revoke(*, target: TargetChoice, key_id: _IdArgument) -> None:
    """Revoke a key. It opens nothing any more, at the latest a minute later; open WebSockets end too.

    [dim]Example:[/]  afluente keys revoke 7qk2m4xa
    """
    from cli.access.keys import revoke_key

    revoked = revoke_key(resolve(target), key_id)
    out().print(
        f"revoked {revoked.key_id} ({revoked.name}); it may open the APIs for {REVOKED_WITHIN_SECONDS} s more at the"
        " most",
        markup=False,
        soft_wrap=True,
    )


def _limits(**values: float | None) -> "KeyLimits | None":
    import msgspec

    from afluente.application.limits.stage_limits import KeyLimits

    given = {name: value for name, value in values.items() if value is not None}
    return msgspec.convert(given, KeyLimits) if given else None
