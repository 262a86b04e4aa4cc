"""Secrets in the wrong place are masked; what is no secret stays as it is."""

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from afluente.application.access.api_keys import KEY_RANDOM_BYTES, new_key
from afluente.application.ingest.quarantine import QuarantinedRecord, QuarantineReason
from afluente.application.ingest.redaction import redacted_record
from afluente.application.redaction import MASK, redacted
from afluente.domain.faults import Fault, FaultCode


def key_of(random: bytes) -> tuple[str, str]:
    """A key's text, and its readable part."""
    text, kept = new_key("a key", random=random, pepper="pepper", now=0)
    return text, kept.key_id


KEY, KEY_ID = key_of(bytes(range(KEY_RANDOM_BYTES)))
SECRET = KEY.split("_", 2)[2]


@given(random=st.binary(min_size=KEY_RANDOM_BYTES, max_size=KEY_RANDOM_BYTES), around=st.text(max_size=20))
def test_every_key_is_masked_wherever_it_is(random: bytes, around: str) -> None:
    text, key_id = key_of(random)

    for given_text in (text, f"{around} {text} {around}", json.dumps({"k": [text, around]}), f"?api_key={text}&x=1"):
        shown = redacted(given_text)
        assert text not in shown
        assert text.split("_", 2)[2] not in shown
        assert f"afl_{key_id}_{MASK}" in shown


@pytest.mark.parametrize("length", [8, 20, 43, 48])
def test_a_key_that_was_cut_off_is_masked_too(length: int) -> None:
    assert redacted(f"{KEY[: len(KEY) - len(SECRET) + length]}…") == f"afl_{KEY_ID}_{MASK}…"


def test_the_signature_of_a_presigned_url_is_masked() -> None:
    url = "https://b.s3.amazonaws.com/k?X-Amz-Credential=AKIA%2F1&X-Amz-Security-Token=Fwo%2Fb%3D&X-Amz-Signature=0a1b"

    assert redacted(url) == (
        f"https://b.s3.amazonaws.com/k?X-Amz-Credential=AKIA%2F1&X-Amz-Security-Token={MASK}&X-Amz-Signature={MASK}"
    )


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("mssql://reader:s3cr3t!@db:1433/iot", f"mssql://reader:{MASK}@db:1433/iot"),
        ('{"dsn": "postgresql://u:p%40ss@db/x"}', f'{{"dsn": "postgresql://u:{MASK}@db/x"}}'),
        ("mqtts://:only-a-password@broker", f"mqtts://:{MASK}@broker"),
    ],
)
def test_a_password_in_a_url_is_masked(text: str, shown: str) -> None:
    assert redacted(text) == shown


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a line of a log",
        "afl_",
        f"afl_{KEY_ID}",
        f"the key {KEY_ID} was revoked",
        "https://db:1433/iot",
        "https://example.org/a:b/c@d",
        "urn:afluente:problem:forbidden",
        "arn:aws:secretsmanager:us-east-1:123456789012:secret:old-service/sql",
    ],
)
def test_what_is_no_secret_stays_as_it_is(text: str) -> None:
    assert redacted(text) == text


@given(text=st.text())
def test_a_text_is_masked_once_and_for_all(text: str) -> None:
    assert redacted(redacted(text)) == redacted(text)


def a_record(payload: str, encoding: str = "json") -> QuarantinedRecord:
    return QuarantinedRecord(
        record_id="r",
        reason=QuarantineReason.REJECTED_POINTS,
        transport="http",
        failed_at=0,
        message=f"no point: {KEY}",
        origin={"topic": f"iot/furnace/{KEY}", KEY: "a name"},
        faults={3: (Fault(FaultCode.WRONG_TYPE, f"metadata.{KEY}", f"is {KEY}"),)},
        payload=payload,
        payload_encoding=encoding,
    )


def test_a_quarantined_record_holds_no_key_anywhere() -> None:
    kept = redacted_record(a_record(json.dumps({"api_key": KEY, "value": "high"})))

    assert SECRET not in str(kept)
    assert json.loads(kept.payload) == {"api_key": f"afl_{KEY_ID}_{MASK}", "value": "high"}
    assert kept.origin["topic"] == f"iot/furnace/afl_{KEY_ID}_{MASK}"


def test_a_payload_that_is_no_text_is_masked_and_otherwise_unchanged_byte_for_byte() -> None:
    payload = b"\x00\xff" + KEY.encode() + b"\xfe"

    kept = redacted_record(a_record(base64.b64encode(payload).decode(), "base64"))

    assert base64.b64decode(kept.payload) == b"\x00\xff" + f"afl_{KEY_ID}_{MASK}".encode() + b"\xfe"


@given(payload=st.binary(max_size=200))
def test_a_payload_without_a_key_stays_as_it_came(payload: bytes) -> None:
    came = base64.b64encode(payload).decode()

    assert redacted_record(a_record(came, "base64")).payload == came
