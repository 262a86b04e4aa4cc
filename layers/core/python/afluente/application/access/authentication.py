"""Authentication: an API key becomes the grant of its owner."""

import hmac
from collections.abc import Callable
from hashlib import sha256

from cachetools import TTLCache

from afluente.application.access.api_keys import ApiKey, id_in, verifier_of
from afluente.application.access.grants import Grant
from afluente.application.access.ports import ApiKeyStore
from afluente.application.errors import UnavailableError

USE_RECORDED_SECONDS = 15 * 60
"""Resolution of `ApiKey.last_used_at`: a use within this time of the recorded one is not written."""

_CACHED_KEYS = 10_000
_NO_VERIFIER = "0" * 64


class Authentication:
    """Authenticates callers by their keys, through a cache.

    Args:
        store: of API keys.
        pepper: gives the secret that is part of every hash.
        ttl_seconds: time for which an answer is cached.
        clock: a monotonic clock, in seconds.
        on_use_lost: called with the id of a key whose use could not be recorded; the caller is let in all the same.
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
        if key.last_used_at is not None and now - key.last_used_at < USE_RECORDED_SECONDS:
            return
        try:
            self._store.record_use(key.key_id, now)
        except UnavailableError:
            self._on_use_lost(key.key_id)
