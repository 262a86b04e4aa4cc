"""`afluente keys …`: API keys of those who send, and of those who look after their data."""

import secrets
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import typer
from rich.table import Table

from afluente.application.access.grants import OPERATOR, Action
from cli.access.operators import (
    check_boundary,
    find_key,
    find_tenant,
    is_whole_key,
    keys_of,
    pepper_of,
    scope_of_a_key,
    tenants_of,
)
from cli.core.errors import CommandError, ExitCode
from cli.core.options import targeted
from cli.core.output import err, out, print_json
from cli.core.target import TargetChoice, resolve
from cli.core.times import span_option, until_option

if TYPE_CHECKING:
    from afluente.adapters.aws.dynamodb_api_keys import DynamoApiKeys
    from afluente.application.access.api_keys import ApiKey
    from afluente.application.limits.stage_limits import KeyLimits

REVOKED_WITHIN_SECONDS = 60
"""How long a key may go on at the most that was taken back: what API Gateway and the functions remember of it."""

_KEEP_IT = "keep it safe: it is shown only now; it goes into the header X-API-Key"

_JsonOption = Annotated[bool, typer.Option("--json", help="Write one JSON document.")]
_IdArgument = Annotated[
    str, typer.Argument(metavar="ID", help="As 'afluente keys list' shows it, or as the key begins: afl_7qk2m4xa.")
]
_ExpiresOption = Annotated[
    datetime | None,
    typer.Option(parser=until_option, metavar="TIME", help="From when on it opens nothing: 30d or an ISO 8601 time."),
]
_LimitsPanel = "Limits of its own, in place of the stage's; 0 is none"

app = typer.Typer(help="Give API keys, see who has which, replace them and take them back.", no_args_is_help=True)


