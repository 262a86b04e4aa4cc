"""Pages of constraints: all within the caller's reach once, and no sign of the others."""

from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from afluente.adapters.memory.constraints import MemoryConstraints
from afluente.application.access.grants import Action, Grant
from afluente.application.constraints.listing import ConstraintsQuery, digest_of, list_constraints
from tests.factories import DOMAINS, Clock, a_config

FLEET = [
    "health",
    "health#pulse",
    "health/acme-1/pulse",
    "health/other/pulse",
    "io/acme-1/a",
    "iot",
    "iot#wind",
    "iot-2/acme-1/a",
    "iot/a/1",
    "iot/acme-1/1",
    "iot/acme-1/2",
    "iot/acme-10/1",
    "iot/acme-2/1",
    "iot/acme/1",
    "iot/other-1/1",
    "iot/other-1/2",
    "iot/\ud7ff-1/a",
    "iot/\U0010ffff/a",
]


class CountingCatalogue(MemoryConstraints):
    """Constraints that record which scopes were read."""

    def __init__(self) -> None:
        super().__init__(Clock())
        self.scopes_read: list[str] = []
        self.reads = 0

    def scopes(self, domain: str, *, start: str, end: str, limit: int) -> Sequence[str]:
        found = super().scopes(domain, start=start, end=end, limit=limit)
        self.scopes_read += found
        self.reads += 1
        return found


@pytest.fixture
def catalogue() -> CountingCatalogue:
    return a_catalogue(FLEET)


def a_catalogue(scopes: Sequence[str]) -> CountingCatalogue:
    catalogue = CountingCatalogue()
    for scope in scopes:
        stream_type = scope.partition("#")[2] or ("pulse" if scope.endswith("pulse") else None)
        catalogue.put(scope, a_config(stream_type=stream_type))
    return catalogue


def a_grant(**scope: Any) -> Grant:
    return Grant(key_id="key-1", **scope)


def all_pages(catalogue: MemoryConstraints, grant: Grant, limit: int = 100, **fields: str) -> list[str]:
    query = ConstraintsQuery(limit=limit, **fields)
    found: list[str] = []
    after: str | None = None
    while True:
        page = list_constraints(catalogue, query, after=after, domains=DOMAINS, grant=grant)
        assert len(page.found) <= limit
        found += [scope for scope, _ in page.found]
        if page.after is None:
            return found
        after = page.after


@pytest.mark.parametrize("limit", [1, 2, 3, 100])
def test_a_grant_for_everything_reaches_each_scope_of_the_open_domains_once_in_order(
    catalogue: CountingCatalogue, limit: int
) -> None:
    expected = [scope for scope in FLEET if not scope.startswith(("io/", "iot-2/"))]

    assert all_pages(catalogue, a_grant(), limit) == expected


def test_a_domain_that_is_not_open_is_listed_by_its_name(catalogue: CountingCatalogue) -> None:
    assert all_pages(catalogue, a_grant(), domain="iot-2") == ["iot-2/acme-1/a"]
    assert all_pages(catalogue, a_grant(domains=("iot-2", "io"))) == ["io/acme-1/a", "iot-2/acme-1/a"]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"domain": "health"}, ["health", "health#pulse", "health/acme-1/pulse", "health/other/pulse"]),
        ({"domain": "iot", "source_id": "acme-1"}, ["iot/acme-1/1", "iot/acme-1/2"]),
        ({"domain": "iot", "source_id": "acme-1*"}, ["iot/acme-1/1", "iot/acme-1/2", "iot/acme-10/1"]),
        ({"source_id": "acme-1"}, ["health/acme-1/pulse", "iot/acme-1/1", "iot/acme-1/2"]),
        ({"source_id": "nobody"}, []),
        ({"stream_type": "pulse"}, ["health#pulse", "health/acme-1/pulse", "health/other/pulse"]),
        ({"domain": "iot", "source_id": "\ud7ff*"}, ["iot/\ud7ff-1/a"]),
        ({"domain": "iot", "source_id": "\U0010ffff*"}, ["iot/\U0010ffff/a"]),
    ],
)
@pytest.mark.parametrize("limit", [1, 100])
def test_constraints_are_found_by_domain_source_and_type(
    catalogue: CountingCatalogue, query: dict[str, str], expected: list[str], limit: int
) -> None:
    assert all_pages(catalogue, a_grant(), limit, **query) == expected


