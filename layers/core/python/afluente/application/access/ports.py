"""Ports of access: the stores of API keys and of tenants."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Protocol

from afluente.application.access.api_keys import ApiKey

if TYPE_CHECKING:
    # The authorizer needs none of them.
    from afluente.application.access.tenants import Tenant


class StaleKeyError(Exception):
    """Another writer has changed the key meanwhile; it was left as it is."""


class ApiKeyStore(Protocol):
    """API keys by their ids.

    Every method raises `UnavailableError` if the store does not answer.
    """

    def find(self, key_id: str) -> ApiKey | None:
        """The key with this id; None if there is none."""
        ...

    def put(self, key: ApiKey, *, replacing: ApiKey | None = None) -> None:
        """Store a key, except for `last_used_at`.

        Args:
            key: the new record.
            replacing: the record as it was found; None for a new key.

        Raises:
            StaleKeyError: the stored record is not `replacing`, or a new key has the id of another one.
        """
        ...

    def list(self) -> Iterable[ApiKey]:
        """Every key, in no order."""
        ...


class KeyUses(Protocol):
    """Last uses of API keys, apart from the keys: whoever records a use cannot write a key.

    Every method raises `UnavailableError` if the store does not answer.
    """

    def last(self, key_id: str) -> float | None:
        """The time of the last recorded use, in Unix seconds; None for none."""
        ...

    def record(self, key_id: str, now: float) -> None:
        """Store the time of a use, in Unix seconds."""
        ...

    def list(self) -> Iterable[tuple[str, float]]:
        """The id and the last recorded use of every key that has one, in no order."""
        ...


class TenantStore(Protocol):
    """Tenants by their names.

    Every method raises `UnavailableError` if the store does not answer.
    """

    def find(self, name: str) -> "Tenant | None":
        """The tenant of this name; None if there is none."""
        ...

    def put(self, tenant: "Tenant") -> None:
        """Store a tenant, replacing the one of the same name."""
        ...

    def remove(self, name: str) -> None:
        """Delete a tenant, if there is one of this name."""
        ...

    def list(self) -> "Iterable[Tenant]":
        """Every tenant, in no order."""
        ...
