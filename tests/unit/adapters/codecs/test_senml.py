"""SenML by the examples of RFC 8428, section 5, and by what it asks of readers."""

import json
import math
from typing import Any

import pytest

from afluente.adapters.codecs.senml import SenmlError, is_senml, resolve

ARRIVED_AT = 1_700_000_000.0


def raw_points(pack: str) -> list[dict[str, Any]]:
    document = json.loads(pack)
    assert is_senml(document)
    return resolve(document, stream_id="of-topic", arrived_at=ARRIVED_AT)


def summaries(pack: str) -> list[tuple[object, object, object]]:
    return [(point["stream_id"], point.get("value"), point["timestamp"]) for point in raw_points(pack)]


def test_a_single_value_is_of_now() -> None:
    """RFC 8428, section 5.1.1."""
    (point,) = raw_points('[{"n":"urn:dev:ow:10e2073a01080063","u":"Cel","v":23.1}]')

    assert point == {
        "stream_id": "urn:dev:ow:10e2073a01080063",
        "value": 23.1,
        "timestamp": ARRIVED_AT,
        "metadata": {"unit": "Cel", "timestamp_source": "arrival"},
    }


def test_a_base_name_and_a_base_unit_count_for_all_records() -> None:
    """RFC 8428, section 5.1.2, first example."""
    pack = """[{"bn":"urn:dev:ow:10e2073a01080063:","n":"voltage","u":"V","v":120.1},
               {"n":"current","u":"A","v":1.2}]"""

    assert summaries(pack) == [
        ("urn:dev:ow:10e2073a01080063:voltage", 120.1, ARRIVED_AT),
        ("urn:dev:ow:10e2073a01080063:current", 1.2, ARRIVED_AT),
    ]


def test_times_are_relative_to_the_base_time() -> None:
    """RFC 8428, section 5.1.2, second example."""
    pack = """[{"bn":"urn:dev:ow:10e2073a0108006:","bt":1.276020076001e+09,"bu":"A","bver":5,
                "n":"voltage","u":"V","v":120.1},
               {"n":"current","t":-5,"v":1.2},
               {"n":"current","t":-4,"v":1.3},
               {"n":"current","v":1.7}]"""

    assert summaries(pack) == [
        ("urn:dev:ow:10e2073a0108006:voltage", 120.1, 1276020076.001),
        ("urn:dev:ow:10e2073a0108006:current", 1.2, 1276020071.001),
        ("urn:dev:ow:10e2073a0108006:current", 1.3, 1276020072.001),
        ("urn:dev:ow:10e2073a0108006:current", 1.7, 1276020076.001),
    ]
    assert [point["metadata"] for point in raw_points(pack)] == [{"unit": "V"}, *[{"unit": "A"}] * 3]


def test_a_slash_in_a_name_becomes_a_colon_and_the_name_is_metadata() -> None:
    """RFC 8428, section 5.1.5 names records by the addresses of their devices."""
    pack = '[{"bn":"2001:db8::2/","bt":1.320078429e+09,"n":"temperature","u":"Cel","v":25.2},{"n":"humidity","v":30}]'

    first, second = raw_points(pack)

    assert first["stream_id"] == "2001:db8::2:temperature"
    assert first["metadata"] == {"senml_name": "2001:db8::2/temperature", "unit": "Cel"}
    assert second["stream_id"] == "2001:db8::2:humidity"


def test_what_is_no_number_is_handed_on_for_its_fault_to_be_named() -> None:
    """RFC 8428, section 5.1.4: a label, a switch, and data."""
    pack = """[{"bn":"urn:dev:ow:10e2073a01080063:","n":"temp","u":"Cel","v":23.1},
               {"n":"label","vs":"Machine Room"}, {"n":"open","vb":false}, {"n":"nfc","vd":"aGkgCg"},
               {"n":"sum","s":5}]"""

    assert [point.get("value") for point in raw_points(pack)] == [23.1, "Machine Room", False, "aGkgCg", None]


def test_a_base_value_is_added_and_a_record_of_base_fields_alone_is_no_point() -> None:
    assert summaries('[{"bn":"tank","bv":20,"bt":1600000000},{"v":1.5},{"v":2,"t":1}]') == [
        ("tank", 21.5, 1_600_000_000),
        ("tank", 22, 1_600_000_001),
    ]


@pytest.mark.parametrize("base", ['"bv":1e999', '"bt":1e999', '"bt":NaN', f'"bv":1{"0" * 400}'])
def test_a_base_that_is_not_finite_spoils_the_sum(base: str) -> None:
    (point,) = raw_points(f'[{{{base},"n":"x","v":5}}]')

    assert not all(math.isfinite(float(str(point[name]))) for name in ("value", "timestamp"))


def test_a_record_without_a_name_is_of_the_stream_of_the_topic() -> None:
    assert summaries('[{"v":1,"t":-30}]') == [("of-topic", 1, ARRIVED_AT - 30)]


@pytest.mark.parametrize("record", ['{"v":1,"bver":11}', '{"v":1,"bver":"5"}', '{"v":1,"must_":2}'])
def test_a_pack_that_must_not_be_read_is_not(record: str) -> None:
    with pytest.raises(SenmlError):
        raw_points(f"[{record}]")


@pytest.mark.parametrize(
    "document", ["[]", "{}", '[{"value":1,"timestamp":1}]', '[{"v":1},{"value":1,"n":"x"}]', "[1]", '[{"t":1}]', "null"]
)
def test_other_shapes_are_no_senml(document: str) -> None:
    assert not is_senml(json.loads(document))


# --- a field of afluente ---------------------------------------------------------------------------------------------


def test_a_stream_type_holds_from_its_record_on() -> None:
    pack = """[{"n":"hall","v":1},
               {"bn":"oven-1:","stream_type":"temperature"},
               {"n":"top","v":180.5}, {"n":"bottom","v":176.2},
               {"n":"door","stream_type":"state","v":1}, {"n":"lamp","v":0}]"""

    assert [point.get("stream_type") for point in raw_points(pack)] == [
        None,
        "temperature",
        "temperature",
        "state",
        "state",
    ]


def test_a_stream_type_alone_makes_no_senml() -> None:
    assert not is_senml([{"stream_type": "temperature"}])