def test_a_star_selects_all_sources_and_no_template(catalogue: CountingCatalogue) -> None:
    assert all_pages(catalogue, a_grant(), domain="iot", source_id="*") == [s for s in FLEET if s.startswith("iot/")]


@pytest.mark.parametrize(
    ("sources", "expected"),
    [
        (("acme-*",), ["iot/acme-1/1", "iot/acme-1/2", "iot/acme-10/1", "iot/acme-2/1"]),
        (("acme-1",), ["iot/acme-1/1", "iot/acme-1/2"]),
        (("acme-1", "acme-*"), ["iot/acme-1/1", "iot/acme-1/2", "iot/acme-10/1", "iot/acme-2/1"]),
        (("other-1", "a"), ["iot/a/1", "iot/other-1/1", "iot/other-1/2"]),
        (("nobody",), []),
    ],
)
@pytest.mark.parametrize("limit", [1, 100])
def test_nothing_beyond_the_reach_of_a_caller_is_read(
    catalogue: CountingCatalogue, sources: tuple[str, ...], expected: list[str], limit: int
) -> None:
    assert all_pages(catalogue, a_grant(domains=("iot",), sources=sources), limit) == expected
    assert set(catalogue.scopes_read) <= set(expected)


def test_a_query_does_not_widen_the_reach_of_a_caller(catalogue: CountingCatalogue) -> None:
    grant = a_grant(domains=("iot",), sources=("acme-1",))

    assert all_pages(catalogue, grant, source_id="acme*") == ["iot/acme-1/1", "iot/acme-1/2"]
    assert all_pages(catalogue, grant, source_id="*") == ["iot/acme-1/1", "iot/acme-1/2"]
    assert set(catalogue.scopes_read) == {"iot/acme-1/1", "iot/acme-1/2"}


def test_patterns_of_sources_may_have_wild_cards(catalogue: CountingCatalogue) -> None:
    assert all_pages(catalogue, a_grant(sources=("*-1",)), domain="iot") == [
        "iot/acme-1/1",
        "iot/acme-1/2",
        "iot/other-1/1",
        "iot/other-1/2",
        "iot/\ud7ff-1/a",
    ]
    assert all_pages(catalogue, a_grant(sources=("acme-[12]",)), domain="iot") == [
        "iot/acme-1/1",
        "iot/acme-1/2",
        "iot/acme-2/1",
    ]


def test_changes_between_pages_move_no_other_constraints(catalogue: CountingCatalogue) -> None:
    query = ConstraintsQuery(domain="iot", source_id="acme*", limit=2)
    first = list_constraints(catalogue, query, after=None, domains=DOMAINS, grant=a_grant())
    catalogue.delete("iot/acme-1/2")
    catalogue.put("iot/acme-0/1", a_config())
    catalogue.put("iot/acme-11/1", a_config())
    second = list_constraints(catalogue, query, after=first.after, domains=DOMAINS, grant=a_grant())

    assert [scope for scope, _ in first.found] == ["iot/acme-1/1", "iot/acme-1/2"]
    assert [scope for scope, _ in second.found] == ["iot/acme-10/1", "iot/acme-11/1"]


