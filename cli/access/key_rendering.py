"""API keys for people and programs, without the keys themselves."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import msgspec
from rich.table import Table

from afluente.application.access.grants import OPERATOR

if TYPE_CHECKING:
    from afluente.application.access.api_keys import ApiKey
    from afluente.application.limits.stage_limits import KeyLimits

_COLUMNS = ("id", "for", "tenant", "actions", "domains", "sources", "created", "expires", "last used", "state")


def key_document(key: "ApiKey", now: float) -> dict[str, Any]:
    """A key as one JSON object."""
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
        "valid": key.is_valid(now),
    }


def keys_table(keys: "Sequence[ApiKey]", now: float) -> Table:
    """Keys, a line each."""
    table = Table(*_COLUMNS, box=None, padding=(0, 2, 0, 0))
    for key in keys:
        scope = (" ".join(key.actions), " ".join(key.domains), " ".join(key.sources))
        minutes = (minute_of(key.created_at), minute_of(key.expires_at), minute_of(key.last_used_at))
        table.add_row(key.key_id, key.name, key.tenant, *scope, *minutes, state_of(key, now))
    return table


def key_table(key: "ApiKey", now: float) -> Table:
    """Everything about a key."""
    table = Table.grid(padding=(0, 2, 0, 0))
    for name, value in (
        ("id", key.key_id),
        ("for", key.name),
        ("tenant", "the operators" if key.tenant == OPERATOR else key.tenant),
        ("actions", " ".join(key.actions)),
        ("domains", " ".join(key.domains)),
        ("sources", " ".join(key.sources)),
        ("limits", _limits(key.limits)),
        ("created", minute_of(key.created_at)),
        ("expires", minute_of(key.expires_at)),
        ("last used", minute_of(key.last_used_at)),
        ("state", state_of(key, now)),
    ):
        table.add_row(name, value)
    return table


def state_of(key: "ApiKey", now: float) -> str:
    """The state of a key in a word, with its successor."""
    if key.revoked_at is not None:
        return "revoked"
    if not key.is_valid(now):
        return "expired"
    return f"valid; {key.replaced_by} takes its place" if key.replaced_by else "valid"


def minute_of(timestamp: float | None) -> str:
    """A time to the minute, in UTC."""
    return "never" if timestamp is None else datetime.fromtimestamp(timestamp, tz=UTC).strftime("%Y-%m-%d %H:%M")


def _limits(limits: "KeyLimits | None") -> str:
    own = {name: value for name, value in msgspec.to_builtins(limits).items() if value is not None} if limits else {}
    return ", ".join(f"{name} {value:g}" for name, value in own.items()) or "the stage's"
