"""The routes of constraints, on events as API Gateway hands them over."""

import gzip
import json
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple
from urllib.parse import urlencode

import msgspec
import pytest

import http_admin.handler
from afluente.adapters.http.constraint_bodies import MAX_ENTRIES, MAX_ENTRY_BYTES
from afluente.adapters.http.errors import MAX_FAULTS
from afluente.adapters.memory.alarms import MemoryAlarmLog
from afluente.adapters.memory.constraints import MemoryConstraints
from afluente.adapters.memory.limits import MemoryLimits
from afluente.application.access.grants import Action
from afluente.application.constraints.documents import MAX_SCOPE_BYTES
from afluente.application.constraints.history import ChangeKind, ConstraintsChange
from afluente.application.constraints.listing import ConstraintsQuery, digest_of
from afluente.application.constraints.ports import ConstraintsCatalogue
from afluente.application.errors import UnavailableError
from afluente.application.limits.limiter import Limiter
from afluente.application.limits.rate_limits import RateLimits
from afluente.domain.constraints import StreamConfig, VersionedConfig
from afluente.runtime.http_admin import HttpAdmin, HttpAdminSettings
from tests.conformity import assert_documented
from tests.factories import DOMAINS, NOW, Clock, a_config, a_grant
from tests.unit.functions.conftest import CONTEXT, LogLines

STREAM = "/constraints/{domain}/{source_id}/{stream_id}"
TEMPLATE = "/constraints/{domain}"
SCOPE = "iot/furnace-1/temperature"
PARTS = {"domain": "iot", "source_id": "furnace-1", "stream_id": "temperature"}
ENTRY = {"value_constraints": {"max_value": 105}, "stream_type": "thermocouple"}
TOLD = {"key": SCOPE, "stream_type": "thermocouple", "value_constraints": {"max_value": 105.0}}


class Reply(NamedTuple):
    status: int
    body: Any
    headers: dict[str, str]

    @property
    def problem(self) -> tuple[int, str]:
        """Status and code of a refusal, once it is sure to be a problem of RFC 9457."""
        assert self.headers["content-type"] == "application/problem+json"
        assert self.body["status"] == self.status
        assert self.body["request_id"] == self.headers["x-request-id"]
        return self.status, self.body["code"]

    @property
    def faults(self) -> list[tuple[str, str]]:
        assert self.problem == (400, "invalid_request")
        return [(error["field"], error["code"]) for error in self.body["errors"]]


class World:
    """The ports of the function, in memory; another writer may be quicker, and the table unavailable."""

    def __init__(self) -> None:
        self.constraints = MemoryConstraints(Clock(), by="migrate")
        self.before_writing: Callable[[], object] = lambda: None

    def written_by(self, by: str) -> ConstraintsCatalogue:
        return Overtaken(self.constraints.written_by(by), self)


class Overtaken(MemoryConstraints):
    """As who has something done by another between a look and a change."""

    def __init__(self, behind: MemoryConstraints, world: World) -> None:
        super().__init__()
        self.__dict__.update(behind.__dict__)
        self._world = world

    def put(self, *arguments: Any, **named: Any) -> int:
        self._world.before_writing()
        return super().put(*arguments, **named)

    def delete(self, *arguments: Any, **named: Any) -> bool:
        self._world.before_writing()
        return super().delete(*arguments, **named)


Ask = Callable[..., Reply]


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def ask(world: World, event: Callable[[str], dict[str, Any]]) -> Ask:
    settings = HttpAdminSettings(
        domains=DOMAINS,
        constraints_table="memory",
        constraint_history_table="memory",
        alarm_log_group="memory",
        limits_table="memory",
    )
    limiter = Limiter(MemoryLimits(), container="tests", fails_open=False, sleep=lambda _: None)
    function = HttpAdmin(settings, world.written_by, MemoryAlarmLog(), RateLimits(limiter, settings.limits), front=None)

    def to(
        route: str,
        body: object = None,
        *,
        path: Mapping[str, str] = PARTS,
        query: Mapping[str, str] | str = "",
        headers: Mapping[str, str] | None = None,
        scope: Mapping[str, Any] | None = None,
    ) -> Reply:
        template = event("http_api_health")
        grant = msgspec.json.encode(a_grant(**(scope or {}))).decode()
        asked = template | {
            "routeKey": route,
            "rawQueryString": query if isinstance(query, str) else urlencode(query),
            "pathParameters": dict(path),
            "requestContext": template["requestContext"] | {"authorizer": {"lambda": {"grant": grant}}},
            "headers": template["headers"] | {name.lower(): value for name, value in (headers or {}).items()},
        }
        if isinstance(body, bytes):
            asked |= {"body": b64encode(body).decode(), "isBase64Encoded": True}
        elif body is not None:
            asked["body"] = json.dumps(body)
        answer = json.loads(json.dumps(http_admin.handler.handle(asked, CONTEXT, function)))
        told = json.loads(answer["body"]) if answer["body"] else None
        assert_documented(route, answer["statusCode"], answer["headers"], told)
        return Reply(answer["statusCode"], told, answer["headers"])

    return to


