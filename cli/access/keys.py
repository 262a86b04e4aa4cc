"""API keys of a deployment, as its operators make, replace and revoke them: with AWS credentials."""

import re
import secrets
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from afluente.application.access.api_keys import KEY_RANDOM_BYTES, ApiKey, new_key, rotated
from afluente.application.access.authentication import with_last_uses
from afluente.application.access.grants import EVERYTHING, OPERATOR, Action
from afluente.application.access.ports import StaleKeyError
from afluente.domain.stream_keys import part_faults
from cli.access.key_rendering import state_of
from cli.access.stores import key_uses_of, keys_of, pepper_of, tenants_of
from cli.access.tenants import check_boundary, find_tenant
from cli.core.errors import CommandError, ExitCode
from cli.core.output import err
from cli.core.target import Target

if TYPE_CHECKING:
    from afluente.adapters.aws.dynamodb_api_keys import DynamoApiKeys
    from afluente.application.limits.stage_limits import KeyLimits

_KEY_ID = re.compile(r"[a-z2-7]{8}")
_BEGINNING_OF_KEY = re.compile(r"afl_([a-z2-7]{8})(?:_.*)?", re.DOTALL)


class KeyRights(NamedTuple):
    """The rights that a new key is to have; empty ones stand for all that it may have.

    Attributes:
        tenant: the customer that it is for; None for the operators.
        actions: the actions that it allows.
        domains: the domains that it reaches.
        sources: patterns of the sources that it reaches.
        limits: in place of those of the stage.
    """

    tenant: str | None
    actions: Sequence[Action]
    domains: Sequence[str]
    sources: Sequence[str]
    limits: "KeyLimits | None"


class NewKey(NamedTuple):
    """A key that was made.

    Attributes:
        text: the key as its owner sends it, to be shown once.
        record: the stored part.
        crosses_boundaries: whether it is the operators' key of a deployment that has tenants.
    """

    text: str
    record: ApiKey
    crosses_boundaries: bool


class RotatedKey(NamedTuple):
    """A key that was replaced.

    Attributes:
        text: its successor as the owner sends it, to be shown once.
        successor: the stored part of the successor.
        replaced: the old key with its end.
    """

    text: str
    successor: ApiKey
    replaced: ApiKey


def create_key(target: Target, name: str, rights: KeyRights, expires_at: float | None) -> NewKey:
    """Make a key.

    Raises:
        CommandError: there is no such tenant or domain, a pattern fits no source, or the key would cross the boundary
            of its tenant.
    """
    tenant = find_tenant(target, rights.tenant) if rights.tenant is not None else None
    _check_scope(target, rights.domains, rights.sources)
    domains, sources = tuple(rights.domains), tuple(rights.sources)
    if tenant is None:
        domains, sources = domains or (EVERYTHING,), sources or (EVERYTHING,)
    else:
        domains, sources = domains or tenant.domains, sources or tenant.sources
        check_boundary(tenant, domains, sources)
    text, record = new_key(
        name,
        random=secrets.token_bytes(KEY_RANDOM_BYTES),
        pepper=pepper_of(target),
        now=time.time(),
        tenant=tenant.name if tenant else OPERATOR,
        actions=tuple(rights.actions or Action),
        domains=domains,
        sources=sources,
        limits=rights.limits,
        expires_at=expires_at,
    )
    keys_of(target).put(record)
    return NewKey(text, record, tenant is None and any(True for _ in tenants_of(target).list()))


def list_keys(target: Target) -> list[ApiKey]:
    """The keys, the oldest first."""
    keys = with_last_uses(keys_of(target).list(), key_uses_of(target))
    return sorted(keys, key=lambda key: key.created_at)


def find_key(target: Target, text: str) -> ApiKey:
    """A key by its id, as it is listed or as the key begins.

    Raises:
        CommandError: there is none; the text is repeated only where it can be no secret.
    """
    [key] = with_last_uses([_find(keys_of(target), text)], key_uses_of(target))
    return key


def rotate_key(target: Target, text: str, *, overlap_seconds: float, expires_at: float | None) -> RotatedKey:
    """Make the successor of a key, and have the old one end after the overlap.

    Args:
        target: the deployment.
        text: id of the key, or its beginning.
        overlap_seconds: time for which both are valid.
        expires_at: of the successor; None for a life as long as that of the old key.

    Raises:
        CommandError: there is no such key, it is not valid, has a successor, or was changed meanwhile.
    """
    keys, now = keys_of(target), time.time()
    old = _find(keys, text)
    _check_rotates(keys, old, now)
    if old.tenant != OPERATOR:
        check_boundary(find_tenant(target, old.tenant), old.domains, old.sources)
    if expires_at is None and old.expires_at is not None:
        expires_at = now + old.expires_at - old.created_at
    new_text, successor, ending = rotated(
        old,
        random=secrets.token_bytes(KEY_RANDOM_BYTES),
        pepper=pepper_of(target),
        now=now,
        overlap_seconds=overlap_seconds,
        expires_at=expires_at,
    )
    # First: were the old one to end before there is another, its owner would be locked out.
    keys.put(successor)
    try:
        keys.put(ending, replacing=old)
    except StaleKeyError:
        # Nobody has seen it.
        keys.put(msgspec.structs.replace(successor, revoked_at=now), replacing=successor)
        raise _changed_meanwhile(old) from None
    return RotatedKey(new_text, successor, ending)


def revoke_key(target: Target, text: str) -> ApiKey:
    """Revoke a key; returns it.

    Raises:
        CommandError: there is no such key, or it was changed meanwhile.
    """
    keys = keys_of(target)
    found = _find(keys, text)
    if found.revoked_at is None:
        try:
            keys.put(msgspec.structs.replace(found, revoked_at=time.time()), replacing=found)
        except StaleKeyError:
            raise _changed_meanwhile(found) from None
    return found


def _find(keys: "DynamoApiKeys", text: str) -> ApiKey:
    form = _BEGINNING_OF_KEY.fullmatch(text.strip())
    if form and text.count("_") > 1:
        err().print("that is the key itself: its first 12 characters are enough, and no secret", soft_wrap=True)
    key_id = form[1] if form else text.strip()
    is_id = _KEY_ID.fullmatch(key_id) is not None
    found = keys.find(key_id) if is_id else None
    if found is None:
        message = f"there is no key {key_id}" if is_id else "what was given is no id of a key"
        raise CommandError(message, hint="'afluente keys list' shows which are")
    return found


def _check_scope(target: Target, domains: Sequence[str], sources: Sequence[str]) -> None:
    known = target.open_domains() if domains else ()
    for domain in domains:
        if domain not in {*known, EVERYTHING}:
            raise CommandError(
                f"the domain '{domain}' is not open; open are {', '.join(sorted(known))}",
                hint=f"'afluente domains add {domain}' opens one",
                code=ExitCode.USAGE,
            )
    for pattern in sources:
        for fault in part_faults("--source", pattern):
            raise CommandError(f"--source '{pattern}' {fault.message}", code=ExitCode.USAGE)


def _check_rotates(keys: "DynamoApiKeys", old: ApiKey, now: float) -> None:
    if not old.is_valid(now):
        raise CommandError(
            f"{old.key_id} is {state_of(old, now)}: there is nothing to go on with",
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


def _changed_meanwhile(key: ApiKey) -> CommandError:
    return CommandError(
        f"somebody else has changed {key.key_id} at the same time; it is as they left it",
        hint=f"look with 'afluente keys show {key.key_id}', then run this again if it is still wanted",
    )
