"""Tenants: boundaries that have no source in common, and keys that lie within them."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from afluente.application.access.grants import Action, Grant
from afluente.application.access.tenants import Tenant, boundaries_crossed, owner_of, tenant_faults
from afluente.domain.faults import FaultCode
from tests.factories import DOMAINS, a_grant, a_tenant, fields_and_codes

# Few letters, so that ids, beginnings and patterns meet.
LETTERS = "ab-"
IDS = st.text(LETTERS, min_size=1, max_size=4)
DOMAIN_NAMES = st.sampled_from(("iot", "health", "acme"))
BOUNDARY_PATTERNS = st.builds(str.__add__, st.text(LETTERS, max_size=3), st.sampled_from(("", "*"))).filter(bool)
KEY_PATTERNS = st.text(LETTERS + "*?[!]", min_size=1, max_size=5)


def tuples(of: st.SearchStrategy[str]) -> st.SearchStrategy[tuple[str, ...]]:
    return st.lists(of, min_size=1, max_size=3).map(tuple)


def tenants(name: str) -> st.SearchStrategy[Tenant]:
    made: Callable[..., Tenant] = a_tenant
    return st.builds(made, st.just(name), domains=tuples(DOMAIN_NAMES), sources=tuples(BOUNDARY_PATTERNS))


@st.composite
def keys_within(draw: st.DrawFn, tenant: Tenant) -> Grant:
    """A key of a tenant: patterns within its boundary, drawn from some that nearly are."""
    beginnings = st.sampled_from([pattern[:length] for pattern in tenant.sources for length in range(4)])
    patterns = draw(tuples(st.builds(str.__add__, beginnings, KEY_PATTERNS | st.just("*"))))
    within = tuple(pattern for pattern in patterns if tenant.outside((), (pattern,)) is None)
    domains = draw(tuples(st.sampled_from(tenant.domains)))
    return a_grant(tenant=tenant.name, domains=domains, sources=within or tenant.sources)


@st.composite
def sources_near(draw: st.DrawFn, *tenants_there: Tenant) -> tuple[str, str]:
    """A domain and a source that begins as one of the boundaries does, or nearly so."""
    patterns = [pattern.removesuffix("*") for tenant in tenants_there for pattern in tenant.sources]
    beginnings = [pattern[:length] for pattern in patterns for length in range(4)]
    source = draw(st.sampled_from(beginnings)) + draw(st.text(LETTERS, max_size=2))
    return draw(DOMAIN_NAMES), source or "a"


# --- boundaries ------------------------------------------------------------------------------------------------------


@given(st.data())
def test_no_source_is_reached_by_keys_of_two_tenants(data: st.DataObject) -> None:
    acme = data.draw(tenants("acme"))
    zeta = data.draw(tenants("zeta").filter(lambda its: not tenant_faults(its, [acme])))
    grants = [data.draw(keys_within(tenant)) for tenant in (acme, zeta)]
    domain, source_id = data.draw(sources_near(acme, zeta))

    reached = [grant.missing(Action.INGEST, domain, source_id) is None for grant in grants]

    assert reached != [True, True]


@given(st.data())
def test_a_key_within_the_boundary_of_its_tenant_reaches_nothing_outside(data: st.DataObject) -> None:
    acme = data.draw(tenants("acme"))
    grant = data.draw(keys_within(acme))
    domain, source_id = data.draw(sources_near(acme))

    if grant.missing(Action.INGEST, domain, source_id) is None:
        assert acme.owns(domain, source_id)


@given(tenants("acme"), tenants("zeta"), DOMAIN_NAMES, IDS)
def test_a_source_that_two_tenants_own_is_an_overlap(acme: Tenant, zeta: Tenant, domain: str, source_id: str) -> None:
    if acme.owns(domain, source_id) and zeta.owns(domain, source_id):
        assert acme.overlap(zeta)
    assert bool(acme.overlap(zeta)) == bool(zeta.overlap(acme))


@pytest.mark.parametrize(
    ("one", "other", "overlap"),
    [
        ({"domains": ("iot",), "sources": ("acme-*",)}, {"domains": ("iot",), "sources": ("zeta-*",)}, None),
        ({"domains": ("iot",), "sources": ("*",)}, {"domains": ("health",), "sources": ("*",)}, None),
        ({"domains": ("iot",), "sources": ("*",)}, {"domains": ("iot",), "sources": ("zeta-*",)}, "iot/zeta-*"),
        ({"domains": ("iot",), "sources": ("a*",)}, {"domains": ("iot",), "sources": ("acme-*",)}, "iot/acme-*"),
        ({"domains": ("iot",), "sources": ("acme-1",)}, {"domains": ("iot",), "sources": ("acme-*",)}, "iot/acme-1"),
        ({"domains": ("iot",), "sources": ("acme-1",)}, {"domains": ("iot",), "sources": ("acme-2",)}, None),
        ({"domains": ("iot",), "sources": ("acme",)}, {"domains": ("iot",), "sources": ("acme-*",)}, None),
    ],
)
def test_boundaries_are_apart_or_their_overlap_is_named(
    one: dict[str, tuple[str, ...]], other: dict[str, tuple[str, ...]], overlap: str | None
) -> None:
    acme, zeta = a_tenant("acme", **one), a_tenant("zeta", **other)

    assert (acme.overlap(zeta), zeta.overlap(acme)) == (overlap, overlap)


@pytest.mark.parametrize(
    ("domains", "sources", "outside"),
    [
        (("iot",), ("acme-*",), None),
        (("iot",), ("acme-1", "acme-hall-?", "acme-[ab]*"), None),
        (("iot", "health"), ("acme-*",), "domain:health"),
        (("*",), ("acme-*",), "domain:*"),
        (("iot",), ("*",), "source:*"),
        (("iot",), ("acme*",), "source:acme*"),
        (("iot",), ("acme-1", "[a]cme-1"), "source:[a]cme-1"),
        (("iot",), ("?cme-1",), "source:?cme-1"),
        (("iot",), ("ACME-1",), "source:ACME-1"),
    ],
)
def test_the_scope_of_a_key_that_reaches_beyond_is_named(
    domains: tuple[str, ...], sources: tuple[str, ...], outside: str | None
) -> None:
    assert a_tenant("acme").outside(domains, sources) == outside


def test_a_boundary_of_single_sources_holds_them_alone() -> None:
    tenant = a_tenant(sources=("oven-1", "oven-2"))

    assert tenant.outside(("iot",), ("oven-2",)) is None
    assert tenant.outside(("iot",), ("oven-*",)) == "source:oven-*"
    assert [tenant.owns("iot", source) for source in ("oven-1", "oven-10", "oven")] == [True, False, False]


def test_a_source_has_one_owner_or_none() -> None:
    acme, clinic = a_tenant("acme"), a_tenant("clinic", domains=("health",), sources=("*",))

    assert owner_of("iot", "acme-1", [clinic, acme]) == acme
    assert owner_of("health", "acme-1", [clinic, acme]) == clinic
    assert owner_of("iot", "zeta-1", [clinic, acme]) is None
    assert owner_of("iot", "zeta-1", []) is None


def test_reach_of_a_whole_domain_crosses_the_boundaries_of_all_its_tenants_but_one_that_owns_it() -> None:
    acme, zeta = a_tenant("acme"), a_tenant("zeta")
    clinic = a_tenant("clinic", domains=("health",), sources=("*",))
    all_of_them = [acme, zeta, clinic]

    assert boundaries_crossed("iot", None, all_of_them) == [acme, zeta]
    assert boundaries_crossed("iot", acme, all_of_them) == [zeta, acme]
    assert boundaries_crossed("health", clinic, all_of_them) == []
    assert boundaries_crossed("health", None, all_of_them) == [clinic]
    assert boundaries_crossed("finance", None, all_of_them) == []
    assert clinic.owns_all_of("health")
    assert not clinic.owns_all_of("iot")


# --- faults --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "faults"),
    [
        ({}, []),
        ({"sources": ("*",)}, []),
        ({"sources": ("acme-1", "acme_2*")}, []),
        ({"domains": ()}, [("domains", FaultCode.EMPTY)]),
        ({"sources": ()}, [("sources", FaultCode.EMPTY)]),
        ({"domains": ("*",)}, [("domain", FaultCode.OUT_OF_RANGE), ("domains", FaultCode.UNKNOWN_DOMAIN)]),
        ({"domains": ("iot", "space")}, [("domains", FaultCode.UNKNOWN_DOMAIN)]),
        ({"sources": ("a*b",)}, [("sources", FaultCode.FORBIDDEN_CHARACTER)]),
        ({"sources": ("a?", "[ab]*", "**")}, [("sources", FaultCode.FORBIDDEN_CHARACTER)] * 3),
        ({"sources": ("a/b*",)}, [("sources", FaultCode.FORBIDDEN_CHARACTER)]),
        ({"sources": ("",)}, [("sources", FaultCode.EMPTY)]),
        ({"sources": ("x" * 129,)}, [("sources", FaultCode.TOO_LONG)]),
    ],
)
def test_all_faults_of_a_tenant_are_named(
    fields: dict[str, tuple[str, ...]], faults: list[tuple[str, FaultCode]]
) -> None:
    assert fields_and_codes(tenant_faults(a_tenant("acme", **fields), [], DOMAINS)) == faults


@pytest.mark.parametrize("name", ["", "Acme", "_", "1acme", "a" * 33, "acme corp", "acme/1", "acme\n"])
def test_a_name_is_short_and_plain(name: str) -> None:
    assert fields_and_codes(tenant_faults(a_tenant(name, sources=("a*",)), [])) == [("name", FaultCode.OUT_OF_RANGE)]


def test_a_closed_domain_is_no_fault_if_the_open_ones_are_unknown() -> None:
    assert tenant_faults(a_tenant(domains=("space",)), []) == []


def test_a_tenant_shares_no_source_with_another_but_with_itself_as_it_was() -> None:
    acme = a_tenant("acme")

    assert tenant_faults(a_tenant("acme", sources=("acme-1*",)), [acme]) == []
    [fault] = tenant_faults(a_tenant("zeta", sources=("a*", "zeta-*")), [acme, a_tenant("beta")])

    assert (fault.code, fault.field) == (FaultCode.CONTRADICTION, "sources")
    assert "iot/acme-* would be reached by 'acme' too" in fault.message