def present(world: World, scope: str = SCOPE) -> tuple[int, StreamConfig] | None:
    found: VersionedConfig | None = world.constraints.fetch([scope]).get(scope)
    return None if found is None else (found.version, found.config)


# --- one scope -------------------------------------------------------------------------------------------------------


def test_constraints_are_written_shown_and_deleted(world: World, ask: Ask, log: LogLines) -> None:
    made = ask(f"PUT {STREAM}", ENTRY)
    assert (made.status, made.body) == (201, {**TOLD, "version": 1})
    assert made.headers["etag"] == '"1"'
    assert made.headers["location"] == "/constraints/iot/furnace-1/temperature"
    shown = ask(f"GET {STREAM}")
    assert (shown.status, shown.body, shown.headers["etag"]) == (200, {**TOLD, "version": 1}, '"1"')
    changed = ask(f"PUT {STREAM}", {})
    assert (changed.status, changed.body, changed.headers["etag"]) == (200, {"key": SCOPE, "version": 2}, '"2"')
    gone = ask(f"DELETE {STREAM}")
    assert (gone.status, gone.body) == (204, None)
    assert ask(f"GET {STREAM}").problem == (404, "not_found")
    assert ask(f"DELETE {STREAM}").problem == (404, "not_found")

    assert present(world) is None
    history = world.constraints.history(SCOPE, limit=9)
    assert [(change.kind, change.by) for change in history] == [
        (kind, "key:aaaqeaye") for kind in (ChangeKind.DELETE, ChangeKind.PUT, ChangeKind.PUT)
    ]
    assert [line["kind"] for line in log.lines if line["code"] == "CONSTRAINTS_CHANGED"] == ["put", "put", "delete"]


@pytest.mark.parametrize(
    ("query", "scope", "address", "location"),
    [
        ("", "iot", {"domain": "iot"}, "/constraints/iot"),
        (
            "stream_type=a%20b%3F",
            "iot#a b?",
            {"domain": "iot", "stream_type": "a b?"},
            "/constraints/iot?stream_type=a%20b%3F",
        ),
        (
            "source_id=what%3F&stream_id=100%25",
            "iot/what?/100%",
            {"key": "iot/what?/100%"},
            "/constraints/iot?source_id=what%3F&stream_id=100%25",
        ),
        (
            "stream_id=..&source_id=.",
            "iot/./..",
            {"key": "iot/./.."},
            "/constraints/iot?source_id=.&stream_id=..",
        ),
        ("source_id=a&stream_id=b:c", "iot/a/b:c", {"key": "iot/a/b:c"}, "/constraints/iot/a/b:c"),
    ],
)
def test_templates_and_streams_that_no_path_could_carry_differ_by_the_query(  # noqa: PLR0917 - as above
    world: World, ask: Ask, query: str, scope: str, address: dict[str, str], location: str
) -> None:
    made = ask(f"PUT {TEMPLATE}", {"cooldown_seconds": 1}, path={"domain": "iot"}, query=query)

    assert (made.status, made.headers["location"]) == (201, location)
    assert made.body == {**address, "cooldown_seconds": 1.0, "version": 1}
    assert [found for found, _ in world.constraints.list()] == [scope]
    assert ask(f"GET {TEMPLATE}", path={"domain": "iot"}, query=query).body == made.body
    assert ask(f"DELETE {TEMPLATE}", path={"domain": "iot"}, query=query).status == 204


