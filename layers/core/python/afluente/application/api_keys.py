"""API keys: made from 256 random bits, shown once, kept only as a hash."""

import base64
from collections.abc import Iterable
from fnmatch import fnmatchcase
from hashlib import sha256
from typing import Protocol

import msgspec

PREFIX = "afl"
EVERYTHING = "*"

_ID_BYTES = 5
# 256 bits are too many to guess, so a plain SHA-256 keeps a key as safe as a slow hash would.
_SECRET_BYTES = 32
KEY_RANDOM_BYTES = _ID_BYTES + _SECRET_BYTES


class ApiKey(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is kept of an API key.

    Attributes:
        key_hash: SHA-256 of the key, as hex.
        key_id: the readable part of the key, to name it by.
        name: who or what it is for.
        domains: the domains it may write; `*` stands for all.
        sources: patterns of the sources it may write, as in a shell (`furnace-*`).
        created_at, expires_at, revoked_at: in Unix seconds; None for never.
    """

    key_hash: str
    key_id: str
    name: str
    domains: tuple[str, ...] = (EVERYTHING,)
    sources: tuple[str, ...] = (EVERYTHING,)
    created_at: float
    expires_at: float | None = None
    revoked_at: float | None = None

    def is_valid(self, now: float) -> bool:
        """Whether the key opens anything at `now`."""
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)


class Grant(msgspec.Struct, frozen=True):
    """What a caller may do: the scope of the key it came with."""

    key_id: str
    domains: tuple[str, ...]
    sources: tuple[str, ...]

    def missing_scope(self, domain: str, source_id: str) -> str | None:
        """The scope that is missing to write points of a source; None where nothing is."""
        if missing := self.missing_domain(domain):
            return missing
        if not any(fnmatchcase(source_id, pattern) for pattern in self.sources):
            return f"source:{source_id}"
        return None

    def missing_domain(self, domain: str) -> str | None:
        """The scope that is missing to write anything of a domain; None where nothing is."""
        return None if {domain, EVERYTHING} & set(self.domains) else f"domain:{domain}"


class ApiKeyStore(Protocol):
    """Where API keys are kept."""

    def find(self, key_hash: str) -> ApiKey | None:
        """The key with this hash; None where there is none.

        Raises:
            UnavailableError: the store does not answer.
        """
        ...

    def put(self, key: ApiKey) -> None:
        """Keep a key, in place of the one with the same hash."""
        ...

    def list(self) -> Iterable[ApiKey]:
        """Every key, in no order."""
        ...


def new_key(
    name: str,
    *,
    random: bytes,
    now: float,
    domains: tuple[str, ...] = (EVERYTHING,),
    sources: tuple[str, ...] = (EVERYTHING,),
    expires_at: float | None = None,
) -> tuple[str, ApiKey]:
    """Make a key.

    Args:
        name: who or what it is for.
        random: 37 bytes from a cryptographic source.
        now: in Unix seconds.
        domains: the domains it may write.
        sources: patterns of the sources it may write.
        expires_at: from when on it opens nothing; None for never.

    Returns:
        The key as its owner sends it, to be shown once, and what is kept of it.
    """
    if len(random) != KEY_RANDOM_BYTES:
        raise ValueError(f"a key takes {KEY_RANDOM_BYTES} random bytes, not {len(random)}")
    key_id = base64.b32encode(random[:_ID_BYTES]).decode().lower()
    secret = base64.urlsafe_b64encode(random[_ID_BYTES:]).decode().rstrip("=")
    text = f"{PREFIX}_{key_id}_{secret}"
    kept = ApiKey(
        key_hash=hash_of(text),
        key_id=key_id,
        name=name,
        domains=domains,
        sources=sources,
        created_at=now,
        expires_at=expires_at,
    )
    return text, kept


def hash_of(text: str) -> str:
    """The hash by which a key is found."""
    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def authenticate(text: str, store: ApiKeyStore, now: float) -> Grant | None:
    """What the sender of the key `text` may do; None where the key is unknown, expired or revoked.

    Raises:
        UnavailableError: the store does not answer.
    """
    key = store.find(hash_of(text))
    if key is None or not key.is_valid(now):
        return None
    return Grant(key.key_id, key.domains, key.sources)