def test_a_page_reads_a_bounded_number_of_scopes() -> None:
    catalogue = a_catalogue([f"iot/acme/{number:05}" for number in range(7_000)])
    catalogue.put("iot/acme/06999", a_config(stream_type="wind"))
    query = ConstraintsQuery(domain="iot", stream_type="wind")

    first = list_constraints(catalogue, query, after=None, domains=DOMAINS, grant=a_grant())
    assert (first.found, first.after) == ((), "iot/acme/04999")
    second = list_constraints(catalogue, query, after=first.after, domains=DOMAINS, grant=a_grant())
    assert ([scope for scope, _ in second.found], second.after) == (["iot/acme/06999"], None)


def test_a_page_never_ends_at_a_scope_beyond_the_reach_of_the_caller() -> None:
    catalogue = a_catalogue([f"iot/acme-{number:05}/1" for number in range(6_000)])
    grant = a_grant(sources=("acme-*999",))

    assert all_pages(catalogue, grant, domain="iot") == [
        f"iot/acme-{number}999/1" for number in ("00", "01", "02", "03", "04", "05")
    ]
    page = list_constraints(
        catalogue, ConstraintsQuery(domain="iot", stream_type="none"), after=None, domains=DOMAINS, grant=grant
    )
    assert page.after == "iot/acme-04999/1"
    nobody = a_grant(sources=("acme-*x",))
    page = list_constraints(catalogue, ConstraintsQuery(domain="iot"), after=None, domains=DOMAINS, grant=nobody)
    assert (page.found, page.after) == ((), None)


@pytest.mark.parametrize(
    ("query", "missing"),
    [
        (ConstraintsQuery(), None),
        (ConstraintsQuery(domain="iot", source_id="acme-7"), None),
        (ConstraintsQuery(source_id="acme-7"), None),
        (ConstraintsQuery(source_id="other*"), None),
        (ConstraintsQuery(domain="health"), "domain:health"),
        (ConstraintsQuery(domain="iot", source_id="other-1"), "source:other-1"),
        (ConstraintsQuery(source_id="other-1"), "source:other-1"),
    ],
)
def test_a_named_domain_or_source_has_to_be_within_reach(query: ConstraintsQuery, missing: str | None) -> None:
    assert query.missing(a_grant(domains=("iot",), sources=("acme-*",))) == missing


def test_nothing_is_within_reach_of_a_key_for_other_actions() -> None:
    assert ConstraintsQuery().missing(a_grant(actions=(Action.INGEST,))) == "action:constraints"


def test_a_page_is_bound_to_query_and_key() -> None:
    grants = [a_grant(), Grant(key_id="key-2")]
    queries = [ConstraintsQuery(), ConstraintsQuery(domain="iot"), ConstraintsQuery(stream_type="iot")]

    assert len({digest_of(query, grant) for query in queries for grant in grants}) == 6
    assert digest_of(ConstraintsQuery(limit=1), a_grant()) == digest_of(ConstraintsQuery(limit=2), a_grant())


_names = st.text("ab-", min_size=1, max_size=3)
_patterns = st.builds("".join, st.lists(st.sampled_from(["a", "b", "-", "*", "?", "[ab]"]), min_size=1, max_size=3))


@given(
    st.sets(st.builds("{}/{}".format, _names, _names), max_size=20),
    st.lists(_patterns, min_size=1, max_size=3),
    st.none() | _names | _names.map("{}*".format),
    st.integers(min_value=1, max_value=4),
)
def test_exactly_the_selected_scopes_within_reach_are_found(
    streams: set[str], patterns: list[str], source_id: str | None, limit: int
) -> None:
    catalogue = a_catalogue([f"iot/{stream}" for stream in streams])
    grant = a_grant(sources=tuple(patterns))

    found = all_pages(catalogue, grant, limit, domain="iot", **({} if source_id is None else {"source_id": source_id}))

    def is_expected(source: str) -> bool:
        is_selected = source_id is None or (
            source.startswith(source_id[:-1]) if source_id.endswith("*") else source == source_id
        )
        return is_selected and any(fnmatchcase(source, pattern) for pattern in patterns)

    assert found == sorted(f"iot/{stream}" for stream in streams if is_expected(stream.split("/")[0]))