def test_what_get_shows_can_be_put(ask: Ask) -> None:
    ask(f"PUT {STREAM}", ENTRY)
    shown = ask(f"GET {STREAM}")

    again = ask(f"PUT {STREAM}", shown.body, headers={"If-Match": shown.headers["etag"]})

    assert (again.status, again.headers["etag"]) == (200, '"1"')


def test_constraints_that_are_in_force_already_are_no_change(world: World, ask: Ask) -> None:
    ask(f"PUT {STREAM}", ENTRY)
    assert ask(f"PUT {STREAM}", ENTRY).headers["etag"] == '"1"'
    assert len(world.constraints.history(SCOPE, limit=9)) == 1


# --- conditions ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("condition", "value", "holds_for_2", "holds_for_none"),
    [
        ("If-Match", '"2"', True, False),
        ("If-Match", '"1", "2"', True, False),
        ("If-Match", "*", True, False),
        ("If-Match", '"1"', False, False),
        ("If-Match", 'W/"2"', False, False),
        ("If-None-Match", "*", False, True),
        ("If-None-Match", '"2"', False, True),
        ("If-None-Match", 'W/"2"', False, True),
        ("If-None-Match", '"1"', True, True),
    ],
)
@pytest.mark.parametrize("method", ["PUT", "DELETE", "POST"])
def test_a_change_is_made_on_its_condition_alone(
    world: World, ask: Ask, method: str, condition: str, value: str, *, holds_for_2: bool, holds_for_none: bool
) -> None:
    route = f"POST {STREAM}/rollback" if method == "POST" else f"{method} {STREAM}"
    body = {"PUT": ENTRY, "POST": {"version": 1}}.get(method)
    world.constraints.put(SCOPE, a_config(max_value=1))
    world.constraints.put(SCOPE, a_config(max_value=2))

    answer = ask(route, body, headers={condition: value})
    if holds_for_2:
        assert answer.status in {200, 204}
    else:
        assert answer.problem == (412, "precondition_failed")
        assert (answer.headers["etag"], answer.body["current_version"]) == ('"2"', 2)
        assert present(world) == (2, a_config(max_value=2))
        world.constraints.delete(SCOPE)
        answer = ask(route, body, headers={condition: value})
        if not holds_for_none:
            assert answer.problem == (412, "precondition_failed")
            assert ("etag" in answer.headers, answer.body["current_version"]) == (False, None)
        else:
            assert answer.status in ({201} if method == "PUT" else {200, 404})


@pytest.mark.parametrize("method", ["PUT", "DELETE", "POST"])
@pytest.mark.parametrize("stays", [True, False])
def test_a_change_that_another_overtakes_is_answered_with_the_present_version(
    world: World, ask: Ask, method: str, *, stays: bool
) -> None:
    route = f"POST {STREAM}/rollback" if method == "POST" else f"{method} {STREAM}"
    world.constraints.put(SCOPE, a_config(max_value=1))
    world.before_writing = lambda: (
        world.constraints.put(SCOPE, a_config(max_value=9)) if stays else world.constraints.delete(SCOPE)
    )

    answer = ask(route, {"PUT": ENTRY, "POST": {"version": 1}}.get(method), headers={"If-Match": '"1"'})

    if method == "DELETE" and not stays:
        assert answer.problem == (404, "not_found")
    else:
        assert answer.problem == (412, "precondition_failed")
        assert answer.body["current_version"] == (2 if stays else None)
    assert present(world) == ((2, a_config(max_value=9)) if stays else None)


def test_without_a_condition_the_last_writer_wins(world: World, ask: Ask) -> None:
    world.constraints.put(SCOPE, a_config(max_value=1))
    world.before_writing = lambda: world.constraints.put(SCOPE, a_config(max_value=9))

    assert ask(f"PUT {STREAM}", ENTRY).headers["etag"] == '"3"'


@pytest.mark.parametrize("value", ['W/"1"', '"1"', "*", '"7", "1"'])
def test_who_has_them_already_is_not_sent_them_again(world: World, ask: Ask, value: str) -> None:
    world.constraints.put(SCOPE, a_config())

    answer = ask(f"GET {STREAM}", headers={"If-None-Match": value})
    assert (answer.status, answer.body, answer.headers["etag"]) == (304, None, '"1"')
    assert ask(f"GET {STREAM}", headers={"If-None-Match": '"2"'}).status == 200


