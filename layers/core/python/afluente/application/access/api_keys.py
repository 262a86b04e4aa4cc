"""API keys: made from 256 random bits, shown once, kept only as a hash that a secret of the service is part of."""

import base64
import hmac
import re
import zlib
from collections.abc import Callable, Iterable
from hashlib import sha256
from typing import Protocol

import msgspec
from cachetools import TTLCache

from afluente.application.access.grants import EVERYTHING, OPERATOR, Action, Grant
from afluente.application.errors import UnavailableError
from afluente.application.limits.limits import KeyLimits

PREFIX = "afl"

USE_RECORDED_SECONDS = 15 * 60
"""How exactly it is known when a key was used last: each use within so long of a recorded one is not written down."""

_ID_BYTES = 5
_SECRET_BYTES = 32
KEY_RANDOM_BYTES = _ID_BYTES + _SECRET_BYTES

# Prefix, id in base32, secret in base64, checksum of all before it in base64.
_FORM = re.compile(rf"({PREFIX}_([a-z2-7]{{8}})_[A-Za-z0-9_-]{{43}})([A-Za-z0-9_-]{{6}})")
_REMEMBERED = 10_000
_NOBODY = "0" * 64


class ApiKey(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is kept of an API key.

    Attributes:
        key_id: the readable part of the key, to find and to name it by.
        verifier: HMAC-SHA256 of the SHA-256 of the key, under the pepper, as hex.
        name: who or what it is for.
        tenant: whose it is.
        actions: what it may be used for.
        domains: the domains it reaches; `*` stands for all.
        sources: patterns of the sources it reaches, as in a shell (`furnace-*`).
        limits: its own limits, where it has other ones than the stage gives every key.
        created_at, expires_at, revoked_at: in Unix seconds; None for never.
        replaced_by: the id of the key that is to take its place.
        last_used_at: in Unix seconds, a quarter of an hour too early at the most; None for never.
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
        """Whether the key opens anything at `now`."""
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)

    @property
    def grant(self) -> Grant:
        """What its owner may do while it is valid."""
        return Grant(
            key_id=self.key_id,
            tenant=self.tenant,
            actions=self.actions,
            domains=self.domains,
            sources=self.sources,
            limits=self.limits,
        )


class StaleKeyError(Exception):
    """Somebody else has changed the key meanwhile; it was left as it is."""


class ApiKeyStore(Protocol):
    """Where API keys are kept."""

    def find(self, key_id: str) -> ApiKey | None:
        """The key with this id; None where there is none.

        Raises:
            UnavailableError: the store does not answer.
        """
        ...

    def put(self, key: ApiKey, *, replacing: ApiKey | None = None) -> None:
        """Keep a key.

        Args:
            key: what is to be kept; when it was used last is kept by `used` alone.
            replacing: the key as it was found, to be replaced; without one the key is new.

        Raises:
            StaleKeyError: it is not as it was found any more, or a new key has the id of another one.
            UnavailableError: the store does not answer.
        """
        ...

    def used(self, key_id: str, now: float) -> None:
        """Keep that a key was used.

        Raises:
            UnavailableError: the store does not answer.
        """
        ...

    def list(self) -> Iterable[ApiKey]:
        """Every key, in no order."""
        ...


class Authentication:
    """Tells who is calling.

    Args:
        store: where API keys are kept.
        pepper: gives the secret that is part of every hash.
        ttl_seconds: how long what was found out of a key is taken for true.
        clock: a monotonic clock, in seconds.
        on_use_lost: told the id of a key whose use could not be written down, which keeps nobody out.
    """

    def __init__(
        self,
        store: ApiKeyStore,
        *,
        pepper: Callable[[], str],
        ttl_seconds: float,
        clock: Callable[[], float],
        on_use_lost: Callable[[str], None],
    ) -> None:
        self._store = store
        self._on_use_lost = on_use_lost
        self._pepper = pepper
        self._known: TTLCache[bytes, Grant | None] = TTLCache(_REMEMBERED, ttl_seconds, timer=clock)

    def __call__(self, text: str, now: float) -> Grant | None:
        """What the owner of the key `text` may do; None where it is unknown, expired or revoked.

        Raises:
            UnavailableError: the store or the secret does not answer.
        """
        key_id = id_in(text)
        if key_id is None:
            return None
        # By the whole key, of which no copy stays in memory.
        name = sha256(text.encode()).digest()
        try:
            return self._known[name]
        except KeyError:
            grant = self._known[name] = self._find(key_id, text, now)
            return grant

    def still_valid(self, key_id: str, now: float) -> Grant | None:
        """What a key that was accepted before may still do; None where it opens nothing any more.

        Raises:
            UnavailableError: the store does not answer.
        """
        key = self._store.find(key_id)
        return key.grant if key and key.is_valid(now) else None

    def _find(self, key_id: str, text: str, now: float) -> Grant | None:
        key = self._store.find(key_id)
        # Compared also where there is no key: nobody is to learn from the time it takes.
        is_right = hmac.compare_digest(verifier_of(text, self._pepper()), key.verifier if key else _NOBODY)
        if key is None or not is_right or not key.is_valid(now):
            return None
        self._keep_use(key, now)
        return key.grant

    def _keep_use(self, key: ApiKey, now: float) -> None:
        if key.last_used_at is not None and now - key.last_used_at < USE_RECORDED_SECONDS:
            return
        try:
            self._store.used(key.key_id, now)
        except UnavailableError:
            self._on_use_lost(key.key_id)


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
        name: who or what it is for.
        random: 37 bytes from a cryptographic source.
        pepper: the secret that is part of every hash.
        now: in Unix seconds.
        tenant: whose it is.
        actions: what it may be used for.
        domains: the domains it reaches.
        sources: patterns of the sources it reaches.
        limits: its own limits.
        expires_at: from when on it opens nothing; None for never.

    Returns:
        The key as its owner sends it, to be shown once, and what is kept of it.
    """
    if len(random) != KEY_RANDOM_BYTES:
        raise ValueError(f"a key takes {KEY_RANDOM_BYTES} random bytes, not {len(random)}")
    key_id = base64.b32encode(random[:_ID_BYTES]).decode().lower()
    start = f"{PREFIX}_{key_id}_{_base64(random[_ID_BYTES:])}"
    text = start + _checksum(start)
    kept = ApiKey(
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
    return text, kept


def rotated(
    key: ApiKey, *, random: bytes, pepper: str, now: float, overlap_seconds: float, expires_at: float | None
) -> tuple[str, ApiKey, ApiKey]:
    """Make the key that takes the place of another one, which goes on for a while.

    Args:
        key: that is to be replaced; it has to be valid.
        random: 37 bytes from a cryptographic source.
        pepper: the secret that is part of every hash.
        now: in Unix seconds.
        overlap_seconds: how long both are good; the old one never longer than it was to be.
        expires_at: from when on the new one opens nothing; None for never.

    Returns:
        The new key as its owner sends it, what is kept of it, and the old one with its end.
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
    """The id of the key that `text` is; None where no key has ever looked so, which takes no look-up to tell."""
    form = _FORM.fullmatch(text)
    return form[2] if form and _checksum(form[1]) == form[3] else None


def verifier_of(text: str, pepper: str) -> str:
    """What is kept in place of a key: of no use to find a key that fits it, the less so without the pepper."""
    # 256 random bits are too many to guess, so that a slow hash would make nothing safer.
    return hmac.digest(pepper.encode(), sha256(text.encode()).digest(), "sha256").hex()


def _checksum(start: str) -> str:
    return _base64(zlib.crc32(start.encode()).to_bytes(4, "big"))


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")
