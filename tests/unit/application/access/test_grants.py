"""Grants: the actions they allow, and the scope that is missing for others."""

import pytest

from afluente.application.access.grants import Action
from tests.factories import a_grant


def test_a_grant_allows_everything_by_default() -> None:
    grant = a_grant()

    assert [grant.missing(action, "iot", "oven-1") for action in Action] == [None] * len(Action)
    assert grant.missing_for_all_of(Action.CONSTRAINTS, "iot") is None


@pytest.mark.parametrize(
    ("scope", "missing"),
    [
        ({"actions": (Action.JOBS,)}, "action:ingest"),
        ({"actions": ()}, "action:ingest"),
        ({"domains": ("health",)}, "domain:iot"),
        ({"domains": ()}, "domain:iot"),
        ({"sources": ("furnace-*",)}, "source:oven-1"),
        ({"sources": ()}, "source:oven-1"),
        # The first alone is named: the action, then the domain, then the source.
        ({"actions": (Action.JOBS,), "domains": ("health",), "sources": ("furnace-*",)}, "action:ingest"),
        ({"domains": ("health",), "sources": ("furnace-*",)}, "domain:iot"),
        ({"domains": ("health", "iot"), "sources": ("furnace-*", "oven-?")}, None),
        ({"domains": ("health", "*"), "sources": ("oven-[12]",)}, None),
        ({"sources": ("oven-[!1]",)}, "source:oven-1"),
        # As they stand: neither another case nor a part is enough.
        ({"sources": ("Oven-1",)}, "source:oven-1"),
        ({"sources": ("oven",)}, "source:oven-1"),
        ({"domains": ("io",)}, "domain:iot"),
    ],
)
def test_the_missing_scope_is_named(scope: dict[str, tuple[str, ...]], missing: str | None) -> None:
    assert a_grant(**scope).missing(Action.INGEST, "iot", "oven-1") == missing


@pytest.mark.parametrize(
    ("scope", "missing"),
    [
        ({"actions": (Action.JOBS,)}, "action:constraints"),
        ({"domains": ("health",)}, "domain:iot"),
        ({"sources": ("acme-*",)}, "source:*"),
        # All there are today may not be all there are tomorrow.
        ({"sources": ("[a-z]*", "[!a-z]*")}, "source:*"),
        ({"domains": ("iot",)}, None),
        ({"sources": ("acme-*", "*")}, None),
    ],
)
def test_an_action_on_a_whole_domain_needs_all_its_sources(
    scope: dict[str, tuple[str, ...]], missing: str | None
) -> None:
    assert a_grant(**scope).missing_for_all_of(Action.CONSTRAINTS, "iot") == missing
