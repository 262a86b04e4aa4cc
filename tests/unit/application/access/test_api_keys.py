"""API keys: their form, and the records that are stored of them."""

import base64
import hmac
import zlib
from hashlib import sha256

import pytest

from afluente.application.access.api_keys import (
    KEY_RANDOM_BYTES,
    id_in,
    new_key,
    verifier_of,
)
from afluente.application.access.grants import Action
from afluente.application.limits.stage_limits import KeyLimits
from tests.factories import NOW, PEPPER, an_api_key

RANDOM = bytes(range(KEY_RANDOM_BYTES))


def test_a_key_is_a_prefix_a_readable_id_a_secret_of_256_bits_and_a_checksum() -> None:
    text, record = new_key("plant 7", random=RANDOM, pepper=PEPPER, now=NOW)

    start = "afl_aaaqeaye_BQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4fICEiIyQ"
    assert text.startswith(start)
    assert base64.urlsafe_b64decode(text[len(start) :] + "==") == zlib.crc32(start.encode()).to_bytes(4, "big")
    assert base64.urlsafe_b64decode(start.split("_")[2] + "=") == RANDOM[5:]
    assert record.key_id == id_in(text) == "aaaqeaye"


def test_a_key_is_stored_as_a_hash_of_which_the_pepper_is_part() -> None:
    text, record = new_key("plant 7", random=RANDOM, pepper=PEPPER, now=NOW)

    assert record.verifier == hmac.new(PEPPER.encode(), sha256(text.encode()).digest(), "sha256").hexdigest()
    assert record.verifier != verifier_of(text, "another pepper")
    assert text.split("_")[2] not in repr(record)


def test_a_key_allows_everything_for_ever_by_default() -> None:
    _, everything = an_api_key()
    _, less = an_api_key(
        tenant="acme",
        actions=(Action.INGEST,),
        domains=("iot",),
        sources=("furnace-*",),
        limits=KeyLimits(points_per_day=5),
        expires_at=NOW + 1,
    )

    assert (everything.tenant, everything.actions, everything.limits) == ("_", tuple(Action), None)
    assert (everything.domains, everything.sources, everything.expires_at) == (("*",), ("*",), None)
    assert (everything.name, everything.created_at, everything.revoked_at) == ("tests", NOW, None)
    assert (less.tenant, less.actions, less.limits) == ("acme", (Action.INGEST,), KeyLimits(points_per_day=5))
    assert (less.domains, less.sources, less.expires_at) == (("iot",), ("furnace-*",), NOW + 1)


@pytest.mark.parametrize("length", [0, KEY_RANDOM_BYTES - 1, KEY_RANDOM_BYTES + 1])
def test_a_key_takes_exactly_37_random_bytes(length: int) -> None:
    with pytest.raises(ValueError, match=f"a key takes 37 random bytes, not {length}"):
        new_key("plant 7", random=bytes(length), pepper=PEPPER, now=NOW)