@pytest.mark.parametrize(("value", "status"), [('"1"', 200), ("*", 200), ('"2"', 412), ('W/"1"', 412)])
def test_who_asks_for_a_version_is_shown_no_other(world: World, ask: Ask, value: str, status: int) -> None:
    world.constraints.put(SCOPE, a_config())

    answer = ask(f"GET {STREAM}", headers={"If-Match": value})
    assert (answer.status, answer.headers["etag"]) == (status, '"1"')


@pytest.mark.parametrize("value", ["", "1", '"1', '"1" "2"', '"1",', "*, *", "W/1", '"a"b"', '"\x7f"'])
@pytest.mark.parametrize("condition", ["If-Match", "If-None-Match"])
def test_a_condition_that_is_none_is_not_passed_over(world: World, ask: Ask, condition: str, value: str) -> None:
    world.constraints.put(SCOPE, a_config())

    assert ask(f"PUT {STREAM}", ENTRY, headers={condition: value}).faults == [(condition, "out_of_range")]
    assert present(world) == (1, a_config())


# --- who reaches what ------------------------------------------------------------------------------------------------

_CHANGES = {"PUT": {}, "POST": {"version": 1}}
_OF_ONE = [f"GET {STREAM}", f"PUT {STREAM}", f"DELETE {STREAM}", f"GET {STREAM}/history", f"POST {STREAM}/rollback"]
_OF_TEMPLATES = [route.replace(STREAM, TEMPLATE) for route in _OF_ONE]


@pytest.mark.parametrize("route", _OF_ONE)
@pytest.mark.parametrize(
    ("scope", "missing"),
    [
        ({"actions": (Action.INGEST,)}, "action:constraints"),
        ({"domains": ("health",)}, "domain:iot"),
        ({"sources": ("furnace-2", "acme-*")}, "source:furnace-1"),
    ],
)
def test_what_is_out_of_reach_and_what_is_not_there_are_answered_alike(
    world: World, ask: Ask, route: str, scope: dict[str, Any], missing: str
) -> None:
    body = _CHANGES.get(route.split(maxsplit=1)[0])
    nothing_there = ask(route, body, scope=scope)
    world.constraints.put(SCOPE, a_config())
    there = ask(route, body, scope=scope)

    assert there.problem == (403, "forbidden")
    assert there.body["missing_scope"] == missing
    assert there == nothing_there
    assert present(world) == (1, a_config())


@pytest.mark.parametrize("route", _OF_TEMPLATES)
@pytest.mark.parametrize("query", ["", "stream_type=wind"])
def test_a_template_is_for_those_who_reach_all_of_its_domain(world: World, ask: Ask, route: str, query: str) -> None:
    for scope in ("iot", "iot#wind"):
        world.constraints.put(scope, a_config())
    body = _CHANGES.get(route.split(maxsplit=1)[0])

    refused = ask(route, body, path={"domain": "iot"}, query=query, scope={"sources": ("furnace-*",)})
    assert (refused.problem, refused.body["missing_scope"]) == ((403, "forbidden"), "source:*")
    elsewhere = ask(route, body, path={"domain": "iot"}, query=query, scope={"domains": ("health",)})
    assert (elsewhere.problem, elsewhere.body["missing_scope"]) == ((403, "forbidden"), "domain:iot")
    assert ask(route, body, path={"domain": "iot"}, query=query, scope={"domains": ("iot",)}).status in {200, 204}


def test_of_many_entries_none_is_written_if_one_is_out_of_reach(world: World, ask: Ask) -> None:
    entries = [{"key": SCOPE}, {"key": "iot/furnace-2/temperature"}, {"domain": "iot"}]

    refused = ask("POST /constraints", entries, path={}, scope={"sources": ("furnace-1",)})

    assert (refused.problem, refused.body["missing_scope"]) == ((403, "forbidden"), "source:furnace-2")
    assert list(world.constraints.list()) == []


