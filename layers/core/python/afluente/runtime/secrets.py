"""Secrets in a function: read when they are first needed, and again in time, so that a new one takes effect."""

from collections.abc import Callable

from cachetools.func import ttl_cache

from afluente.adapters.aws.secrets_manager import SecretsManagerSecret
from afluente.runtime.clients import client

_SECONDS = 300


def cached_secret(name: str) -> Callable[[], str]:
    """What gives the secret of this name or ARN, which is read at most every five minutes.

    Raises:
        UnavailableError: when it is called, and Secrets Manager does not answer.
    """
    secret = SecretsManagerSecret(client("secretsmanager"), name)
    read: Callable[[], str] = ttl_cache(maxsize=1, ttl=_SECONDS)(secret.read)
    return read
