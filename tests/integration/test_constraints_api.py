"""The API of constraints on the local stack: tags under threads, pages during changes, customers kept apart."""

import json
import secrets
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from tests.stack import PATIENCE_SECONDS, LocalStack

pytestmark = pytest.mark.integration


class Api:
    """The API as a client with a key of some scope sees it."""

    def __init__(self, stack: LocalStack, **scope: Any) -> None:
        self._stack = stack
        self._key = stack.create_key(**scope)
        self.who = f"key:{self._key.split('_')[1]}"

    def __call__(self, method: str, path: str, body: Any = None, **headers: str) -> httpx.Response:
        content = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        more = {name.replace("_", "-"): value for name, value in headers.items()}
        return self._stack.http.request(
            method,
            f"{self._stack.target.api_url}{path}",
            content=content,
            headers={"X-API-Key": self._key, "Content-Type": "application/json", **more},
        )

    def pages(self, query: str, limit: int) -> Iterator[list[str]]:
        """The keys of each page."""
        following = ""
        while True:
            page = self("GET", f"/constraints?{query}&limit={limit}{following}").json()
            yield [entry.get("key", entry.get("domain")) for entry in page["constraints"]]
            if page["next"] is None:
                return
            following = f"&next={page['next']}"


@pytest.fixture
def source() -> str:
    return f"hall-{secrets.token_hex(4)}"


@pytest.fixture
def api(local_stack: LocalStack, source: str) -> Api:
    """For the constraints of one source."""
    return Api(local_stack, domains=("iot",), sources=(f"{source}*",), actions=("constraints",))


def limits(highest: float) -> dict[str, Any]:
    return {"value_constraints": {"max_value": highest}}


def test_constraints_have_a_life_with_a_history(api: Api, source: str) -> None:
    path = f"/constraints/iot/{source}/temp%20%C3%BC"
    made = api("PUT", path, limits(1), If_None_Match="*")
    assert (made.status_code, made.headers["etag"], made.headers["location"]) == (201, '"1"', path)
    assert api("PUT", path, limits(1), If_None_Match="*").status_code == 412
    assert api("GET", path, If_None_Match='"1"').status_code == 304
    assert api("PUT", path, limits(2), If_Match='"1"').headers["etag"] == '"2"'
    assert api("DELETE", path, If_Match='"1"').status_code == 412
    assert api("DELETE", path, If_Match='"2"').status_code == 204
    assert api("GET", path).status_code == 404
    back = api("POST", f"{path}/rollback", {"version": 1})
    assert (back.status_code, back.headers["etag"], back.json()["value_constraints"]) == (200, '"4"', {"max_value": 1})

    history = api("GET", f"{path}/history").json()
    assert history["key"] == f"iot/{source}/temp ü"
    assert [(its["version"], its["kind"], its["by"]) for its in history["changes"]] == [
        (4, "roll_back", api.who),
        (3, "delete", api.who),
        (2, "put", api.who),
        (1, "put", api.who),
    ]


@pytest.mark.parametrize("stream", ["what? really", "100%", "a%2Fb", "..", "a&b=c;d", "😀 ü"])
def test_every_stream_can_be_named_by_the_query(api: Api, source: str, stream: str) -> None:
    query = httpx.QueryParams({"source_id": source, "stream_id": stream})
    made = api("PUT", f"/constraints/iot?{query}", limits(1))
    assert (made.status_code, made.json()["key"]) == (201, f"iot/{source}/{stream}")
    assert api("GET", made.headers["location"]).json() == made.json()
    assert api("POST", f"/constraints/iot/rollback?{query}", {"version": 1}).headers["etag"] == '"2"'
    assert len(api("GET", f"/constraints/iot/history?{query}").json()["changes"]) == 2
    assert api("DELETE", f"/constraints/iot?{query}").status_code == 204


def test_of_writers_with_the_same_tag_one_wins_each_time(api: Api, source: str) -> None:
    path = f"/constraints/iot/{source}/raced"
    api("PUT", path, limits(0))
    start = threading.Barrier(4, timeout=PATIENCE_SECONDS)

    def write(writer: int) -> list[int]:
        won = []
        for version in (1, 2, 3):
            start.wait()
            answer = api("PUT", path, limits(10 * version + writer), If_Match=f'"{version}"')
            assert answer.status_code in {200, 412}
            if answer.status_code == 200:
                won.append(version + 1)
            else:
                assert answer.json()["current_version"] == int(answer.headers["etag"].strip('"')) == version + 1
        return won

    with ThreadPoolExecutor(4) as pool:
        winners = list(pool.map(write, range(4)))

    assert sorted(version for its in winners for version in its) == [2, 3, 4]
    changes = api("GET", f"{path}/history").json()["changes"]
    assert [(its["version"], its["constraints"]["value_constraints"]["max_value"]) for its in changes] == [
        *(
            (version, 10 * (version - 1) + writer)
            for version in (4, 3, 2)
            for writer in range(4)
            if version in winners[writer]
        ),
        (1, 0),
    ]


