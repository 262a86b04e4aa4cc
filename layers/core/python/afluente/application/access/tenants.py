"""Tenants: customers in one deployment, each with a ground of sources that no other reaches.

A ground is domains and beginnings of source ids. The grounds of two tenants have no source in common, and a key lies
within the ground of its tenant: so the key alone decides, with nothing to look up.
"""

import re
from collections.abc import Collection, Iterable
from typing import Protocol

import msgspec

from afluente.application.access.grants import EVERYTHING, beginning_of, is_pattern
from afluente.domain.faults import Fault, FaultCode
from afluente.domain.stream_keys import domain_faults, part_faults

_NAME = re.compile(r"[a-z][a-z0-9-]{0,31}")


class Tenant(msgspec.Struct, frozen=True, kw_only=True):
    """A customer.

    Attributes:
        name: short, for people and logs.
        domains: where its sources are.
        sources: which of them are its own: ids, beginnings of ids (`acme-*`), or `*` for all of these domains.
        created_at: in Unix seconds.
    """

    name: str
    domains: tuple[str, ...]
    sources: tuple[str, ...] = (EVERYTHING,)
    created_at: float

    def owns(self, domain: str, source_id: str) -> bool:
        """Whether a source lies in the ground."""
        return domain in self.domains and any(_covers(own, source_id) for own in self.sources)

    def owns_all_of(self, domain: str) -> bool:
        """Whether all sources of a domain lie in the ground."""
        return domain in self.domains and EVERYTHING in self.sources

    def lacks(self, domains: Iterable[str], sources: Iterable[str]) -> str | None:
        """The first scope of a key that would reach out of the ground; None where the key lies within it."""
        for domain in domains:
            if domain not in self.domains:
                return f"domain:{domain}"
        for pattern in sources:
            if not any(_covers(own, pattern) for own in self.sources):
                return f"source:{pattern}"
        return None

    def shares(self, other: "Tenant") -> str | None:
        """A domain and a pattern of sources that both tenants would reach; None where there is no such thing."""
        for domain in sorted(set(self.domains) & set(other.domains)):
            for own in self.sources:
                for its in other.sources:
                    if _covers(own, its) or _covers(its, own):
                        return f"{domain}/{own if _covers(its, own) else its}"
        return None


class TenantStore(Protocol):
    """Where tenants are kept."""

    def find(self, name: str) -> Tenant | None:
        """The tenant of this name; None where there is none.

        Raises:
            UnavailableError: the store does not answer.
        """
        ...

    def put(self, tenant: Tenant) -> None:
        """Keep a tenant, in place of the one of the same name.

        Raises:
            UnavailableError: the store does not answer.
        """
        ...

    def remove(self, name: str) -> None:
        """Forget a tenant.

        Raises:
            UnavailableError: the store does not answer.
        """
        ...

    def list(self) -> Iterable[Tenant]:
        """Every tenant, in no order."""
        ...


def owner_of(domain: str, source_id: str, tenants: Iterable[Tenant]) -> Tenant | None:
    """The tenant in whose ground a source lies; None where it lies in nobody's."""
    return next((tenant for tenant in tenants if tenant.owns(domain, source_id)), None)


def in_the_way_of_all(domain: str, owner: Tenant | None, tenants: Iterable[Tenant]) -> list[Tenant]:
    """The tenants into whose ground somebody would reach who reaches all sources of a domain.

    Args:
        domain: of the sources.
        owner: the tenant that is to reach them; None where it is nobody's.
        tenants: all there are.
    """
    others = [tenant for tenant in tenants if owner is None or tenant.name != owner.name]
    found = [tenant for tenant in others if domain in tenant.domains]
    return found if owner is None or owner.owns_all_of(domain) else [*found, owner]


def tenant_faults(tenant: Tenant, others: Iterable[Tenant], open_domains: Collection[str] | None = None) -> list[Fault]:
    """What keeps a tenant from being one.

    Args:
        tenant: that is to be.
        others: who is there already; one of the same name is the tenant itself as it was.
        open_domains: the domains of the deployment; None where they are not known.
    """
    faults = []
    if not _NAME.fullmatch(tenant.name):
        faults.append(
            Fault(FaultCode.OUT_OF_RANGE, "name", "must be a lower-case letter, then at most 31 of a-z, 0-9, '-'")
        )
    if not tenant.domains:
        faults.append(Fault(FaultCode.EMPTY, "domains", "must be one or more"))
    for domain in tenant.domains:
        faults += domain_faults(domain)
        if open_domains is not None and domain not in open_domains:
            told = ", ".join(sorted(open_domains))
            faults.append(Fault(FaultCode.UNKNOWN_DOMAIN, "domains", f"'{domain}' is not open; open are {told}"))
    if not tenant.sources:
        faults.append(Fault(FaultCode.EMPTY, "sources", "must be one or more"))
    for pattern in tenant.sources:
        faults += _pattern_faults(pattern)
    for other in others:
        shared = None if other.name == tenant.name else tenant.shares(other)
        if shared:
            message = f"{shared} would be reached by '{other.name}' too; no two tenants share a source"
            faults.append(Fault(FaultCode.CONTRADICTION, "sources", message))
    return faults


def _pattern_faults(pattern: str) -> list[Fault]:
    start = pattern.removesuffix(EVERYTHING)
    if is_pattern(start):
        message = f"'{pattern}' must be an id, the beginning of ids with a '*' after it, or '*'"
        return [Fault(FaultCode.FORBIDDEN_CHARACTER, "sources", message)]
    return list(part_faults("sources", start)) if start or not pattern else []


def _covers(ground: str, pattern: str) -> bool:
    """Whether everything that `pattern` matches lies within `ground`, which is an id or a beginning with a star."""
    if ground == pattern:
        return True
    if not ground.endswith(EVERYTHING):
        return False
    return beginning_of(pattern).startswith(ground.removesuffix(EVERYTHING))
