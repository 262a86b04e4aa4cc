"""Composition of `http_authorizer`."""

from collections.abc import Mapping

import msgspec
from pydantic import Field

from afluente.adapters.http.client_address import Front
from afluente.application.access.key_guard import KeyGuard
from afluente.application.limits.stage_limits import StageLimits
from afluente.runtime.authentication import authentication
from afluente.runtime.core.settings import AuthenticatingSettings, DecodedLimits, Names
from afluente.runtime.front import front


class HttpAuthorizerSettings(AuthenticatingSettings):
    """Settings of `http_authorizer`."""

    key_ttl_seconds: float = Field(default=15, ge=0)
    limits: DecodedLimits = StageLimits()
    front_secrets: Names = ()


class HttpAuthorizer(msgspec.Struct, frozen=True):
    """Use case of `http_authorizer`.

    Attributes:
        authenticate: callers, by their keys and addresses.
        front: of the stage, if it has one.
    """

    authenticate: KeyGuard
    front: Front | None = None


def compose(environment: Mapping[str, str]) -> HttpAuthorizer:
    """Build `http_authorizer`."""
    settings = HttpAuthorizerSettings.read(environment)
    guard = KeyGuard(authentication(settings), settings.limits.refused_keys)
    return HttpAuthorizer(guard, front(settings.front_secrets))
