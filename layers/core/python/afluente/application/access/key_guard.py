"""The guard before the look-up of keys: an address that sends one bad key after the other has them looked up no more.

Each container counts for itself: a call a bad key would be what the guard is to save.
"""

from collections.abc import Callable
from enum import StrEnum
from hashlib import sha256

from cachetools import LRUCache

from afluente.application.access.grants import Grant
from afluente.application.limits.limits import RefusedKeys

_REMEMBERED = 10_000


class Refusal(StrEnum):
    """Why nobody is let in."""

    UNKNOWN = "unknown"
    """The key opens nothing."""

    FLOOD = "flood"
    """The key was not looked at: too many bad ones came from its address."""


class KeyGuard:
    """Tells who is calling, and spares itself the look-up where an address has sent too many bad keys.

    A key that was good here before is looked up whatever else its address sends.

    Args:
        authenticate: tells whose a key is.
        limit: how many bad keys of one address are looked up.
    """

    def __init__(self, authenticate: Callable[[str, float], Grant | None], limit: RefusedKeys) -> None:
        self._authenticate = authenticate
        self._limit = limit
        self._left: LRUCache[str, tuple[float, float]] = LRUCache(_REMEMBERED)
        self._good: LRUCache[bytes, bool] = LRUCache(_REMEMBERED)

    def __call__(self, text: str, address: str, now: float) -> Grant | Refusal:
        """What the owner of the key `text` may do, or why nobody is let in.

        Args:
            text: the key.
            address: that the gateway saw.
            now: in Unix seconds.

        Raises:
            UnavailableError: the key cannot be looked up.
        """
        # By the whole key: whoever has seen its readable part could make bad ones that have it, too.
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
