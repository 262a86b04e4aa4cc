"""API keys: 256 random bits, shown once, and stored only as a hash under a secret of the service (the pepper)."""

import base64
import hmac
import re
import zlib
from hashlib import sha256

import msgspec

from afluente.application.access.grants import EVERYTHING, OPERATOR, Action, Grant
from afluente.application.limits.stage_limits import KeyLimits

PREFIX = "afl"

_ID_BYTES = 5
_SECRET_BYTES = 32
KEY_RANDOM_BYTES = _ID_BYTES + _SECRET_BYTES

# Prefix, id in base32, secret in base64, checksum of all before it in base64.
_FORM = re.compile(rf"({PREFIX}_([a-z2-7]{{8}})_[A-Za-z0-9_-]{{43}})([A-Za-z0-9_-]{{6}})")


class ApiKey(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The stored part of an API key.

    Attributes:
        key_id: the readable part of the key, by which it is found and named.
        verifier: HMAC-SHA256 of the SHA-256 of the key, under the pepper, as hex.
        name: the person or program that uses it.
        tenant: its owner.
        actions: the actions it allows.
        domains: the domains it reaches; `*` stands for all.
        sources: patterns of the sources it reaches, as in a shell (`furnace-*`).
        limits: its own limits, which replace those of the stage.
        created_at, expires_at, revoked_at: in Unix seconds; None for never.
        replaced_by: the id of its successor.
        last_used_at: in Unix seconds, at most a quarter of an hour too early; None for never.
    """

    key_id: str
    verifier: str
    name: str
    tenant: str = OPERATOR
    actions: tuple[Action, ...] = tuple(Action)
    domains: tuple[str, ...] = (EVERYTHING,)
    sources: tuple[str, ...] = (EVERYTHING,)
    limits: KeyLimits | None = None
    created_at: float
    expires_at: float | None = None
    revoked_at: float | None = None
    replaced_by: str | None = None
    last_used_at: float | None = None

    def is_valid(self, now: float) -> bool:
        """True until the key is revoked or expires."""
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)

    @property
    def grant(self) -> Grant:
        """The rights of its owner while it is valid."""
        return Grant(
            key_id=self.key_id,
            tenant=self.tenant,
            actions=self.actions,
            domains=self.domains,
            sources=self.sources,
            limits=self.limits,
        )


def new_key(
    name: str,
    *,
    random: bytes,
    pepper: str,
    now: float,
    tenant: str = OPERATOR,
    actions: tuple[Action, ...] = tuple(Action),
    domains: tuple[str, ...] = (EVERYTHING,),
    sources: tuple[str, ...] = (EVERYTHING,),
    limits: KeyLimits | None = None,
    expires_at: float | None = None,
) -> tuple[str, ApiKey]:
    """Make a key.

    Args:
        name: the person or program that uses it.
        random: 37 bytes from a cryptographic source.
        pepper: the secret that is part of every hash.
        now: in Unix seconds.
        tenant: its owner.
        actions: the actions it allows.
        domains: the domains it reaches.
        sources: patterns of the sources it reaches.
        limits: its own limits.
        expires_at: in Unix seconds; None for never.

    Returns:
        The key as its owner sends it, to be shown once, and the record to store.
    """
    if len(random) != KEY_RANDOM_BYTES:
        raise ValueError(f"a key takes {KEY_RANDOM_BYTES} random bytes, not {len(random)}")
    key_id = base64.b32encode(random[:_ID_BYTES]).decode().lower()
    start = f"{PREFIX}_{key_id}_{_base64(random[_ID_BYTES:])}"
    text = start + _checksum(start)
    record = ApiKey(
        key_id=key_id,
        verifier=verifier_of(text, pepper),
        name=name,
        tenant=tenant,
        actions=actions,
        domains=domains,
        sources=sources,
        limits=limits,
        created_at=now,
        expires_at=expires_at,
    )
    return text, record


def rotated(
    key: ApiKey, *, random: bytes, pepper: str, now: float, overlap_seconds: float, expires_at: float | None
) -> tuple[str, ApiKey, ApiKey]:
    """Make the successor of a key, with the same rights.

    Args:
        key: a valid key.
        random: 37 bytes from a cryptographic source.
        pepper: the secret that is part of every hash.
        now: in Unix seconds.
        overlap_seconds: time for which both are valid; it does not prolong the old key.
        expires_at: of the successor, in Unix seconds; None for never.

    Returns:
        The successor as its owner sends it, its record, and the record of the old key with its end.
    """
    text, successor = new_key(
        key.name,
        random=random,
        pepper=pepper,
        now=now,
        tenant=key.tenant,
        actions=key.actions,
        domains=key.domains,
        sources=key.sources,
        limits=key.limits,
        expires_at=expires_at,
    )
    end = now + overlap_seconds
    ending = msgspec.structs.replace(
        key,
        expires_at=end if key.expires_at is None else min(end, key.expires_at),
        replaced_by=successor.key_id,
    )
    return text, successor, ending


def id_in(text: str) -> str | None:
    """The id of a key, by its form alone; None if `text` has not the form of a key."""
    form = _FORM.fullmatch(text)
    return form[2] if form and _checksum(form[1]) == form[3] else None


def verifier_of(text: str, pepper: str) -> str:
    """The hash that is stored in place of a key."""
    # 256 random bits are too many to guess, so that a slow hash would make nothing safer.
    return hmac.digest(pepper.encode(), sha256(text.encode()).digest(), "sha256").hex()


def _checksum(start: str) -> str:
    return _base64(zlib.crc32(start.encode()).to_bytes(4, "big"))


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")
