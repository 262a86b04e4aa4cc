"""In-memory twins of the ports of access."""

from collections.abc import Iterator

import msgspec

from afluente.application.access.api_keys import ApiKey
from afluente.application.access.ports import StaleKeyError
from afluente.application.access.tenants import Tenant


class MemoryApiKeys:
    """Keeps API keys by id."""

    def __init__(self) -> None:
        self._keys: dict[str, ApiKey] = {}

    def find(self, key_id: str) -> ApiKey | None:
        return self._keys.get(key_id)

    def put(self, key: ApiKey, *, replacing: ApiKey | None = None) -> None:
        found = self._keys.get(key.key_id)
        if _without_use(found) != _without_use(replacing):
            raise StaleKeyError(key.key_id)
        last_used_at = found.last_used_at if found else None
        self._keys[key.key_id] = msgspec.structs.replace(key, last_used_at=last_used_at)

    def list(self) -> Iterator[ApiKey]:
        return iter(list(self._keys.values()))


class MemoryKeyUses:
    """Keeps the last uses of keys by id."""

    def __init__(self) -> None:
        self._uses: dict[str, float] = {}

    def last(self, key_id: str) -> float | None:
        return self._uses.get(key_id)

    def record(self, key_id: str, now: float) -> None:
        self._uses[key_id] = now

    def list(self) -> Iterator[tuple[str, float]]:
        return iter(list(self._uses.items()))


def _without_use(key: ApiKey | None) -> ApiKey | None:
    return msgspec.structs.replace(key, last_used_at=None) if key else None


class MemoryTenants:
    """Keeps tenants by name."""

    def __init__(self) -> None:
        self._tenants: dict[str, Tenant] = {}

    def find(self, name: str) -> Tenant | None:
        return self._tenants.get(name)

    def put(self, tenant: Tenant) -> None:
        self._tenants[tenant.name] = tenant

    def remove(self, name: str) -> None:
        self._tenants.pop(name, None)

    def list(self) -> Iterator[Tenant]:
        return iter(list(self._tenants.values()))
