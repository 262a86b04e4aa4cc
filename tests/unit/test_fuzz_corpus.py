"""Every target of the fuzzers over what their campaigns begin with, and what they found: no finding comes back."""

import base64
import zlib

import pytest

from afluente.adapters.codecs.packs import MAX_UNPACKED_BYTES, UndecodablePackError, decode_pack
from tests.fuzz.seeds import FOUND, seeds_of
from tests.fuzz.targets import TARGETS


@pytest.mark.parametrize("target", TARGETS)
def test_a_decoder_accepts_or_refuses_the_seeds_of_campaigns(target: str) -> None:
    seeds = list(seeds_of(target))

    for seed in seeds:
        TARGETS[target](seed)

    assert seeds


def test_what_was_found_belongs_to_a_target() -> None:
    assert {folder.name for folder in FOUND.iterdir()} <= TARGETS.keys()


def test_a_pack_that_unpacks_without_end_is_refused() -> None:
    bomb = base64.b64encode(zlib.compress(b"\0" * (MAX_UNPACKED_BYTES + 1))).decode()

    with pytest.raises(UndecodablePackError, match="has more than"):
        decode_pack(bomb)
