"""Stream keys and shards."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from afluente.domain.faults import FaultCode, FaultyError
from afluente.domain.stream_keys import StreamKey, domain_faults, is_part, part_faults, shard_of
from tests import strategies
from tests.factories import fields_and_codes


def test_a_key_is_written_as_domain_source_and_stream() -> None:
    key = StreamKey("iot", "furnace-1", "furnace-1:temperature")

    assert str(key) == "iot/furnace-1/furnace-1:temperature"
    assert key.source == "iot/furnace-1"


@given(strategies.domains, strategies.parts, strategies.parts)
def test_a_key_reads_back_from_what_it_is_written_as(domain: str, source_id: str, stream_id: str) -> None:
    key = StreamKey(domain, source_id, stream_id)

    assert StreamKey.parse(str(key)) == key


@pytest.mark.parametrize("text", ["", "iot", "iot/furnace-1", "iot/furnace-1/a/b"])
def test_a_key_has_three_parts(text: str) -> None:
    with pytest.raises(FaultyError) as error:
        StreamKey.parse(text)

    assert fields_and_codes(error.value.faults) == [("key", FaultCode.OUT_OF_RANGE)]


def test_a_key_names_the_faults_of_all_its_parts() -> None:
    with pytest.raises(FaultyError) as error:
        StreamKey("IoT", "", "a#b")

    assert fields_and_codes(error.value.faults) == [
        ("domain", FaultCode.OUT_OF_RANGE),
        ("source_id", FaultCode.EMPTY),
        ("stream_id", FaultCode.FORBIDDEN_CHARACTER),
    ]
    assert "source_id: must have 1 to 128 characters" in str(error.value)


@pytest.mark.parametrize("text", ["a", "_", "0", "é", "😀", "furnace-1:temperature", "a b", "a$", "x" * 128, "."])
def test_a_part_may_be(text: str) -> None:
    assert part_faults("source_id", text) == ()
    assert is_part(text)


@pytest.mark.parametrize(
    ("value", "codes"),
    [
        ("", [FaultCode.EMPTY]),
        ("x" * 129, [FaultCode.TOO_LONG]),
        ("a/b", [FaultCode.FORBIDDEN_CHARACTER]),
        ("a+b", [FaultCode.FORBIDDEN_CHARACTER]),
        ("a#b", [FaultCode.FORBIDDEN_CHARACTER]),
        ("a\nb", [FaultCode.FORBIDDEN_CHARACTER]),
        ("a\x7f", [FaultCode.FORBIDDEN_CHARACTER]),
        ("a\x85", [FaultCode.FORBIDDEN_CHARACTER]),
        ("a\ud800", [FaultCode.FORBIDDEN_CHARACTER]),
        ("$SYS", [FaultCode.FORBIDDEN_CHARACTER]),
        ("$" + "/" * 128, [FaultCode.TOO_LONG, FaultCode.FORBIDDEN_CHARACTER, FaultCode.FORBIDDEN_CHARACTER]),
        (None, [FaultCode.WRONG_TYPE]),
        (7, [FaultCode.WRONG_TYPE]),
        (["a"], [FaultCode.WRONG_TYPE]),
    ],
)
def test_a_part_may_not_be(value: object, codes: list[FaultCode]) -> None:
    assert [fault.code for fault in part_faults("source_id", value)] == codes


def test_a_forbidden_character_is_shown_with_its_place() -> None:
    (fault,) = part_faults("stream_id", "ab\x00c")

    assert "'\\x00' at character 2" in fault.message


@pytest.mark.parametrize("domain", ["iot", "a", "x" * 32, "smart_city-2"])
def test_a_domain_may_be(domain: str) -> None:
    assert domain_faults(domain) == ()


@pytest.mark.parametrize("domain", ["", "x" * 33, "IoT", "2iot", "_iot", "iöt", "iot\n", "a/b"])
def test_a_domain_may_not_be(domain: str) -> None:
    assert [fault.code for fault in domain_faults(domain)] == [FaultCode.OUT_OF_RANGE]


@pytest.mark.parametrize(
    ("value", "named"),
    [(None, "null"), (True, "a boolean"), (3, "a number"), (3.5, "a number"), ({}, "an object"), ([], "an array")],
)
def test_a_fault_of_type_names_the_type_as_json_does(value: object, named: str) -> None:
    (fault,) = domain_faults(value)

    assert fault.code is FaultCode.WRONG_TYPE
    assert fault.message == f"must be a string, not {named}"


@pytest.mark.parametrize(
    ("source", "shard"), [("iot/furnace-1", 0), ("finance/sp500", 57), ("health/_", 44), ("iot/é", 49)]
)
def test_a_source_has_the_same_shard_on_every_machine_and_in_every_release(source: str, shard: int) -> None:
    # Figures that were written down once: a queue's groups outlive a release.
    assert shard_of(source, 64) == shard


@given(strategies.parts, st.integers(min_value=1, max_value=1024))
def test_a_shard_is_one_of_those_there_are(source_id: str, shards: int) -> None:
    assert 0 <= shard_of(f"iot/{source_id}", shards) < shards


def test_sources_spread_over_all_shards() -> None:
    sources = Counter(shard_of(f"iot/machine-{number}", 64) for number in range(6_400))

    assert len(sources) == 64
    assert max(sources.values()) < 2 * 100
