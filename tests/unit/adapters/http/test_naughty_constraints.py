"""The Big List of Naughty Strings in constraints: rejected for what it is, or returned unchanged."""

import json
import re
from collections.abc import Callable
from functools import partial
from typing import Any
from urllib.parse import unquote

import pytest

from afluente.adapters.http.answers import problem
from afluente.adapters.http.constraint_bodies import decode_entries, decode_entry
from afluente.adapters.http.constraint_queries import decode_listing, location_of, reached_scope
from afluente.adapters.http.constraints import constraints
from afluente.adapters.http.errors import RequestError
from afluente.application.constraints.documents import ConstraintEntry
from afluente.domain.constraints import VersionedConfig
from afluente.domain.stream_keys import DOMAIN_PATTERN, part_faults
from tests.factories import a_grant
from tests.suites.cases import naughty_strings

STRINGS = naughty_strings()
PARTS = tuple(text for text in STRINGS if not part_faults("part", text))
"""Those that may be part of a key."""

SCOPE = "iot/furnace-1/temperature"


def event_of(body: object = None, *, query: str = "", path: dict[str, str] | None = None) -> dict[str, Any]:
    text = json.dumps(body)
    return {"body": text, "isBase64Encoded": False, "headers": {}, "rawQueryString": query, "pathParameters": path}


def refusal_of(read: Callable[[], object]) -> RequestError | None:
    """The error of a rejected request; None for an accepted one."""
    try:
        read()
    except RequestError as error:
        return error
    return None


def refused_fields(entry: dict[str, Any]) -> set[str]:
    """The fields at fault of an entry; none if it is accepted."""
    error = refusal_of(lambda: decode_entries(event_of([entry]), a_grant()))
    if error is None:
        return set()
    assert (error.status, error.code) == (400, "invalid_request")
    answer = json.loads(problem(error.status, error.code, error.detail, request_id="r", extra=error.extra).body)
    return {fault["field"] for fault in answer["errors"]}


def told(entry: ConstraintEntry) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(constraints(entry.scope, VersionedConfig(entry.config, 1)).body)
    return found


def reached_at(location: str) -> str:
    """The scope that a client reaches where it is sent to."""
    path, _, query = location.partition("?")
    parts = dict(zip(("domain", "source_id", "stream_id"), map(unquote, path.split("/")[2:]), strict=False))
    return reached_scope(event_of(query=query, path=parts), a_grant())


def test_there_are_strings_of_both_kinds() -> None:
    assert len(PARTS) > 250
    assert len(STRINGS) - len(PARTS) > 50


def test_metadata_is_rendered_as_it_was_sent() -> None:
    for text in STRINGS:
        entry = decode_entry(event_of({"metadata": {text: text, "nested": [{text: [text]}]}}), SCOPE)

        assert told(entry)["metadata"] == {text: text, "nested": [{text: [text]}]}


@pytest.mark.parametrize(
    ("field", "form"), [("key", "iot/{0}/temperature"), ("key", "iot/furnace-1/{0}"), ("stream_type", "{0}")]
)
def test_an_id_or_a_type_is_rendered_as_it_was_sent_or_refused_by_its_field(field: str, form: str) -> None:
    parts = {"key": ("key", "source_id", "stream_id"), "stream_type": ("stream_type",)}[field]
    for text in STRINGS:
        entry = {"key": SCOPE, field: form.format(text)}

        if text in PARTS:
            (taken,) = decode_entries(event_of([entry]), a_grant())
            assert told(taken)[field] == entry[field]
        else:
            fields = refused_fields(entry)
            assert fields, text
            assert fields <= set(parts), text


def test_the_location_of_constraints_leads_back_to_them() -> None:
    for text in PARTS:
        for entry in ({"key": f"iot/{text}/{text}"}, {"domain": "iot", "stream_type": text}):
            (taken,) = decode_entries(event_of([entry]), a_grant())

            location = location_of(taken.scope)

            assert location.isascii()
            assert reached_at(location) == taken.scope


def test_a_domain_is_none_of_them_unless_it_has_the_form() -> None:
    for text in STRINGS:
        is_taken = not refused_fields({"domain": text})

        assert is_taken == bool(re.fullmatch(DOMAIN_PATTERN, text)), text


def test_a_field_that_is_not_known_is_named() -> None:
    for text in STRINGS:
        fields = refused_fields({"key": SCOPE, text: 1, "value_constraints": {text: 1}})

        assert len(fields) == 2, text


def test_any_query_is_accepted_or_refused() -> None:
    for text in STRINGS:
        # As it is, not as a client would escape it.
        for query in (f"next={text}", f"source_id={text}", f"{text}={text}", f"limit={text}&domain={text}"):
            raw = query.encode("utf-8", "surrogatepass").decode("utf-8", "surrogateescape")
            error = refusal_of(partial(decode_listing, event_of(query=raw), a_grant()))
            assert error is None or (error.status, error.code) == (400, "invalid_request"), query
