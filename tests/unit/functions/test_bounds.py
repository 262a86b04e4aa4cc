"""Every bound with the request that tries it; docs/reference/limits.md has the same table."""

import json
import re
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from afluente.adapters.codecs.csv.sampled_table import MAX_COLUMNS
from afluente.adapters.codecs.packs import MAX_UNPACKED_BYTES
from afluente.adapters.http.errors import MAX_FAULTS
from afluente.application.classification.ports import STREAMS_PER_SOURCE
from afluente.application.csv.faults import MAX_REASON
from afluente.application.csv.progress import MAX_NAMED_STREAMS
from afluente.application.ingest.ports import BULK_PACKS_A_GROUP
from afluente.application.ingest.rejection import MAX_LISTED_BYTES, MAX_TEXT
from afluente.domain.alarms import BUDGET
from afluente.domain.datapoints import MAX_FUTURE_SECONDS
from tests.cases.bounds import HTTP_BOUNDS, MQTT_BOUNDS, WEBSOCKET_POINTS, Bound
from tests.factories import NOW
from tests.unit.functions.test_bad_cases import answer_to, inbox
from tests.unit.functions.test_ws_ingest import World as WebSocketWorld

ROOT = Path(__file__).parents[3]
PAGE = ROOT / "docs/reference/limits.md"

_CLASSIFY = "tests/unit/application/classification/test_classify_packs.py"
_BAD_CASES = "tests/unit/functions/test_bad_cases.py"
_DOMAIN = "tests/unit/domain/test_classification.py"

ELSEWHERE = {
    "bytes of the faults that an answer lists": (
        MAX_LISTED_BYTES,
        "tests/unit/functions/test_http_ingest.py::test_an_answer_lists_the_faults_that_fit_it_and_counts_the_others",
    ),
    "characters of a listed fault": (
        MAX_TEXT,
        "tests/unit/application/ingest/test_rejection.py::test_long_texts_are_cut_and_the_first_point_is_always_listed",
    ),
    "faults of a request that is refused as a whole": (
        MAX_FAULTS,
        "tests/unit/functions/test_http_constraints.py::MAX_FAULTS",
    ),
    "bytes of an answer over WebSocket": (
        120_000,
        f"{_BAD_CASES}::test_a_bad_message_is_answered_with_its_fault_within_the_size_of_a_message",
    ),
    "seconds of a timestamp ahead of now": (int(MAX_FUTURE_SECONDS), "tests/cases/bad_points.py::in a century"),
    "columns of a CSV file": (MAX_COLUMNS, "tests/cases/bad_messages.py::5,000 columns of one name"),
    "characters of the reason of a job": (
        MAX_REASON,
        "tests/contract/test_csv_files.py::test_options_that_are_none_are_refused_by_the_name_of_their_file",
    ),
    "streams that a job names": (
        MAX_NAMED_STREAMS,
        "tests/unit/application/csv/test_progress.py::test_points_are_counted_by_stream_and_so_many_streams_are_named",
    ),
    "bytes of a pack, unpacked": (MAX_UNPACKED_BYTES, "tests/cases/bad_messages.py::a gigabyte"),
    "packs of a message group from CSV files in the queue": (
        BULK_PACKS_A_GROUP,
        f"{_CLASSIFY}::test_a_pack_of_bulk_releases_its_slot_once_it_is_saved",
    ),
    "streams of a source": (
        STREAMS_PER_SOURCE,
        "tests/contract/test_state_store.py::test_a_new_stream_beyond_the_limit_is_refused_and_known_ones_are_not",
    ),
    "transitions of a stream's alarms at once": (
        BUDGET,
        f"{_DOMAIN}::test_a_burst_of_transitions_is_published_up_to_the_budget_and_its_last_one",
    ),
}
"""Bounds that other tests try: their values, and a test or a case by its file."""


@pytest.mark.parametrize("bound", HTTP_BOUNDS, ids=lambda bound: bound.name)
def test_a_request_within_a_bound_is_accepted_and_one_beyond_is_answered_with_its_code(
    bound: Bound, event: Callable[[str], dict[str, Any]]
) -> None:
    status, body, _ = answer_to(bound.make(bound.value), event)
    assert status < 400, body
    assert bound.beyond not in _codes(body)

    status, body, _ = answer_to(bound.make(bound.value + 1), event)
    assert 400 <= status < 500
    assert bound.beyond in _codes(body)


def _codes(body: Any) -> set[str]:
    return {body.get("code"), *(fault["code"] for fault in (*body.get("errors", ()), *body.get("rejected", ())))}


def test_a_websocket_message_beyond_its_bound_is_refused() -> None:
    world = WebSocketWorld()
    world.open()

    def say(size: int) -> Any:
        return world.say(json.dumps(json.loads(WEBSOCKET_POINTS.make(size).body or b"")["datapoints"]))

    assert {one["status"] for one in say(WEBSOCKET_POINTS.value)} == {"ok"}
    assert say(WEBSOCKET_POINTS.value + 1)["reason"] == WEBSOCKET_POINTS.beyond


@pytest.mark.parametrize("bound", MQTT_BOUNDS, ids=lambda bound: bound.name)
def test_a_publication_beyond_a_bound_is_quarantined(bound: Bound) -> None:
    def reasons(size: int) -> set[str]:
        payload = b64encode(bound.make(size).body or b"").decode()
        kept = inbox(json.dumps({"payload": payload, "topic": "iot/oven-1/t", "arrived_at": NOW * 1000}))
        return {str(record.reason) for record in kept.records.values()}

    assert bound.beyond not in reasons(bound.value)
    assert reasons(bound.value + 1) == {bound.beyond}


def test_the_page_of_limits_has_every_bound_with_its_value_and_its_code() -> None:
    table = re.findall(r"^\| ([a-z][^|]+?) \| ([\d,]+) \| [^|]+ \| ([^|]+) \|$", PAGE.read_text("utf-8"), re.MULTILINE)
    documented = {name: (int(value.replace(",", "")), answer) for name, value, answer in table}
    tried = {bound.name: bound for bound in (*HTTP_BOUNDS, WEBSOCKET_POINTS, *MQTT_BOUNDS)}

    assert documented.keys() == tried.keys() | ELSEWHERE.keys()
    assert {name: value for name, (value, _) in documented.items()} == {
        **{name: bound.value for name, bound in tried.items()},
        **{name: value for name, (value, _) in ELSEWHERE.items()},
    }
    assert all(f"`{bound.beyond}`" in documented[name][1] for name, bound in tried.items())


@pytest.mark.parametrize("test", [test for _, test in ELSEWHERE.values()])
def test_a_bound_that_another_test_tries_is_tried_there(test: str) -> None:
    file, name = test.split("::")

    assert name in (ROOT / file).read_text("utf-8")
