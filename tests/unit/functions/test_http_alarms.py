"""The route of alarms, on events as API Gateway hands them over."""

import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import msgspec
import pytest

import http_admin.handler
from afluente.adapters.http.alarms import MAX_PATTERN_LENGTH
from afluente.adapters.memory.alarms import MemoryAlarmLog
from afluente.application.access.grants import Action
from afluente.application.alarms.ports import AlarmLog, ReportedAlarm
from afluente.application.errors import UnavailableError
from afluente.runtime.http_admin import HttpAdmin, HttpAdminSettings
from tests.conformity import assert_documented
from tests.factories import DOMAINS, NOW, a_grant, an_alarm_event, some_rate_limits
from tests.unit.functions.conftest import CONTEXT

Event = dict[str, Any]
Ask = Callable[..., tuple[int, Any]]
ROUTE = "GET /alarms"


class LogThatIsAway:
    def pages(self, since_ms: int, until_ms: int) -> Iterator[Sequence[ReportedAlarm]]:
        raise UnavailableError("CloudWatch Logs: ThrottlingException")


class World:
    def __init__(self) -> None:
        self.log = MemoryAlarmLog()
        self.behind: AlarmLog = self.log

    def report(self, *sources: str, at: float = NOW - 60) -> None:
        """An alarm a source, a second apart."""
        for second, source in enumerate(sources):
            event = an_alarm_event(alarm_id=source, source_id=source, timestamp=NOW - 3600 + second)
            self.log.report(ReportedAlarm(int((at + second) * 1000), event))


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def ask(world: World, event: Callable[[str], Event], monkeypatch: pytest.MonkeyPatch) -> Ask:
    settings = HttpAdminSettings(
        domains=DOMAINS, constraints_table="memory", constraint_history_table="memory", alarm_log_group="memory"
    )

    def no_constraints(_by: str) -> Any:
        raise AssertionError("alarms have nothing to do with constraints")

    monkeypatch.setattr("http_admin.alarms_routes.time.time", lambda: NOW)

    def to(parameters: dict[str, str] | None = None, **scope: Any) -> tuple[int, Any]:
        asked = event("http_api_health") | {"routeKey": ROUTE, "queryStringParameters": parameters}
        grant = msgspec.json.encode(a_grant(**scope)).decode()
        asked["requestContext"] = asked["requestContext"] | {"authorizer": {"lambda": {"grant": grant}}}
        function = HttpAdmin(settings, no_constraints, world.behind, some_rate_limits(), front=None)
        answer = http_admin.handler.handle(asked, CONTEXT, function)
        body = json.loads(answer["body"])
        headers = {name.lower(): value for name, value in answer["headers"].items()}
        assert_documented(ROUTE, answer["statusCode"], headers, body)
        return answer["statusCode"], body

    return to


def test_alarms_are_listed_as_they_were_published_with_the_time_of_their_report(ask: Ask, world: World) -> None:
    world.report("oven-1")

    status, body = ask()

    event = msgspec.to_builtins(an_alarm_event(alarm_id="oven-1", source_id="oven-1", timestamp=NOW - 3600))
    assert (status, body) == (200, {"alarms": [event | {"reported_at": NOW - 60}], "next": None})


def test_half_a_character_in_the_name_of_a_parameter_is_rendered_as_an_escape(ask: Ask) -> None:
    status, body = ask({"next\udcb9": "1"})

    assert (status, body["code"]) == (400, "invalid_request")
    assert [(fault["field"], fault["code"]) for fault in body["errors"]] == [("next\\udcb9", "unknown_field")]


def test_without_a_time_it_is_the_last_day(ask: Ask, world: World) -> None:
    for source, at in (("old", NOW - 86_401), ("day", NOW - 86_400), ("new", NOW - 0.001), ("future", NOW)):
        world.report(source, at=at)

    assert sources(ask()[1]) == ["day", "new"]
    assert sources(ask({"since": "0"})[1]) == ["old", "day", "new"]
    assert sources(ask({"since": str(NOW - 90_000), "until": str(NOW - 86_400)})[1]) == ["old"]


def test_pages_lead_on_to_each_other(ask: Ask, world: World) -> None:
    world.report("a", "b", "c")

    first = ask({"limit": "2"})[1]
    second = ask({"limit": "2", "next": first["next"]})[1]

    assert (sources(first), sources(second), second["next"]) == (["a", "b"], ["c"], None)


def test_a_key_lists_alarms_of_its_own_sources_alone(ask: Ask, world: World) -> None:
    world.report("acme-1", "zeta-1", "acme-2")

    assert sources(ask(sources=("acme-*",))[1]) == ["acme-1", "acme-2"]
    assert ask({"domain": "health"}, domains=("health",))[1] == {"alarms": [], "next": None}


@pytest.mark.parametrize(
    ("parameters", "scope", "missing"),
    [
        ({}, {"actions": (Action.INGEST, Action.JOBS)}, "action:alarms"),
        ({"domain": "iot"}, {"domains": ("health",)}, "domain:iot"),
        # Whether such a domain or source is there is told to nobody who does not reach it.
        ({"domain": "space"}, {"domains": ("health",)}, "domain:space"),
        ({"source_id": "zeta-1"}, {"sources": ("acme-*",)}, "source:zeta-1"),
    ],
)
def test_the_missing_scope_of_a_key_is_named(
    ask: Ask, world: World, parameters: dict[str, str], scope: dict[str, Any], missing: str
) -> None:
    world.report("zeta-1")

    status, body = ask(parameters, **scope)

    assert (status, body["code"], body["missing_scope"]) == (403, "forbidden", missing)


@pytest.mark.parametrize(
    ("parameters", "field"),
    [
        ({"domain": "I"}, "domain"),
        ({"source_id": "a/b"}, "source_id"),
        ({"stream_id": ""}, "stream_id"),
        ({"key": ""}, "key"),
        ({"key": "x" * (MAX_PATTERN_LENGTH + 1)}, "key"),
        ({"state": "standing"}, "state"),
        ({"since": "yesterday"}, "since"),
        ({"since": "nan"}, "since"),
        ({"since": "-1"}, "since"),
        ({"since": "1_0"}, "since"),
        ({"since": " 1"}, "since"),
        ({"since": "\u0661"}, "since"),
        ({"until": "1e999"}, "until"),
        ({"until": "1e300"}, "until"),
        ({"since": "5", "until": "5"}, "since"),
        ({"limit": "0"}, "limit"),
        ({"limit": "501"}, "limit"),
        ({"limit": "\u0665"}, "limit"),
        ({"next": "5"}, "next"),
        ({"next": "1700000000-1\n"}, "next"),
        ({"before": "5"}, "before"),
    ],
)
def test_a_wrong_parameter_is_named(ask: Ask, parameters: dict[str, str], field: str) -> None:
    status, body = ask(parameters)

    assert (status, body["code"]) == (400, "invalid_request")
    assert [error["field"] for error in body["errors"]] == [field]


def test_all_faults_of_a_query_are_named_at_once(ask: Ask) -> None:
    _, body = ask({"domain": "I", "limit": "0", "state": "x", "any": ""})

    assert [error["field"] for error in body["errors"]] == ["any", "domain", "state", "limit"]


def test_while_the_log_is_unavailable_the_answer_is_503(ask: Ask, world: World) -> None:
    world.behind = LogThatIsAway()

    status, body = ask()

    assert (status, body["code"]) == (503, "unavailable")
    assert "CloudWatch" not in body["detail"]


def sources(body: Any) -> list[str]:
    return [alarm["source_id"] for alarm in body["alarms"]]
