"""Composition of `http_authorizer`."""

from collections.abc import Mapping

import msgspec
from pydantic import Field

from afluente.application.access.key_guard import KeyGuard
from afluente.application.limits.stage_limits import StageLimits
from afluente.runtime.authentication import authentication
from afluente.runtime.core.settings import AuthenticatingSettings, DecodedLimits


class HttpAuthorizerSettings(AuthenticatingSettings):
    """Settings of `http_authorizer`."""

    key_ttl_seconds: float = Field(default=15, ge=0)
    limits: DecodedLimits = StageLimits()


class HttpAuthorizer(msgspec.Struct, frozen=True):
    """Use case of `http_authorizer`."""

    authenticate: KeyGuard


def compose(environment: Mapping[str, str]) -> HttpAuthorizer:
    """Build `http_authorizer`."""
    settings = HttpAuthorizerSettings.read(environment)
    return HttpAuthorizer(KeyGuard(authentication(settings), settings.limits.refused_keys))
