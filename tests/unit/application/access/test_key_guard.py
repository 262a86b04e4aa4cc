"""The guard before the look-up of keys: bad ones of one address soon cost nothing, good ones go on."""

from afluente.adapters.memory.access import MemoryApiKeys
from afluente.application.access.api_keys import id_in
from afluente.application.access.authentication import Authentication
from afluente.application.access.grants import Grant
from afluente.application.access.key_guard import KeyGuard, Refusal
from afluente.application.limits.stage_limits import RefusedKeys
from tests.factories import NOW, an_api_key, an_authentication

ADDRESS, ANOTHER = "192.0.2.1", "192.0.2.2"
TEN = RefusedKeys(per_second=2, burst=10)


class CountedAuthentication:
    """Authentication that counts its look-ups."""

    def __init__(self, authenticate: Authentication) -> None:
        self.look_ups = 0
        self._authenticate = authenticate

    def __call__(self, text: str, now: float) -> Grant | None:
        self.look_ups += 1
        return self._authenticate(text, now)


def a_key(place: int) -> str:
    return an_api_key(place)[0]


def a_guard(limit: RefusedKeys = TEN, *, good: int = 250) -> tuple[KeyGuard, CountedAuthentication, str]:
    text, key = an_api_key(good)
    store = MemoryApiKeys()
    store.put(key)
    authentication = CountedAuthentication(an_authentication(store))
    return KeyGuard(authentication, limit), authentication, text


def test_bad_keys_of_one_address_are_looked_up_until_its_limit() -> None:
    guard, authentication, _ = a_guard()

    answers = [guard(a_key(n), ADDRESS, NOW) for n in range(100)]

    assert answers == [Refusal.UNKNOWN] * 10 + [Refusal.FLOOD] * 90
    assert authentication.look_ups == 10


def test_text_without_the_form_of_a_key_counts_as_a_bad_one() -> None:
    guard, _, _ = a_guard()

    assert [guard("hello", ADDRESS, NOW) for _ in range(12)] == [Refusal.UNKNOWN] * 10 + [Refusal.FLOOD] * 2


def test_bad_keys_are_looked_up_again_after_a_while() -> None:
    guard, _, _ = a_guard()
    for n in range(100):
        guard(a_key(n), ADDRESS, NOW)

    assert [guard(a_key(n), ADDRESS, NOW + 1.5) for n in range(5)] == [Refusal.UNKNOWN] * 3 + [Refusal.FLOOD] * 2


def test_a_good_key_of_an_address_that_floods_goes_on() -> None:
    guard, _, good = a_guard()
    assert isinstance(guard(good, ADDRESS, NOW), Grant)
    for n in range(100):
        guard(a_key(n), ADDRESS, NOW)

    assert isinstance(guard(good, ADDRESS, NOW), Grant)


def test_bad_keys_with_the_readable_part_of_a_good_one_are_bad_ones() -> None:
    guard, authentication, good = a_guard()
    assert isinstance(guard(good, ADDRESS, NOW), Grant)

    forged = [a_key(n) for n in range(100)]
    assert {id_in(text) for text in forged} == {id_in(good)}
    assert [guard(text, ADDRESS, NOW) for text in forged] == [Refusal.UNKNOWN] * 10 + [Refusal.FLOOD] * 90
    assert authentication.look_ups == 11


def test_another_address_has_its_keys_looked_up() -> None:
    guard, _, good = a_guard()
    for n in range(100):
        guard(a_key(n), ADDRESS, NOW)

    assert isinstance(guard(good, ANOTHER, NOW), Grant)
    assert guard(a_key(1), ANOTHER, NOW) is Refusal.UNKNOWN


def test_good_keys_use_nothing_up() -> None:
    guard, _, good = a_guard()

    assert all(isinstance(guard(good, ADDRESS, NOW), Grant) for _ in range(1_000))
    assert guard(a_key(1), ADDRESS, NOW) is Refusal.UNKNOWN


def test_without_a_limit_every_key_is_looked_up() -> None:
    guard, authentication, _ = a_guard(RefusedKeys())

    assert {guard(a_key(n), ADDRESS, NOW) for n in range(200)} == {Refusal.UNKNOWN}
    assert authentication.look_ups == 200
