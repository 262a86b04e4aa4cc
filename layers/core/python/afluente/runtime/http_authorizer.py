"""Composition of `http_authorizer`."""

import os
from functools import cache

import msgspec

from afluente.application.access.key_guard import KeyGuard
from afluente.runtime.authentication import authentication
from afluente.runtime.settings import HttpAuthorizerSettings


class HttpAuthorizer(msgspec.Struct, frozen=True):
    """What `http_authorizer` works with."""

    authenticate: KeyGuard


@cache
def http_authorizer() -> HttpAuthorizer:
    """Build `http_authorizer`."""
    settings = HttpAuthorizerSettings.read(os.environ)
    return HttpAuthorizer(KeyGuard(authentication(settings), settings.limits.refused_keys))