# --- bad requests ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "faults"),
    [
        ([], [("body", "wrong_type")]),
        (None, [("malformed", "")]),
        ({"key": "iot/furnace-1/other"}, [("key", "contradiction")]),
        ({"domain": "iot"}, [("domain", "contradiction")]),
        (
            {"value_constraints": {"max_value": "hot", "colour": 1}, "metadata": 7, "unit": "K"},
            [
                ("unit", "unknown_field"),
                ("value_constraints.max_value", "wrong_type"),
                ("value_constraints.colour", "unknown_field"),
                ("metadata", "wrong_type"),
            ],
        ),
        (
            {"value_constraints": {"alert_min": 3, "warning_max": 2}, "cooldown_seconds": -1},
            [("cooldown_seconds", "out_of_range")],
        ),
        ({"value_constraints": {"alert_min": 3, "warning_max": 2}}, [("value_constraints.alert_min", "impossible")]),
    ],
)
def test_all_faults_of_a_body_are_named_at_once(
    world: World, ask: Ask, body: object, faults: list[tuple[str, str]]
) -> None:
    answer = ask(f"PUT {STREAM}", body)
    if body is None:
        assert answer.problem == (400, "malformed_json")
    else:
        assert answer.faults == faults
    assert present(world) is None


@pytest.mark.parametrize(
    ("body", "names"),
    [
        (b'{"cooldown_seconds": 1, "cooldown_seconds": 2}', ["cooldown_seconds"]),
        (
            b'{"value_constraints": {"max_value": 1, "max_value": 1}, "metadata": {"a": {"b": 1, "b": 2}}}',
            ["max_value", "b"],
        ),
        (b'{"\\ud800": 1, "\\ud800": 2}', ["\\ud800"]),
    ],
)
def test_a_field_that_is_there_twice_is_refused(world: World, ask: Ask, body: bytes, names: list[str]) -> None:
    assert ask(f"PUT {STREAM}", body).faults == [(name, "contradiction") for name in names]
    assert present(world) is None


@pytest.mark.parametrize(
    ("body", "headers", "problem"),
    [
        (b"{", {}, (400, "malformed_json")),
        (b"\xff", {}, (400, "malformed_json")),
        (b"[" * 60_000, {}, (400, "malformed_json")),
        (b'{"metadata": ' + b'{"a":' * 100 + b"1" + b"}" * 101, {}, (400, "malformed_json")),
        (b"{}", {"content-type": "text/plain"}, (415, "unsupported_media_type")),
        (b"{}", {"content-encoding": "gzip"}, (400, "malformed_gzip")),
        (b'{"metadata": "' + b"x" * MAX_ENTRY_BYTES + b'"}', {}, (413, "body_too_large")),
        (
            gzip.compress(b'{"metadata": "' + b"x" * 10**6 + b'"}'),
            {"content-encoding": "gzip"},
            (413, "body_too_large"),
        ),
        (b'{"value_constraints": {"max_value": NaN}}', {}, (400, "invalid_request")),
        (b'{"value_constraints": {"max_value": 1' + b"0" * 5_000 + b"}}", {}, (400, "invalid_request")),
        (b'{"metadata": {"a": "\\ud800"}}', {}, (400, "invalid_request")),
        (b'{"\\ud800": 1}', {}, (400, "invalid_request")),
        (b'{"stream_type": "\\ud800"}', {}, (400, "invalid_request")),
        (b'{"consecutive_violations_required": 1e400}', {}, (400, "invalid_request")),
    ],
)
def test_a_rejected_body_changes_nothing(
    world: World, ask: Ask, body: bytes, headers: dict[str, str], problem: tuple[int, str]
) -> None:
    for route in (f"PUT {STREAM}", f"POST {STREAM}/rollback"):
        assert ask(route, body, headers=headers).problem == problem
    assert present(world) is None


def test_a_packed_body_is_unpacked(ask: Ask) -> None:
    packed = gzip.compress(json.dumps(ENTRY).encode())
    assert ask(f"PUT {STREAM}", packed, headers={"content-encoding": "gzip"}).status == 201


