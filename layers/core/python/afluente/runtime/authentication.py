"""Authentication of API keys in a function."""

import time

from afluente.adapters.aws.dynamodb_api_keys import DynamoApiKeys
from afluente.adapters.aws.dynamodb_key_uses import DynamoKeyUses
from afluente.application.access.authentication import Authentication
from afluente.runtime.core.clients import client
from afluente.runtime.core.observability import LogCode, logger
from afluente.runtime.core.secrets import cached_secret
from afluente.runtime.core.settings import AuthenticatingSettings


def authentication(settings: AuthenticatingSettings) -> Authentication:
    """Build the look-up of keys."""
    return Authentication(
        DynamoApiKeys(client("dynamodb"), settings.access_table),
        DynamoKeyUses(client("dynamodb"), settings.key_uses_table),
        pepper=cached_secret(settings.key_pepper_secret),
        ttl_seconds=settings.key_ttl_seconds,
        clock=time.monotonic,
        on_use_lost=log_lost_use,
    )


def log_lost_use(key_id: str) -> None:
    """Log that the last use of a key could not be recorded."""
    logger().warning("use of the key not recorded", code=LogCode.KEY_USE_NOT_RECORDED, key_id=key_id)
