"""The guard before the look-up of keys: an address that sends too many bad keys is refused without a look-up.

Each container counts by itself: a shared count would cost the call that the guard saves.
"""

from collections.abc import Callable
from enum import StrEnum
from hashlib import sha256

from cachetools import LRUCache

from afluente.application.access.grants import Grant
from afluente.application.limits.stage_limits import RefusedKeys

_CACHED_ADDRESSES = 10_000
_CACHED_KEYS = 10_000


class Refusal(StrEnum):
    """Why a caller is not let in."""

    UNKNOWN = "unknown"
    """The key is unknown, expired or revoked."""

    FLOOD = "flood"
    """The key was not looked up: too many bad ones came from its address."""


class KeyGuard:
    """Authenticates callers, without a look-up for an address that has sent too many bad keys.

    A key that was accepted here before is looked up whatever else its address sends.

    Args:
        authenticate: gives the grant of a key.
        limit: of bad keys that are looked up for one address.
    """

    def __init__(self, authenticate: Callable[[str, float], Grant | None], limit: RefusedKeys) -> None:
        self._authenticate = authenticate
        self._limit = limit
        self._left: LRUCache[str, tuple[float, float]] = LRUCache(_CACHED_ADDRESSES)
        self._good: LRUCache[bytes, bool] = LRUCache(_CACHED_KEYS)

    def __call__(self, text: str, address: str, now: float) -> Grant | Refusal:
        """The grant of the key `text`, or the reason of its refusal.

        Args:
            text: the key.
            address: that the gateway saw.
            now: in Unix seconds.

        Raises:
            UnavailableError: the key cannot be looked up.
        """
        # By the whole key: anybody who has seen its readable part could make bad ones that have it too.
        name = sha256(text.encode(errors="surrogatepass")).digest()
        left = self._left_of(address, now)
        if left < 1 and name not in self._good:
            return Refusal.FLOOD
        grant = self._authenticate(text, now)
        if grant is not None:
            self._good[name] = True
            return grant
        if self._limit.per_second:
            self._left[address] = (max(0.0, left - 1), now)
        return Refusal.UNKNOWN

    def _left_of(self, address: str, now: float) -> float:
        full = float(max(1, self._limit.burst))
        left, at = self._left.get(address, (full, now))
        return min(full, left + self._limit.per_second * max(0.0, now - at))