@pytest.mark.parametrize(
    ("route", "path", "query", "faults"),
    [
        (f"GET {TEMPLATE}", {"domain": "IoT"}, "", [("domain", "out_of_range")]),
        (f"GET {STREAM}", {**PARTS, "source_id": "a+b"}, "", [("source_id", "forbidden_character")]),
        (f"GET {STREAM}", {**PARTS, "stream_id": "x" * 129}, "", [("stream_id", "too_long")]),
        (f"GET {STREAM}", {**PARTS, "stream_id": "a%25b"}, "", [("stream_id", "forbidden_character")]),
        (f"GET {STREAM}", PARTS, "stream_type=wind", [("stream_type", "contradiction")]),
        (f"GET {TEMPLATE}", {"domain": "iot"}, "stream_type=", [("stream_type", "empty")]),
        (f"GET {TEMPLATE}", {"domain": "iot"}, "stream_typ=wind", [("stream_typ", "unknown_field")]),
        (f"GET {STREAM}", PARTS, "limit=1&before=2", [("limit", "unknown_field"), ("before", "unknown_field")]),
        (f"GET {TEMPLATE}", {"domain": "iot"}, "stream_type=a&stream_type=b", [("stream_type", "contradiction")]),
        (f"GET {TEMPLATE}", {"domain": "iot"}, "source_id=a", [("stream_id", "missing")]),
        (f"GET {TEMPLATE}", {"domain": "iot"}, "stream_id=a&stream_type=b", None),
        (f"GET {TEMPLATE}", {"domain": "iot"}, "%FF=%FF", [("query", "out_of_range")]),
        (f"GET {TEMPLATE}", {"domain": "iot"}, "&".join(f"a{n}=1" for n in range(99)), [("query", "out_of_range")]),
        (f"GET {STREAM}/history", PARTS, "limit=0", [("limit", "out_of_range")]),
        (f"GET {STREAM}/history", PARTS, "limit=101&before=x", [("limit", "out_of_range"), ("before", "out_of_range")]),
        ("GET /constraints", {}, "limit=501", [("limit", "out_of_range")]),
        ("GET /constraints", {}, "limit=%D9%A1", [("limit", "out_of_range")]),
        ("GET /constraints", {}, "domain=I&source_id=%2F&stream_type=%23", None),
        ("GET /constraints", {}, "next=", [("next", "out_of_range")]),
        ("GET /constraints", {}, "next=%C3%BC", [("next", "out_of_range")]),
        ("GET /constraints", {}, "next=aW90", [("next", "out_of_range")]),
    ],
)
def test_a_path_or_query_that_is_not_of_the_form_is_refused(
    ask: Ask, route: str, path: dict[str, str], query: str, faults: list[tuple[str, str]] | None
) -> None:
    answer = ask(route, path=path, query=query)
    assert answer.problem == (400, "invalid_request")
    assert faults is None or answer.faults == faults


# --- many at once ----------------------------------------------------------------------------------------------------


def test_many_entries_are_applied_and_each_has_its_result(world: World, ask: Ask, log: LogLines) -> None:
    world.constraints.put("iot", a_config(max_value=1))
    world.constraints.put("iot#wind", a_config(max_value=1))
    limits = {"value_constraints": {"max_value": 1}}
    entries = [
        {"domain": "iot", **limits},
        {"domain": "iot", "stream_type": "wind", **limits},
        {"key": SCOPE, **limits},
    ]

    answer = ask("POST /constraints", {"streams": entries}, path={})

    assert answer.status == 200
    assert answer.body == {
        "results": [
            {"domain": "iot", "result": "unchanged", "version": 1},
            {"domain": "iot", "stream_type": "wind", "result": "updated", "version": 2},
            {"key": SCOPE, "result": "created", "version": 1},
        ]
    }
    assert world.constraints.history(SCOPE, limit=1)[0].by == "key:aaaqeaye"
    assert [line["entries"] for line in log.lines if line["code"] == "CONSTRAINTS_CHANGED"] == [3]


def test_entries_with_faults_are_all_named_and_nothing_is_written(world: World, ask: Ask) -> None:
    entries = [{"domain": "iot"}, {"key": "iot/\ud800"}, {"domain": "iot", "cooldown_seconds": -1, "unit": "K"}, 7]

    answer = ask("POST /constraints", entries, path={})

    assert answer.problem == (400, "invalid_request")
    assert [(error["index"], error["name"], error["field"]) for error in answer.body["errors"]] == [
        (1, "iot/\\ud800", "key"),
        (2, "iot", "unit"),
        (2, "iot", "cooldown_seconds"),
        (3, "", "entry"),
    ]
    assert list(world.constraints.list()) == []