def test_many_entries_go_in_at_once_or_not_at_all(api: Api, source: str) -> None:
    entries = [{"key": f"iot/{source}/{number:03}", **limits(number)} for number in range(120)]
    faulty = [*entries, {"key": f"iot/{source}/x", **limits(1), "cooldown_seconds": -1}]
    refused = api("POST", "/constraints", faulty)
    assert (refused.status_code, [error["index"] for error in refused.json()["errors"]]) == (400, [120])
    assert list(api.pages(f"domain=iot&source_id={source}", 10)) == [[]]

    taken = api("POST", "/constraints", {"streams": entries}).json()["results"]
    assert {its["result"] for its in taken} == {"created"}
    again = api("POST", "/constraints", [*entries[1:], {"key": f"iot/{source}/000", **limits(7)}]).json()["results"]
    assert [its["result"] for its in again] == [*["unchanged"] * 119, "updated"]
    assert again[-1] == {"key": f"iot/{source}/000", "result": "updated", "version": 2}


def test_pages_hold_what_stays_once_while_others_come_and_go(api: Api, source: str) -> None:
    stay = [f"iot/{source}/stays-{number:02}" for number in range(30)]
    api("POST", "/constraints", [{"key": key} for key in stay])
    stop = threading.Event()

    def come_and_go() -> None:
        number = 0
        while not stop.is_set():
            path = f"/constraints/iot/{source}/stays-{number % 30:02}-passing"
            assert api("PUT", path, {}).status_code in {200, 201}
            assert api("DELETE", path).status_code == 204
            number += 1

    with ThreadPoolExecutor(1) as pool:
        going_on = pool.submit(come_and_go)
        try:
            listings = [[key for page in api.pages("domain=iot", 7) for key in page] for _ in range(3)]
        finally:
            stop.set()
        going_on.result()

    for found in listings:
        assert [key for key in found if not key.endswith("-passing")] == stay
        assert len(set(found)) == len(found)


def test_customers_have_nothing_to_do_with_each_other(local_stack: LocalStack, api: Api, source: str) -> None:
    path = f"/constraints/iot/{source}/secret"
    other = Api(local_stack, domains=("iot",), sources=(f"other-{source}*",))
    api("PUT", path, limits(1))
    mine = api("PUT", f"/constraints/iot/{source}/second", limits(1))
    assert mine.status_code == 201
    token = api("GET", "/constraints?limit=1").json()["next"]

    for method, below, body in (
        ("GET", "", None),
        ("PUT", "", limits(2)),
        ("DELETE", "", None),
        ("GET", "/history", None),
        ("POST", "/rollback", {"version": 1}),
    ):
        refused = other(method, f"{path}{below}", body)
        nothing_there = other(method, f"{path}-not-there{below}", body)
        assert refused.status_code == nothing_there.status_code == 403
        assert refused.json()["missing_scope"] == f"source:{source}"
        assert {**refused.json(), "request_id": ""} == {**nothing_there.json(), "request_id": ""}
    assert other("POST", "/constraints", [{"key": f"iot/{source}/secret"}]).status_code == 403
    assert other("GET", f"/constraints?domain=iot&source_id={source}").status_code == 403
    assert other("GET", f"/constraints?next={token}").status_code == 400
    assert list(other.pages("domain=iot&source_id=*", 5)) == [[]]
    assert other("GET", "/constraints/iot").status_code == 403
    assert api("GET", path).headers["etag"] == '"1"'


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"{", 400),
        (b"\xff\xfe", 400),
        (b"[" * 50_000, 400),
        (b'{"a": 1, "a": 2}', 400),
        (b'{"value_constraints": {"warning_min": 2, "alert_max": 1}}', 400),
        (b'{"\\ud800": "\\ud800"}', 400),
        (b'{"metadata": {"a": "' + b"x" * 5_000 + b'"}}', 400),
        (b'{"metadata": {"a": "' + b"x" * 70_000 + b'"}}', 413),
        (b'{"cooldown_seconds": 1' + b"0" * 5_000 + b"}", 400),
    ],
)
def test_a_bad_body_changes_nothing(api: Api, source: str, body: bytes, status: int) -> None:
    path = f"/constraints/iot/{source}/bad"
    refused = api("PUT", path, body)
    assert (refused.status_code, refused.headers["content-type"]) == (status, "application/problem+json")
    assert api("GET", path).status_code == 404
