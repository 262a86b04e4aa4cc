"""Keys and tenants of a deployment, as its operators reach them: with AWS credentials."""

import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from afluente.application.access.grants import EVERYTHING, OPERATOR, beginning_of, is_pattern
from afluente.domain.stream_keys import part_faults
from cli.core.errors import CommandError, ExitCode
from cli.core.target import Target

if TYPE_CHECKING:
    from afluente.adapters.aws.dynamodb_api_keys import DynamoApiKeys
    from afluente.adapters.aws.dynamodb_tenants import DynamoTenants
    from afluente.application.access.api_keys import ApiKey
    from afluente.application.access.tenants import Tenant

_KEY_ID = re.compile(r"[a-z2-7]{8}")
_IN_A_KEY = re.compile(r"afl_([a-z2-7]{8})(?:_.*)?", re.DOTALL)


def keys_of(target: Target) -> "DynamoApiKeys":
    """The API keys."""
    from afluente.adapters.aws.dynamodb_api_keys import DynamoApiKeys  # noqa: PLC0415 - commands start quickly

    return DynamoApiKeys(target.client("dynamodb"), target["AccessTable"])


def tenants_of(target: Target) -> "DynamoTenants":
    """The tenants."""
    from afluente.adapters.aws.dynamodb_tenants import DynamoTenants  # noqa: PLC0415 - commands start quickly

    return DynamoTenants(target.client("dynamodb"), target["AccessTable"])


def pepper_of(target: Target) -> str:
    """The secret that is part of the hash of every key."""
    from afluente.adapters.aws.secrets_manager import SecretsManagerSecret  # noqa: PLC0415 - commands start quickly

    return SecretsManagerSecret(target.client("secretsmanager"), target["KeyPepperSecret"]).read()


def domains_of(target: Target) -> tuple[str, ...]:
    """The domains that are open."""
    configuration = target.client("lambda").get_function_configuration(FunctionName=target["HttpIngestFunction"])
    return tuple(configuration["Environment"]["Variables"]["AFLUENTE_DOMAINS"].split(","))


def is_whole_key(text: str) -> bool:
    """Whether somebody gave more of a key than its readable part."""
    return text.count("_") > 1 and _IN_A_KEY.fullmatch(text) is not None


def find_key(keys: "DynamoApiKeys", text: str) -> "ApiKey":
    """A key by its id, as it is listed or as the key begins.

    Raises:
        CommandError: there is none; what was given is repeated only where it can be no secret.
    """
    begun = _IN_A_KEY.fullmatch(text.strip())
    key_id = begun[1] if begun else text.strip()
    found = keys.find(key_id) if _KEY_ID.fullmatch(key_id) else None
    if found is None:
        told = f"there is no key {key_id}" if _KEY_ID.fullmatch(key_id) else "what was given is no id of a key"
        raise CommandError(told, hint="'afluente keys list' shows which are")
    return found


def find_tenant(target: Target, name: str) -> "Tenant":
    """A tenant by its name.

    Raises:
        CommandError: there is none.
    """
    found = tenants_of(target).find(name)
    if found is None:
        raise CommandError(f"there is no tenant '{name}'", hint="'afluente tenants list' shows which are")
    return found


def scope_of_a_key(
    target: Target, tenant: "Tenant | None", domains: Sequence[str], sources: Sequence[str]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The domains and the sources of a key that is to be: those said, by default all that it may have.

    Raises:
        CommandError: a domain is not open, a pattern fits no source, or the key would cross its tenant's boundary.
    """
    _check_domains(target, domains)
    for pattern in sources:
        for fault in part_faults("--source", pattern):
            raise CommandError(f"--source '{pattern}' {fault.message}", code=ExitCode.USAGE)
    if tenant is None:
        return tuple(domains) or (EVERYTHING,), tuple(sources) or (EVERYTHING,)
    its_domains, its_sources = tuple(domains) or tenant.domains, tuple(sources) or tenant.sources
    check_boundary(tenant, its_domains, its_sources)
    return its_domains, its_sources


def check_boundary(tenant: "Tenant", domains: Iterable[str], sources: Iterable[str]) -> None:
    """Check that a key lies within the boundary of its tenant.

    Raises:
        CommandError: it does not; names the first scope beyond.
    """
    beyond = tenant.outside(domains, sources)
    if beyond:
        raise CommandError(
            f"the scope {beyond} reaches beyond the ground of the tenant '{tenant.name}'",
            hint=f"its ground is {render_boundary(tenant)}; take the scope from within it",
            code=ExitCode.USAGE,
        )


def render_boundary(tenant: "Tenant") -> str:
    """The boundary of a tenant, for people."""
    return f"{' '.join(tenant.domains)} / {' '.join(tenant.sources)}"


def keys_into(tenant: "Tenant", keys: Iterable["ApiKey"], now: float) -> "list[ApiKey]":
    """The operators' keys that cross the boundary of a tenant."""
    from afluente.application.access.tenants import Tenant  # noqa: PLC0415 - commands start quickly

    found = []
    for key in keys:
        if key.tenant != OPERATOR or not key.is_valid(now):
            continue
        domains = tenant.domains if EVERYTHING in key.domains else key.domains
        # Patterns count as far as they are letters: rather a key too many is told of.
        letters = tuple(beginning_of(one) + EVERYTHING if is_pattern(one) else one for one in key.sources)
        reached = Tenant(name=key.key_id, domains=domains, sources=letters, created_at=now)
        if tenant.overlap(reached):
            found.append(key)
    return found


def _check_domains(target: Target, domains: Sequence[str]) -> None:
    if not domains:
        return
    known = domains_of(target)
    for domain in domains:
        if domain not in {*known, EVERYTHING}:
            raise CommandError(
                f"the domain '{domain}' is not open; open are {', '.join(sorted(known))}",
                hint=f"'afluente domains add {domain}' opens one",
                code=ExitCode.USAGE,
            )