@pytest.mark.parametrize("body", [7, {}, {"streams": {}}, {"entries": []}])
def test_what_is_no_list_of_entries_is_refused(ask: Ask, body: object) -> None:
    assert ask("POST /constraints", body, path={}).problem == (400, "invalid_request")


def test_so_many_entries_are_accepted_at_once_and_no_more(world: World, ask: Ask) -> None:
    entries = [{"key": f"iot/furnace-1/{number}"} for number in range(MAX_ENTRIES + 1)]

    assert ask("POST /constraints", entries, path={}).problem == (413, "too_many_entries")
    assert list(world.constraints.list()) == []
    assert len(ask("POST /constraints", entries[1:], path={}).body["results"]) == MAX_ENTRIES


def test_one_mistake_in_every_entry_is_named_so_many_times_and_no_more(ask: Ask) -> None:
    answer = ask("POST /constraints", [{"key": "x"}] * MAX_ENTRIES, path={})
    assert len(answer.body["errors"]) == MAX_FAULTS
    answer = ask(f"PUT {STREAM}", {f"field {number}": 1 for number in range(500)})
    assert len(answer.body["errors"]) == MAX_FAULTS


# --- listing ---------------------------------------------------------------------------------------------------------


def test_constraints_are_listed_in_pages(world: World, ask: Ask) -> None:
    for number in range(5):
        world.constraints.put(f"iot/furnace-{number}/t", a_config(max_value=number))

    query = {"domain": "iot", "limit": "2"}
    found, pages = [], 0
    while True:
        page = ask("GET /constraints", path={}, query=query)
        found += page.body["constraints"]
        pages += 1
        if page.body["next"] is None:
            break
        query = {**query, "next": page.body["next"]}

    assert pages == 3
    assert found == [
        {"key": f"iot/furnace-{number}/t", "value_constraints": {"max_value": float(number)}, "version": 1}
        for number in range(5)
    ]


def test_a_token_is_of_no_use_to_another_key_or_for_another_question(world: World, ask: Ask) -> None:
    for number in range(5):
        world.constraints.put(f"iot/furnace-{number}/t", a_config())
    token = ask("GET /constraints", path={}, query="limit=2").body["next"]

    assert ask("GET /constraints", path={}, query={"next": token}).status == 200
    assert ask("GET /constraints", path={}, query={"next": token, "domain": "iot"}).faults == [("next", "out_of_range")]
    other = {"key_id": "bbbqeaye", "sources": ("acme-*",)}
    assert ask("GET /constraints", path={}, query={"next": token}, scope=other).faults == [("next", "out_of_range")]


@pytest.mark.parametrize(("length", "is_taken"), [(MAX_SCOPE_BYTES, True), (MAX_SCOPE_BYTES + 1, False)])
def test_a_token_that_was_made_up_leads_to_no_scope_that_no_table_looks_for(
    ask: Ask, length: int, is_taken: bool
) -> None:
    made_up = digest_of(ConstraintsQuery(), a_grant()) + "iot/".ljust(length, "x")

    answer = ask("GET /constraints", path={}, query={"next": urlsafe_b64encode(made_up.encode()).decode().rstrip("=")})

    if is_taken:
        assert (answer.status, answer.body) == (200, {"constraints": [], "next": None})
    else:
        assert answer.faults == [("next", "out_of_range")]


def test_a_key_that_no_table_takes_is_refused(world: World, ask: Ask) -> None:
    longest = "\U0001f525" * 128
    path = {"domain": "iot", "source_id": longest, "stream_id": longest}

    assert ask(f"PUT {STREAM}", ENTRY, path=path).faults == [("key", "too_long")]
    many = ask("POST /constraints", [{"key": f"iot/{longest}/{longest}"}], path={})
    assert many.faults == [("key", "too_long")]
    assert ask(f"PUT {STREAM}", ENTRY, path={**path, "stream_id": longest[:-2]}).status == 201
    assert len(list(world.constraints.list())) == 1


@pytest.mark.parametrize(
    ("query", "missing"), [("domain=health", "domain:health"), ("domain=iot&source_id=furnace-1", "source:furnace-1")]
)
def test_what_is_listed_by_name_has_to_be_within_reach(ask: Ask, query: str, missing: str) -> None:
    answer = ask("GET /constraints", path={}, query=query, scope={"domains": ("iot",), "sources": ("acme-*",)})
    assert (answer.problem, answer.body["missing_scope"]) == ((403, "forbidden"), missing)


