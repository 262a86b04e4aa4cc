"""The grant that the authorizer hands to the function behind it."""

from typing import Any

import pytest

from afluente.adapters.http.authorization import authorizer_answer, grant_of
from afluente.application.access.grants import Action
from afluente.application.limits.stage_limits import KeyLimits
from tests.factories import a_grant

GRANT = a_grant(
    tenant="acme",
    actions=(Action.INGEST,),
    domains=("iot", "health"),
    sources=("furnace-*", "é"),
    limits=KeyLimits(points_per_day=5),
)


def event_with(authorizer: dict[str, Any] | None) -> dict[str, Any]:
    return {"requestContext": {} if authorizer is None else {"authorizer": authorizer}}


def test_a_grant_reaches_the_function_as_the_authorizer_gave_it() -> None:
    answer = authorizer_answer(GRANT)

    assert answer["isAuthorized"] is True
    assert grant_of(event_with({"lambda": answer["context"]})) == GRANT


def test_a_caller_without_a_grant_is_let_through_to_the_function_that_refuses() -> None:
    answer = authorizer_answer(None)

    assert answer == {"isAuthorized": True, "context": {}}
    assert grant_of(event_with({"lambda": answer["context"]})) is None


def test_a_context_holds_texts_alone_as_api_gateway_wants() -> None:
    assert all(isinstance(value, str) for value in authorizer_answer(GRANT)["context"].values())


@pytest.mark.parametrize("authorizer", [None, {}, {"lambda": None}, {"lambda": {}}, {"lambda": {"grant": ""}}])
def test_an_event_that_no_authorizer_has_seen_has_no_grant(authorizer: dict[str, Any] | None) -> None:
    assert grant_of(event_with(authorizer)) is None
