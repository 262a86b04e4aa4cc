"""Settings of the functions, read from the environment.

Each function's own settings stand beside its composition. Plain pydantic rather than pydantic-settings: reading a dozen
variables is a line, and the import would add 150 ms to each cold start.
"""

from collections.abc import Mapping
from datetime import date
from typing import Annotated, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, InstanceOf

from afluente.application.limits.stage_limits import StageLimits, decode_limits

PREFIX = "AFLUENTE_"


def _split(value: object) -> object:
    return tuple(part.strip() for part in value.split(",")) if isinstance(value, str) else value


def _none_if_empty(value: object) -> object:
    return None if value == "" else value


def _limits(value: object) -> object:
    return decode_limits(value) if isinstance(value, str) else value


Names = Annotated[tuple[str, ...], BeforeValidator(_split)]
"""Names with commas between them."""

OptionalDate = Annotated[date | None, BeforeValidator(_none_if_empty)]
"""Date as 2026-12-31, or nothing."""

DecodedLimits = Annotated[InstanceOf[StageLimits], BeforeValidator(_limits)]
"""Limits, as JSON."""


class Settings(BaseModel):
    """Settings of a function, by the names of variables with the prefix `AFLUENTE_`."""

    model_config = ConfigDict(frozen=True)

    @classmethod
    def read(cls, environment: Mapping[str, str]) -> Self:
        """Read the settings from environment variables.

        Raises:
            pydantic.ValidationError: a variable is missing or has a wrong value; it names each.
        """
        variables = {name: PREFIX + name.upper() for name in cls.model_fields}
        return cls.model_validate(
            {name: environment[variable] for name, variable in variables.items() if variable in environment}
        )


class AuthenticatingSettings(Settings):
    """Settings of a function that looks up API keys."""

    access_table: str
    key_uses_table: str
    key_pepper_secret: str
    key_ttl_seconds: float = Field(ge=0)


class LimitedSettings(Settings):
    """Settings of a function with rate limits."""

    limits: DecodedLimits = StageLimits()
    limits_fail: Literal["open", "shut"] = "open"
    limits_table: str = ""


class HttpSettings(LimitedSettings):
    """Settings of a function behind the HTTP API."""

    front_secrets: Names = ()


class AcceptingSettings(Settings):
    """Settings of a function that accepts points."""

    domains: Names
    shards: int = Field(ge=1, le=1024)
    max_pack_points: int = Field(default=5_000, ge=1)
    datapoints_queue_url: str
    quarantine_bucket: str
