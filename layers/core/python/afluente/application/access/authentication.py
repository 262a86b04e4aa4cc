"""Authentication: an API key becomes the grant of its owner."""

import hmac
from collections.abc import Callable, Iterable, Iterator
from hashlib import sha256

import msgspec
from cachetools import LRUCache, TTLCache

from afluente.application.access.api_keys import ApiKey, id_in, verifier_of
from afluente.application.access.grants import Grant
from afluente.application.access.ports import ApiKeyStore, KeyUses
from afluente.application.errors import UnavailableError

USE_RECORDED_SECONDS = 15 * 60
"""Resolution of `ApiKey.last_used_at`: a use within this time of the recorded one is not written."""

_CACHED_KEYS = 10_000
_NO_VERIFIER = "0" * 64


class Authentication:
    """Authenticates callers by their keys, through a cache.

    Args:
        store: of API keys.
        uses: of API keys.
        pepper: gives the secret that is part of every hash.
        ttl_seconds: time for which an answer is cached.
        clock: a monotonic clock, in seconds.
        on_use_lost: called with the id of a key whose use could not be recorded; the caller is let in all the same.
    """

    def __init__(
        self,
        store: ApiKeyStore,
        uses: KeyUses,
        *,
        pepper: Callable[[], str],
        ttl_seconds: float,
        clock: Callable[[], float],
        on_use_lost: Callable[[str], None],
    ) -> None:
        self._store = store
        self._uses = uses
        self._recorded: LRUCache[str, float] = LRUCache(_CACHED_KEYS)
        self._on_use_lost = on_use_lost
        self._pepper = pepper
        self._cache: TTLCache[bytes, Grant | None] = TTLCache(_CACHED_KEYS, ttl_seconds, timer=clock)

    def __call__(self, text: str, now: float) -> Grant | None:
        """The grant of the key `text`; None if it is unknown, expired or revoked.

        Raises:
            UnavailableError: the store or the secret does not answer.
        """
        key_id = id_in(text)
        if key_id is None:
            return None
        # By the whole key, as a hash: no copy of a key stays in memory.
        name = sha256(text.encode()).digest()
        try:
            return self._cache[name]
        except KeyError:
            grant = self._cache[name] = self._find(key_id, text, now)
            return grant

    def still_valid(self, key_id: str, now: float) -> Grant | None:
        """The grant of a key that was accepted before; None if it is valid no longer.

        Raises:
            UnavailableError: the store does not answer.
        """
        key = self._store.find(key_id)
        return key.grant if key and key.is_valid(now) else None

    def _find(self, key_id: str, text: str, now: float) -> Grant | None:
        key = self._store.find(key_id)
        # Compared even if there is no such key, so that the response time does not reveal it.
        is_right = hmac.compare_digest(verifier_of(text, self._pepper()), key.verifier if key else _NO_VERIFIER)
        if key is None or not is_right or not key.is_valid(now):
            return None
        self._record_use(key, now)
        return key.grant

    def _record_use(self, key: ApiKey, now: float) -> None:
        if not _is_due(self._recorded.get(key.key_id), now):
            return
        try:
            self._recorded[key.key_id] = self._recorded_use(key, now)
        except UnavailableError:
            self._on_use_lost(key.key_id)

    def _recorded_use(self, key: ApiKey, now: float) -> float:
        """The last recorded use of a key, which may be that of another container; now, if that is long ago."""
        last = _last_use(self._uses.last(key.key_id), key)
        if last is not None and not _is_due(last, now):
            return last
        self._uses.record(key.key_id, now)
        return now


def with_last_uses(keys: Iterable[ApiKey], uses: KeyUses) -> Iterator[ApiKey]:
    """Keys with the times of their last uses.

    Raises:
        UnavailableError: the store of uses does not answer.
    """
    last = dict(uses.list())
    return (msgspec.structs.replace(key, last_used_at=_last_use(last.get(key.key_id), key)) for key in keys)


def _last_use(recorded: float | None, key: ApiKey) -> float | None:
    """The later one of a recorded use and that in the key, from a release before uses had a table of their own."""
    return max((at for at in (recorded, key.last_used_at) if at is not None), default=None)


def _is_due(last: float | None, now: float) -> bool:
    return last is None or now - last >= USE_RECORDED_SECONDS
