"""The front of a stage, before its HTTP API."""

from collections.abc import Sequence

from afluente.adapters.http.client_address import Front
from afluente.runtime.core.secrets import cached_secret


def front(secrets: Sequence[str]) -> Front | None:
    """Build the front of a stage; None for a stage without one.

    Args:
        secrets: names of the secrets of the front.
    """
    valid = [cached_secret(name) for name in secrets if name]
    return Front(lambda: [secret() for secret in valid]) if valid else None