# --- history ---------------------------------------------------------------------------------------------------------


def test_the_history_is_shown_in_pages_the_newest_change_first(world: World, ask: Ask) -> None:
    world.constraints.put(SCOPE, a_config(source_id="furnace-1", stream_id="temperature", max_value=1))
    world.constraints.delete(SCOPE)
    ask(f"POST {STREAM}/rollback", {"version": 1})

    entry = {"key": SCOPE, "value_constraints": {"max_value": 1.0}}
    restored = {"version": 3, "kind": "roll_back", "at": NOW, "by": "key:aaaqeaye", "restored": 1, "constraints": entry}
    deleted = {"version": 2, "kind": "delete", "at": NOW, "by": "migrate", "constraints": None}
    put = {"version": 1, "kind": "put", "at": NOW, "by": "migrate", "constraints": entry}
    assert ask(f"GET {STREAM}/history").body == {"key": SCOPE, "changes": [restored, deleted, put], "next": None}
    first = ask(f"GET {STREAM}/history", query="limit=2").body
    assert (first["changes"], first["next"]) == ([restored, deleted], 2)
    assert ask(f"GET {STREAM}/history", query="limit=2&before=2").body == {"key": SCOPE, "changes": [put], "next": None}
    assert ask(f"GET {STREAM}/history", query="before=1").body["changes"] == []


def test_what_never_had_constraints_has_no_history(ask: Ask) -> None:
    assert ask(f"GET {STREAM}/history").problem == (404, "not_found")
    assert ask(f"POST {STREAM}/rollback", {"version": 1}).problem == (404, "not_found")


def test_going_back_puts_an_earlier_version_into_force(world: World, ask: Ask) -> None:
    world.constraints.put("iot#wind", a_config(max_value=1))
    world.constraints.put("iot#wind", a_config(max_value=2))

    answer = ask(f"POST {TEMPLATE}/rollback", {"version": 1}, path={"domain": "iot"}, query="stream_type=wind")

    assert (answer.status, answer.headers["etag"]) == (200, '"3"')
    assert answer.body["value_constraints"] == {"max_value": 1.0}
    assert present(world, "iot#wind") == (3, a_config(max_value=1))


@pytest.mark.parametrize(
    ("body", "field", "code"),
    [
        ({}, "version", "missing"),
        ({"version": "1"}, "version", "wrong_type"),
        ({"version": True}, "version", "wrong_type"),
        ({"version": 1.0}, "version", "wrong_type"),
        ({"version": 0}, "version", "out_of_range"),
        ({"version": 2**80}, "version", "out_of_range"),
        ({"version": 1, "force": True}, "force", "unknown_field"),
    ],
)
def test_a_way_back_needs_a_version(ask: Ask, body: object, field: str, code: str) -> None:
    assert ask(f"POST {STREAM}/rollback", body).faults == [(field, code)]


def test_a_version_that_cannot_hold_today_is_not_rolled_back_to(world: World, ask: Ask) -> None:
    config = {"value_constraints": {"warning_min": 2.0, "alert_max": 1.0}}
    world.constraints._changes[SCOPE] = [
        ConstraintsChange(version=1, kind=ChangeKind.PUT, at=NOW, by="migrate", config=config),
        ConstraintsChange(version=2, kind=ChangeKind.DELETE, at=NOW, by="migrate"),
    ]

    answer = ask(f"POST {STREAM}/rollback", {"version": 1})
    assert answer.problem == (409, "version_cannot_hold")
    assert [error["field"] for error in answer.body["errors"]] == ["value_constraints.warning_min"]
    assert ask(f"POST {STREAM}/rollback", {"version": 2}).problem == (409, "version_cannot_hold")
    assert ask(f"POST {STREAM}/rollback", {"version": 3}).problem == (404, "not_found")


def test_while_the_table_is_unavailable_the_answer_is_503(world: World, ask: Ask) -> None:
    def away() -> None:
        raise UnavailableError("DynamoDB table constraints: InternalServerError")

    world.before_writing = away
    answer = ask(f"PUT {STREAM}", ENTRY)
    assert answer.problem == (503, "unavailable")
    assert int(answer.headers["retry-after"]) > 0
