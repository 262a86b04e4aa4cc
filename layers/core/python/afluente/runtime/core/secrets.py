"""Secrets of a function, read when they are first needed and again after a while, so that a new one takes effect."""

from collections.abc import Callable

from cachetools.func import ttl_cache

from afluente.adapters.aws.secrets_manager import SecretsManagerSecret
from afluente.runtime.core.clients import client

_SECONDS = 300


def cached_secret(name: str) -> Callable[[], str]:
    """A function that gives the secret of this name or ARN, read at most every five minutes.

    Raises:
        UnavailableError: by the function, where Secrets Manager does not answer.
    """
    secret = SecretsManagerSecret(client("secretsmanager"), name)
    read: Callable[[], str] = ttl_cache(maxsize=1, ttl=_SECONDS)(secret.read)
    return read
