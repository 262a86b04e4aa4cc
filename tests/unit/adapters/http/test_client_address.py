"""A client is where the gateway saw it, or the front did; what it says of itself counts for nothing."""

from typing import Any

import pytest

from afluente.adapters.http.client_address import ADDRESS_HEADER, FRONT_HEADER, Front, client_address
from afluente.application.errors import UnavailableError

SEEN, TOLD = "192.0.2.7", "203.0.113.9"
FRONT = Front(lambda: ["newest", "one before"])


def http_event(**headers: str) -> dict[str, Any]:
    return {"headers": headers, "requestContext": {"http": {"sourceIp": SEEN}}}


def of_the_front(secret: str, address: str = TOLD) -> dict[str, Any]:
    return http_event(**{FRONT_HEADER: secret, ADDRESS_HEADER: address})


@pytest.mark.parametrize("header", ["x-forwarded-for", "forwarded", "x-real-ip", "true-client-ip", ADDRESS_HEADER])
def test_without_a_front_no_header_changes_the_address(header: str) -> None:
    assert client_address(http_event(**{header: TOLD})) == SEEN


@pytest.mark.parametrize("secret", ["newest", "one before"])
def test_behind_the_front_the_address_is_the_one_that_the_front_saw(secret: str) -> None:
    assert client_address(of_the_front(secret), FRONT) == TOLD


@pytest.mark.parametrize("secret", ["", "newes", "newest ", "Newest", "newest,newest", "ünïcode", "\ud800"])
def test_who_does_not_have_the_secret_cannot_say_where_it_is(secret: str) -> None:
    assert not FRONT.has_passed(of_the_front(secret))
    assert client_address(of_the_front(secret), FRONT) == SEEN


@pytest.mark.parametrize("address", ["", "somewhere", "203.0.113.9:443", "203.0.113.9, 198.51.100.1"])
def test_a_text_that_is_no_address_does_not_count_as_one(address: str) -> None:
    assert client_address(of_the_front("newest", address), FRONT) == SEEN


def test_a_secret_that_is_empty_lets_nobody_through() -> None:
    assert not Front(lambda: [""]).has_passed(of_the_front(""))
    assert not Front(list).has_passed(of_the_front(""))


def test_a_websocket_client_is_where_the_gateway_saw_it() -> None:
    assert client_address({"requestContext": {"identity": {"sourceIp": SEEN}}}) == SEEN


@pytest.mark.parametrize("address", ["2001:db8::7", "2001:db8:0:0:ffff::1", "2001:DB8::"])
def test_who_has_a_network_of_ipv6_is_one_client_with_all_its_addresses(address: str) -> None:
    assert client_address(of_the_front("newest", address), FRONT) == "2001:db8::/64"
    assert client_address({"requestContext": {"http": {"sourceIp": address}}}) == "2001:db8::/64"


def test_an_address_of_ipv4_is_the_same_one_in_the_form_of_ipv6() -> None:
    assert client_address(of_the_front("newest", f"::ffff:{TOLD}"), FRONT) == TOLD


def test_an_event_without_an_address_has_none() -> None:
    assert client_address({"headers": None, "requestContext": {}}, FRONT) == ""
    # As the local stack asks the authorizer whether it answers.
    assert client_address({"identitySource": ["no key"]}) == ""


def test_secrets_that_cannot_be_read_are_no_reason_to_believe_anybody() -> None:
    def away() -> list[str]:
        raise UnavailableError("Secrets Manager: ServiceUnavailable")

    with pytest.raises(UnavailableError):
        client_address(of_the_front("newest"), Front(away))
