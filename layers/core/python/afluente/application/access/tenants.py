"""Tenants: customers of one deployment, each with a boundary of sources that no other tenant reaches.

A tenant boundary is a set of domains and of beginnings of source ids. Two boundaries have no source in common, and a
key lies within the boundary of its tenant: so the scopes of a key decide alone, without a look-up of its tenant.
"""

import re
from collections.abc import Collection, Iterable

import msgspec

from afluente.application.access.grants import EVERYTHING, beginning_of, is_pattern
from afluente.domain.faults import Fault, FaultCode
from afluente.domain.stream_keys import domain_faults, part_faults

_NAME = re.compile(r"[a-z][a-z0-9-]{0,31}")


class Tenant(msgspec.Struct, frozen=True, kw_only=True):
    """A customer, and the boundary of its sources.

    Attributes:
        name: short, for people and logs.
        domains: the domains of its sources.
        sources: its sources in these domains: ids, beginnings of ids (`acme-*`), or `*` for all of them.
        created_at: in Unix seconds.
    """

    name: str
    domains: tuple[str, ...]
    sources: tuple[str, ...] = (EVERYTHING,)
    created_at: float

    def owns(self, domain: str, source_id: str) -> bool:
        """True if a source lies within the boundary."""
        return domain in self.domains and any(_covers(own, source_id) for own in self.sources)

    def owns_all_of(self, domain: str) -> bool:
        """True if all sources of a domain lie within the boundary."""
        return domain in self.domains and EVERYTHING in self.sources

    def outside(self, domains: Iterable[str], sources: Iterable[str]) -> str | None:
        """The first scope of a key that reaches beyond the boundary; None for a key that lies within it."""
        for domain in domains:
            if domain not in self.domains:
                return f"domain:{domain}"
        for pattern in sources:
            if not any(_covers(own, pattern) for own in self.sources):
                return f"source:{pattern}"
        return None

    def overlap(self, other: "Tenant") -> str | None:
        """A domain and a pattern of sources that lie within both boundaries; None if they are apart."""
        for domain in sorted(set(self.domains) & set(other.domains)):
            for own in self.sources:
                for its in other.sources:
                    if _covers(own, its) or _covers(its, own):
                        return f"{domain}/{own if _covers(its, own) else its}"
        return None


def owner_of(domain: str, source_id: str, tenants: Iterable[Tenant]) -> Tenant | None:
    """The tenant within whose boundary a source lies; None if there is none."""
    return next((tenant for tenant in tenants if tenant.owns(domain, source_id)), None)


def boundaries_crossed(domain: str, owner: Tenant | None, tenants: Iterable[Tenant]) -> list[Tenant]:
    """The tenants whose boundaries a device or key crosses if it reaches all sources of a domain.

    Args:
        domain: of the sources.
        owner: the tenant of the device or key; None for the operators. It is among those returned if its own boundary
            does not hold the whole domain.
        tenants: all tenants.
    """
    others = [tenant for tenant in tenants if owner is None or tenant.name != owner.name]
    found = [tenant for tenant in others if domain in tenant.domains]
    return found if owner is None or owner.owns_all_of(domain) else [*found, owner]


def tenant_faults(tenant: Tenant, others: Iterable[Tenant], open_domains: Collection[str] | None = None) -> list[Fault]:
    """The faults for which a tenant must not be stored.

    Args:
        tenant: new or changed.
        others: the stored tenants; one of the same name is the former record of this one.
        open_domains: the domains of the deployment; None if unknown.
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
            names = ", ".join(sorted(open_domains))
            faults.append(Fault(FaultCode.UNKNOWN_DOMAIN, "domains", f"'{domain}' is not open; open are {names}"))
    if not tenant.sources:
        faults.append(Fault(FaultCode.EMPTY, "sources", "must be one or more"))
    for pattern in tenant.sources:
        faults += _pattern_faults(pattern)
    for other in others:
        shared = None if other.name == tenant.name else tenant.overlap(other)
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


def _covers(own: str, pattern: str) -> bool:
    """True if `own`, an id or a beginning with a star, covers every source that `pattern` matches."""
    if own == pattern:
        return True
    if not own.endswith(EVERYTHING):
        return False
    return beginning_of(pattern).startswith(own.removesuffix(EVERYTHING))
