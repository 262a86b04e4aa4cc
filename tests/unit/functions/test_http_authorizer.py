"""The authorizer of the HTTP API, on events as API Gateway hands them over."""

from collections.abc import Callable, Iterable
from typing import Any

import pytest

from afluente.adapters.http.authorization import grant_of
from afluente.adapters.http.client_address import ADDRESS_HEADER, FRONT_HEADER, Front
from afluente.adapters.memory.access import MemoryApiKeys
from afluente.application.access.api_keys import KEY_RANDOM_BYTES, ApiKey
from afluente.application.access.grants import Action, Grant
from afluente.application.access.key_guard import KeyGuard
from afluente.application.access.ports import ApiKeyStore
from afluente.application.errors import UnavailableError
from afluente.application.limits.stage_limits import RefusedKeys
from afluente.runtime.http_authorizer import HttpAuthorizer
from http_authorizer.handler import handle
from tests.factories import NOW, an_api_key, an_authentication
from tests.unit.functions.conftest import CONTEXT, LogLines

Events = Callable[[str], dict[str, Any]]


class StoreThatIsAway:
    def find(self, key_id: str) -> ApiKey | None:
        raise UnavailableError("DynamoDB")

    def put(self, key: ApiKey, *, replacing: ApiKey | None = None) -> None:
        raise UnavailableError("DynamoDB")

    def list(self) -> Iterable[ApiKey]:
        raise UnavailableError("DynamoDB")


def a_function(store: ApiKeyStore, limit: RefusedKeys | None = None) -> HttpAuthorizer:
    return HttpAuthorizer(KeyGuard(an_authentication(store), limit or RefusedKeys()))


def a_store_with_the_key_of_the_event(**fields: Any) -> MemoryApiKeys:
    store = MemoryApiKeys()
    store.put(an_api_key(int.from_bytes(bytes(range(KEY_RANDOM_BYTES)), "big"), **fields)[1])
    return store


def grant_behind(answer: dict[str, Any]) -> Grant | None:
    return grant_of({"requestContext": {"authorizer": {"lambda": answer["context"]}}})


def test_a_caller_with_a_good_key_is_let_in_with_what_the_key_is_for(event: Events, log: LogLines) -> None:
    scope = {"tenant": "acme", "actions": (Action.JOBS,), "domains": ("iot",), "sources": ("furnace-*",)}
    function = a_function(a_store_with_the_key_of_the_event(**scope))

    answer = handle(event("http_authorizer"), CONTEXT, function)

    assert answer["isAuthorized"] is True
    assert grant_behind(answer) == Grant(
        key_id="aaaqeaye", tenant="acme", actions=(Action.JOBS,), domains=("iot",), sources=("furnace-*",)
    )
    assert log.codes == ["KEY_ACCEPTED"]


@pytest.mark.parametrize(
    "store",
    [MemoryApiKeys(), a_store_with_the_key_of_the_event(expires_at=NOW + 1)],
    ids=["unknown", "expired"],
)
def test_a_caller_without_a_good_key_is_let_through_without_a_grant(
    event: Events, log: LogLines, store: MemoryApiKeys
) -> None:
    # The function behind refuses, in the form of all its answers; API Gateway's own refusal cannot be set.
    function = a_function(store)

    answer = handle(event("http_authorizer"), CONTEXT, function)

    assert (answer["isAuthorized"], grant_behind(answer)) == (True, None)
    assert log.codes == ["KEY_REFUSED"]


def test_nobody_is_let_in_while_the_keys_are_away(event: Events) -> None:
    function = a_function(StoreThatIsAway())

    with pytest.raises(UnavailableError):
        handle(event("http_authorizer"), CONTEXT, function)


def test_no_secret_is_in_the_log(event: Events, log: LogLines) -> None:
    function = a_function(a_store_with_the_key_of_the_event())
    asked = event("http_authorizer")

    handle(asked, CONTEXT, function)

    assert all(asked["identitySource"][0].split("_")[2] not in str(line) for line in log.lines)


def test_a_flood_of_bad_keys_is_turned_away_and_a_good_key_of_the_address_goes_on(
    event: Events, log: LogLines, counted: Callable[[], dict[str, int]]
) -> None:
    function = a_function(a_store_with_the_key_of_the_event(), RefusedKeys(per_second=0.001, burst=3))
    assert handle(event("http_authorizer"), CONTEXT, function)["context"]
    bad = event("http_authorizer") | {"identitySource": ["afl_wrong"]}

    answers = [handle(bad, CONTEXT, function) for _ in range(5)]

    assert answers == [{"isAuthorized": True, "context": {}}] * 3 + [{"isAuthorized": False}] * 2
    assert log.codes[-2:] == ["RATE_LIMITED"] * 2
    assert counted() == {"KeysTurnedAway": 2}
    assert handle(event("http_authorizer"), CONTEXT, function)["context"]


def through_the_front(event: dict[str, Any], address: str, shown: str = "secret") -> dict[str, Any]:
    return event | {"headers": {**event["headers"], FRONT_HEADER: shown, ADDRESS_HEADER: address}}


def test_behind_a_front_the_flood_of_one_address_holds_up_no_other(event: Events) -> None:
    guard = a_function(MemoryApiKeys(), RefusedKeys(per_second=0.001, burst=3)).authenticate
    function = HttpAuthorizer(guard, Front(lambda: ["secret"]))
    bad = event("http_authorizer")

    flood = [handle(through_the_front(bad, "192.0.2.1"), CONTEXT, function) for _ in range(4)]
    other = handle(through_the_front(bad, "192.0.2.2"), CONTEXT, function)

    assert [answer["isAuthorized"] for answer in flood] == [True, True, True, False]
    assert other["isAuthorized"] is True


def test_a_request_that_bypassed_the_front_is_turned_away_without_a_look_up(event: Events, log: LogLines) -> None:
    function = HttpAuthorizer(a_function(StoreThatIsAway()).authenticate, Front(lambda: ["secret"]))

    for asked in (event("http_authorizer"), through_the_front(event("http_authorizer"), "192.0.2.1", "a guess")):
        assert handle(asked, CONTEXT, function) == {"isAuthorized": False}
    assert log.codes == ["REQUEST_REFUSED"] * 2