@app.command()
@targeted
def create(
    *,
    target: TargetChoice,
    name: Annotated[str, typer.Argument(metavar="NAME", help="Who or what it is for.")],
    tenant: Annotated[
        str | None,
        typer.Option("--tenant", metavar="NAME", help="The customer whose it is; without one it is the operators'."),
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
    as_json: _JsonOption = False,
) -> None:
    """Make an API key and show it, once: only its hash is kept.

    A key does what its actions say (ingest, jobs, constraints, alarms) with the sources of its domains and patterns,
    and nothing else. Where the deployment has customers, give each of them keys with --tenant: such a key cannot reach
    beyond the customer's ground. A key without --tenant is the operators' and reaches all that it is not kept from,
    whosever it is: give it to no customer.

    [dim]Examples:[/]

      afluente keys create "hall 3" --domain iot --source 'furnace-*' --action ingest --expires 365d
      afluente keys create "acme, dashboards" --tenant acme --action jobs --action alarms
    """
    from afluente.application.access.api_keys import KEY_RANDOM_BYTES, new_key

    found = resolve(target)
    owner = find_tenant(found, tenant) if tenant is not None else None
    domains, sources = scope_of_a_key(found, owner, domain or (), source or ())
    text, kept = new_key(
        name,
        random=secrets.token_bytes(KEY_RANDOM_BYTES),
        pepper=pepper_of(found),
        now=time.time(),
        tenant=owner.name if owner else OPERATOR,
        actions=tuple(action or Action),
        domains=domains,
        sources=sources,
        limits=_limits(
            requests_per_second=requests_per_second,
            requests_burst=requests_burst,
            points_per_second=points_per_second,
            points_burst=points_burst,
            points_per_day=points_per_day,
        ),
        expires_at=expires.timestamp() if expires else None,
    )
    keys_of(found).put(kept)
    if as_json:
        print_json({"key": text, **_described(kept)})
        return
    err().print(_KEEP_IT)
    if owner is None and any(True for _ in tenants_of(found).list()):
        err().print("it is the operators': it reaches into the grounds of tenants; give customers one with --tenant")
    out().print(text, markup=False, soft_wrap=True)


@app.command("list")
@targeted
def list_(*, target: TargetChoice, as_json: _JsonOption = False) -> None:
    """List the API keys, without the keys themselves.

    [dim]Example:[/]  afluente keys list
    """
    keys = sorted(keys_of(resolve(target)).list(), key=lambda key: key.created_at)
    if as_json:
        print_json([_described(key) for key in keys])
        return
    if not keys:
        out().print("there are no keys; 'afluente keys create NAME' makes one")
        return
    columns = ("id", "for", "tenant", "actions", "domains", "sources", "created", "expires", "last used", "state")
    table = Table(*columns, box=None, padding=(0, 2, 0, 0))
    for key in keys:
        scope = (" ".join(key.actions), " ".join(key.domains), " ".join(key.sources))
        moments = (_moment(key.created_at), _moment(key.expires_at), _moment(key.last_used_at))
        table.add_row(key.key_id, key.name, key.tenant, *scope, *moments, _state(key))
    out().print(table, markup=False)


@app.command()
@targeted
def show(*, target: TargetChoice, key_id: _IdArgument, as_json: _JsonOption = False) -> None:
    """Show everything that is known of a key, but for the key itself.

    [dim]Example:[/]  afluente keys show 7qk2m4xa
    """
    found = _found(keys_of(resolve(target)), key_id)
    if as_json:
        print_json(_described(found))
        return
    table = Table.grid(padding=(0, 2, 0, 0))
    for name, value in (
        ("id", found.key_id),
        ("for", found.name),
        ("tenant", "the operators" if found.tenant == OPERATOR else found.tenant),
        ("actions", " ".join(found.actions)),
        ("domains", " ".join(found.domains)),
        ("sources", " ".join(found.sources)),
        ("limits", _told_limits(found.limits)),
        ("created", _moment(found.created_at)),
        ("expires", _moment(found.expires_at)),
        ("last used", _moment(found.last_used_at)),
        ("state", _state(found)),
    ):
        table.add_row(name, value)
    out().print(table, markup=False)


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
    """Make a key that takes the place of another one, and show it, once; the old one ends after the overlap.

    The new key may do what the old one may. Unless --expires says otherwise, it lives as long as the old one was to.

    [dim]Example:[/]  afluente keys rotate 7qk2m4xa --overlap 7d
    """
    from afluente.application.access.api_keys import KEY_RANDOM_BYTES, rotated
    from afluente.application.access.ports import StaleKeyError

    found = resolve(target)
    keys, now = keys_of(found), time.time()
    old = _found(keys, key_id)
    _check_rotates(keys, old, now)
    if old.tenant != OPERATOR:
        check_boundary(find_tenant(found, old.tenant), old.domains, old.sources)
    life = None if old.expires_at is None else now + old.expires_at - old.created_at
    text, successor, ending = rotated(
        old,
        random=secrets.token_bytes(KEY_RANDOM_BYTES),
        pepper=pepper_of(found),
        now=now,
        overlap_seconds=overlap,
        expires_at=expires.timestamp() if expires else life,
    )
    # First: were the old one to end before there is another, its owner would stand outside.
    keys.put(successor)
    try:
        keys.put(ending, replacing=old)
    except StaleKeyError:
        # Nobody has seen it.
        keys.put(msgspec.structs.replace(successor, revoked_at=now), replacing=successor)
        raise _changed_meanwhile(old) from None
    if as_json:
        print_json({"key": text, **_described(successor), "replaces": _described(ending)})
        return
    err().print(_KEEP_IT)
    err().print(f"{old.key_id} ends {_moment(ending.expires_at)} UTC", markup=False)
    out().print(text, markup=False, soft_wrap=True)


@app.command()
@targeted
def revoke(*, target: TargetChoice, key_id: _IdArgument) -> None:
    """Take a key back. It opens nothing any more, at the latest a minute later; open WebSockets end too.

    [dim]Example:[/]  afluente keys revoke 7qk2m4xa
    """
    from afluente.application.access.ports import StaleKeyError

    keys = keys_of(resolve(target))
    found = _found(keys, key_id)
    if found.revoked_at is None:
        try:
            keys.put(msgspec.structs.replace(found, revoked_at=time.time()), replacing=found)
        except StaleKeyError:
            raise _changed_meanwhile(found) from None
    out().print(
        f"revoked {found.key_id} ({found.name}); it may open the APIs for {REVOKED_WITHIN_SECONDS} s more at the most",
        markup=False,
        soft_wrap=True,
    )


def _found(keys: "DynamoApiKeys", text: str) -> "ApiKey":
    if is_whole_key(text):
        err().print("that is the key itself: its first 12 characters are enough, and no secret", soft_wrap=True)
    return find_key(keys, text)


def _check_rotates(keys: "DynamoApiKeys", old: "ApiKey", now: float) -> None:
    if not old.is_valid(now):
        raise CommandError(
            f"{old.key_id} is {_state(old)}: there is nothing to go on with",
            hint="'afluente keys create' makes another",
            code=ExitCode.USAGE,
        )
    successor = keys.find(old.replaced_by) if old.replaced_by else None
    if successor is not None and successor.is_valid(now):
        raise CommandError(
            f"{successor.key_id} is to take the place of {old.key_id} already",
            hint=f"if it is lost, run 'afluente keys revoke {successor.key_id}' and rotate again",
            code=ExitCode.USAGE,
        )


def _changed_meanwhile(key: "ApiKey") -> CommandError:
    return CommandError(
        f"somebody else has changed {key.key_id} at the same time; it is as they left it",
        hint=f"look with 'afluente keys show {key.key_id}', then run this again if it is still wanted",
    )


def _limits(**values: float | None) -> "KeyLimits | None":
    from afluente.application.limits.stage_limits import KeyLimits

    given = {name: value for name, value in values.items() if value is not None}
    return msgspec.convert(given, KeyLimits) if given else None


def _told_limits(limits: "KeyLimits | None") -> str:
    own = {name: value for name, value in msgspec.to_builtins(limits).items() if value is not None} if limits else {}
    return ", ".join(f"{name} {value:g}" for name, value in own.items()) or "the stage's"


def _state(key: "ApiKey") -> str:
    if key.revoked_at is not None:
        return "revoked"
    if not key.is_valid(time.time()):
        return "expired"
    return f"valid; {key.replaced_by} takes its place" if key.replaced_by else "valid"


def _described(key: "ApiKey") -> dict[str, Any]:
    return {
        "key_id": key.key_id,
        "name": key.name,
        "tenant": None if key.tenant == OPERATOR else key.tenant,
        "actions": key.actions,
        "domains": key.domains,
        "sources": key.sources,
        "limits": key.limits,
        "created_at": key.created_at,
        "expires_at": key.expires_at,
        "revoked_at": key.revoked_at,
        "last_used_at": key.last_used_at,
        "replaced_by": key.replaced_by,
        "valid": key.is_valid(time.time()),
    }


def _moment(timestamp: float | None) -> str:
    return "never" if timestamp is None else datetime.fromtimestamp(timestamp, tz=UTC).strftime("%Y-%m-%d %H:%M")
