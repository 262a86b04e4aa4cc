"""Who is calling: what functions are made of that ask for a key."""

import time

from afluente.adapters.aws.dynamodb_api_keys import DynamoApiKeys
from afluente.application.access.authentication import Authentication
from afluente.runtime.clients import client
from afluente.runtime.observability import LogCode, logger
from afluente.runtime.secrets import cached_secret
from afluente.runtime.settings import HttpAuthorizerSettings, WsIngestSettings


def authentication(settings: HttpAuthorizerSettings | WsIngestSettings) -> Authentication:
    """Build what tells whose a key is."""
    return Authentication(
        DynamoApiKeys(client("dynamodb"), settings.access_table),
        pepper=cached_secret(settings.key_pepper_secret),
        ttl_seconds=settings.key_ttl_seconds,
        clock=time.monotonic,
        on_use_lost=tell_lost_use,
    )


def tell_lost_use(key_id: str) -> None:
    """Say in the log that it could not be written down that a key was used."""
    logger().warning("use of the key not recorded", code=LogCode.KEY_USE_NOT_RECORDED, key_id=key_id)
