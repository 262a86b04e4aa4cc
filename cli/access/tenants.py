"""Tenants of a deployment, as its operators make and remove them: with AWS credentials."""

import time
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from afluente.application.access.grants import EVERYTHING, OPERATOR, beginning_of, is_pattern
from afluente.application.access.tenants import Tenant, boundaries_crossed, tenant_faults
from afluente.migration.domain.legacy_service import LEGACY_DOMAIN
from cli.access.stores import keys_of, tenants_of
from cli.core.errors import CommandError, ExitCode
from cli.core.target import Target

if TYPE_CHECKING:
    from afluente.application.access.api_keys import ApiKey


class TenantKeys(NamedTuple):
    """The valid keys that reach sources of a tenant.

    Attributes:
        own: the keys of the tenant.
        operators: those keys of the operators that cross its boundary.
    """

    own: "list[ApiKey]"
    operators: "list[ApiKey]"


def find_tenant(target: Target, name: str) -> Tenant:
    """A tenant by its name.

    Raises:
        CommandError: there is none.
    """
    found = tenants_of(target).find(name)
    if found is None:
        raise CommandError(f"there is no tenant '{name}'", hint="'afluente tenants list' shows which are")
    return found


def list_tenants(target: Target) -> list[Tenant]:
    """The tenants, by name."""
    return sorted(tenants_of(target).list(), key=lambda tenant: tenant.name)


def create_tenant(
    target: Target, name: str, domains: Sequence[str], sources: Sequence[str], legacy_devices: Callable[[], list[str]]
) -> Tenant:
    """Make a tenant.

    Args:
        target: the deployment.
        name: of the tenant.
        domains: of its sources.
        sources: its sources there; none for all of them.
        legacy_devices: names those active devices for every sensor of the legacy domain.

    Raises:
        CommandError: there is one of that name, it has faults, or devices would cross its boundary.
    """
    tenants = tenants_of(target)
    made = Tenant(
        name=name,
        domains=tuple(dict.fromkeys(domains)),
        sources=tuple(dict.fromkeys(sources or [EVERYTHING])),
        created_at=time.time(),
    )
    others = list(tenants.list())
    if any(other.name == name for other in others):
        raise CommandError(
            f"there is a tenant '{name}' already",
            hint=f"its boundary cannot be changed while it has keys; see 'afluente tenants show {name}'",
        )
    faults = tenant_faults(made, others, target.open_domains())
    if faults:
        lines = "".join(f"\n  {fault.field}: {fault.message}" for fault in faults)
        raise CommandError(f"'{name}' cannot be a tenant:{lines}", code=ExitCode.USAGE)
    if LEGACY_DOMAIN in made.domains and boundaries_crossed(LEGACY_DOMAIN, made, [*others, made]):
        _check_no_devices(legacy_devices())
    tenants.put(made)
    return made


def remove_tenant(target: Target, name: str, devices: Callable[[Tenant], list[str]]) -> None:
    """Remove a tenant; its points stay.

    Args:
        target: the deployment.
        name: of the tenant.
        devices: names those devices of a tenant that may publish.

    Raises:
        CommandError: there is no such tenant, or it has valid keys or active devices.
    """
    tenant = find_tenant(target, name)
    ids = [key.key_id for key in keys_of_tenant(target, tenant).own]
    if ids:
        raise CommandError(
            f"'{name}' has valid keys: {', '.join(ids)}", hint="revoke each with 'afluente keys revoke ID'"
        )
    active = devices(tenant)
    if active:
        raise CommandError(
            f"'{name}' has active devices: {', '.join(active)}",
            hint="revoke each with 'afluente devices revoke NAME'",
        )
    tenants_of(target).remove(name)


def keys_of_tenant(target: Target, tenant: Tenant) -> TenantKeys:
    """The valid keys that reach sources of a tenant."""
    now = time.time()
    valid = [key for key in keys_of(target).list() if key.is_valid(now)]
    own = [key for key in valid if key.tenant == tenant.name]
    operators = [key for key in valid if key.tenant == OPERATOR and tenant.overlap(_reach_of(key, tenant))]
    return TenantKeys(own, operators)


def check_boundary(tenant: Tenant, domains: Iterable[str], sources: Iterable[str]) -> None:
    """Check that a key lies within the boundary of its tenant.

    Raises:
        CommandError: it does not; names the first scope beyond.
    """
    beyond = tenant.outside(domains, sources)
    if beyond:
        raise CommandError(
            f"the scope {beyond} reaches beyond the boundary of the tenant '{tenant.name}'",
            hint=f"its boundary is {render_boundary(tenant)}; take the scope from within it",
            code=ExitCode.USAGE,
        )


def render_boundary(tenant: Tenant) -> str:
    """The boundary of a tenant, for people."""
    return f"{' '.join(tenant.domains)} / {' '.join(tenant.sources)}"


def _reach_of(key: "ApiKey", tenant: Tenant) -> Tenant:
    """The reach of an operators' key as a boundary, as far as domains of the tenant are concerned."""
    # A pattern counts by the letters before its first wild card: rather a key too many than one too few.
    sources = tuple(beginning_of(one) + EVERYTHING if is_pattern(one) else one for one in key.sources)
    domains = tenant.domains if EVERYTHING in key.domains else key.domains
    return Tenant(name=key.key_id, domains=domains, sources=sources, created_at=key.created_at)


def _check_no_devices(names: Sequence[str]) -> None:
    if names:
        raise CommandError(
            f"legacy devices may publish for every sensor of '{LEGACY_DOMAIN}': {', '.join(names)}",
            hint="move them (docs/how-to/move-a-client.md) and revoke them first, or give the tenant another domain",
        )
