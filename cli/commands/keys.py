"""`afluente keys …`: API keys of those who send."""

import secrets
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from cli.access import keys_of, pepper_of
from cli.errors import CommandError
from cli.moments import until_option
from cli.options import targeted
from cli.output import err, out, print_json
from cli.target import TargetChoice, resolve

if TYPE_CHECKING:
    from afluente.application.api_keys import ApiKey

_CACHED_SECONDS = 60
"""How long the API keeps what its authorizer said of a key."""

_JsonOption = Annotated[bool, typer.Option("--json", help="Write one JSON document.")]

app = typer.Typer(help="Give API keys to those who send, and take them back.", no_args_is_help=True)


@app.command()
@targeted
def create(
    *,
    target: TargetChoice,
    name: Annotated[str, typer.Argument(metavar="NAME", help="Who or what it is for.")],
    domain: Annotated[
        list[str] | None, typer.Option("--domain", help="A domain it may write; repeat it. By default all.")
    ] = None,
    source: Annotated[
        list[str] | None,
        typer.Option("--source", metavar="GLOB", help="Sources it may write, such as 'furnace-*'; repeat it."),
    ] = None,
    expires: Annotated[
        datetime | None,
        typer.Option(
            parser=until_option, metavar="TIME", help="From when on it opens nothing: 30d or an ISO 8601 time."
        ),
    ] = None,
    as_json: _JsonOption = False,
) -> None:
    """Make an API key and show it, once: only its hash is kept.

    [dim]Example:[/]  afluente keys create "hall 3" --domain iot --source 'furnace-*' --expires 365d
    """
    from afluente.application.access import EVERYTHING
    from afluente.application.api_keys import KEY_RANDOM_BYTES, new_key

    found = resolve(target)
    text, kept = new_key(
        name,
        random=secrets.token_bytes(KEY_RANDOM_BYTES),
        pepper=pepper_of(found),
        now=time.time(),
        domains=tuple(domain or [EVERYTHING]),
        sources=tuple(source or [EVERYTHING]),
        expires_at=expires.timestamp() if expires else None,
    )
    keys_of(found).put(kept)
    if as_json:
        print_json({"key": text, **_described(kept)})
        return
    err().print("keep it safe: it is shown only now; it goes into the header X-API-Key")
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
    table = Table("id", "for", "domains", "sources", "created", "expires", "state", box=None, padding=(0, 2, 0, 0))
    for key in keys:
        state = "valid" if key.is_valid(time.time()) else "revoked" if key.revoked_at else "expired"
        moments = (_moment(key.created_at), _moment(key.expires_at))
        table.add_row(key.key_id, key.name, " ".join(key.domains), " ".join(key.sources), *moments, state)
    out().print(table, markup=False)


@app.command()
@targeted
def revoke(
    *,
    target: TargetChoice,
    key_id: Annotated[str, typer.Argument(metavar="ID", help="As 'afluente keys list' shows it.")],
) -> None:
    """Take a key back. It opens nothing any more, at the latest a minute later.

    [dim]Example:[/]  afluente keys revoke 7qk2m4xa
    """
    import msgspec

    store = keys_of(resolve(target))
    found = store.find(key_id)
    if found is None:
        raise CommandError(f"there is no key {key_id}", way_out="'afluente keys list' shows which are")
    if found.revoked_at is None:
        store.put(msgspec.structs.replace(found, revoked_at=time.time()), replacing=found)
    out().print(f"revoked {key_id} ({found.name}); it may open the API for {_CACHED_SECONDS} s more", markup=False)


def _described(key: "ApiKey") -> dict[str, Any]:
    return {
        "key_id": key.key_id,
        "name": key.name,
        "domains": key.domains,
        "sources": key.sources,
        "created_at": key.created_at,
        "expires_at": key.expires_at,
        "revoked_at": key.revoked_at,
        "valid": key.is_valid(time.time()),
    }


def _moment(timestamp: float | None) -> str:
    return "never" if timestamp is None else datetime.fromtimestamp(timestamp, tz=UTC).strftime("%Y-%m-%d %H:%M")
