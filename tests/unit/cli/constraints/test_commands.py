"""`afluente constraints …` as a person calls it, against the function that answers, behind a small gateway."""

import json
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import msgspec
import pytest

import http_admin.handler
from afluente.adapters.memory.alarms import MemoryAlarmLog
from afluente.adapters.memory.constraints import MemoryConstraints
from afluente.adapters.memory.limits import MemoryLimits
from afluente.application.limits.limiter import Limiter
from afluente.application.limits.rate_limits import RateLimits
from afluente.application.limits.stage_limits import StageLimits
from afluente.domain.constraints import VersionedConfig
from afluente.runtime.core.observability import logger
from afluente.runtime.http_admin import HttpAdmin, HttpAdminSettings
from cli import main as command_line
from cli.core.errors import ExitCode
from tests.conformity import route_of
from tests.factories import DOMAINS, NOW, Clock, a_config, a_grant
from tests.unit.functions.conftest import CONTEXT

Afluente = Callable[..., "CommandResult"]
SCOPE = "iot/furnace-7/what? 100% ü"


class CommandResult(msgspec.Struct, frozen=True):
    """A command's output and exit code."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        return json.loads(self.out)

    @property
    def text(self) -> str:
        """The whole output as one line, at any width of the screen."""
        return " ".join(f"{self.out} {self.err}".split())


class World:
    """The constraints behind the function, and how it is spoken to."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.constraints = MemoryConstraints(self.clock, by="migrate")
        self.scope: dict[str, Any] = {}
        self.requests: list[str] = []
        self.busy: list[int] = []
        self.unreadable = False
        settings = HttpAdminSettings(
            domains=DOMAINS, constraints_table="memory", constraint_history_table="memory", alarm_log_group="memory"
        )
        limiter = Limiter(MemoryLimits(), container="tests", fails_open=False, sleep=lambda _: None)
        limits = RateLimits(limiter, StageLimits())
        self.function = HttpAdmin(settings, self.constraints.written_by, MemoryAlarmLog(), limits, front=None)

    def present(self, scope: str) -> VersionedConfig | None:
        return self.constraints.fetch([scope]).get(scope)


@pytest.fixture(scope="module", autouse=True)
def _logger_on_the_real_output() -> None:
    """The logger keeps the output that it first finds, which is not to be that of a command."""
    logger()


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def url(world: World) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _gateway(world))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def afluente(url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Afluente:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("cli.core.retry.delay", lambda _: 0.0)

    def run(*words: str | Path) -> CommandResult:
        arguments = [*map(str, words), "--url", url, "--key", "the-key"]
        monkeypatch.setattr(sys, "argv", ["afluente", "constraints", *arguments])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            command_line.main()
        captured = capsys.readouterr()
        # The API is in this process, too, and writes its metrics.
        written = [line for line in captured.out.splitlines(keepends=True) if not line.startswith('{"_aws"')]
        return CommandResult(int(ended.value.code or 0), "".join(written), captured.err)

    return run


def _gateway(world: World) -> type[BaseHTTPRequestHandler]:
    """Turns requests into events and results into answers, as API Gateway does."""

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            path, _, query = self.path.partition("?")
            world.requests.append(f"{self.command} {self.path}")
            if world.busy:
                self._reply(world.busy.pop(0), {"retry-after": "0"}, b"{}")
            elif world.unreadable:
                self._reply(200, {}, b"<html>")
            else:
                answer = http_admin.handler.handle(self._event(path, query, body.decode()), CONTEXT, world.function)
                self._reply(answer["statusCode"], answer["headers"], answer["body"].encode())

        def _event(self, path: str, query: str, body: str) -> dict[str, Any]:
            route = route_of(self.command, path)
            names = [part.strip("{}") if part.startswith("{") else None for part in route.split()[1].split("/")]
            parts = {name: unquote(part) for name, part in zip(names, path.split("/"), strict=True) if name}
            grant = msgspec.json.encode(a_grant(**world.scope)).decode()
            return {
                "routeKey": route,
                "rawPath": path,
                "rawQueryString": query,
                "pathParameters": parts,
                "headers": {name.lower(): value for name, value in self.headers.items()},
                "requestContext": {
                    "requestId": "request-1",
                    "timeEpoch": 1_700_000_000_000,
                    "http": {"method": self.command, "path": path, "sourceIp": "203.0.113.7"},
                    "authorizer": {"lambda": {"grant": grant}},
                },
                "body": body,
                "isBase64Encoded": False,
            }

        def _reply(self, status: int, headers: dict[str, str], body: bytes) -> None:
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_PUT = do_POST = do_DELETE = answer  # noqa: N815 - as the base class calls them

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - its name in the base class
            pass

    return Handler


def write(*entries: dict[str, Any]) -> Path:
    path = Path("constraints.json")
    path.write_text(json.dumps(entries))
    return path


# --- apply -----------------------------------------------------------------------------------------------------------


def test_applying_says_how_many_were_created_updated_and_unchanged(world: World, afluente: Afluente) -> None:
    first: dict[str, Any] = {"key": SCOPE, "value_constraints": {"max_value": 140}, "metadata": {"ticket": 4711}}
    assert afluente("apply", write(first, {"domain": "iot"})).out == "2 created, 0 updated, 0 unchanged\n"
    first["cooldown_seconds"] = 60
    last = {"domain": "iot", "stream_type": "wind", "rate_constraints": {"abs_delta": 1, "severity": "critical"}}
    applied = afluente("apply", write(first, {"domain": "iot"}, last), "--json")
    assert (applied.code, applied.document) == (0, {"created": 1, "updated": 1, "unchanged": 1})
    found = world.present(SCOPE)
    assert found is not None
    assert (found.version, found.config.cooldown_seconds, found.config.metadata) == (2, 60, {"ticket": 4711})
    assert world.constraints.history(SCOPE, limit=1)[0].by == "key:aaaqeaye"


def test_large_files_are_applied_in_parts(world: World, afluente: Afluente) -> None:
    entries = [{"key": f"iot/furnace-1/{number}"} for number in range(600)]
    assert afluente("apply", write(*entries)).out == "600 created, 0 updated, 0 unchanged\n"
    assert world.requests == ["POST /constraints"] * 3
    assert len(dict(world.constraints.list())) == 600


def test_a_file_with_a_fault_is_not_sent(world: World, afluente: Afluente) -> None:
    applied = afluente("apply", write({"domain": "iot"}, {"domain": "iot", "colour": 1}))
    assert applied.code == ExitCode.FAILED
    assert "1 of 2 entries have faults; nothing was written" in applied.text
    assert world.requests == []


def test_a_half_applied_file_is_reported_with_the_way_to_go_on(world: World, afluente: Afluente) -> None:
    world.scope = {"sources": ["furnace-1"]}
    entries = [{"key": f"iot/furnace-1/{number}"} for number in range(300)]
    applied = afluente("apply", write(*entries, {"key": "iot/furnace-2/1"}))
    assert applied.code == ExitCode.FAILED
    assert "250 of 301 entries are applied; then the service did not take the constraints: 403" in applied.text
    assert "source:furnace-2" in applied.text
    assert "the same command goes on" in applied.text
    assert len(dict(world.constraints.list())) == 250


def test_a_forbidden_scope_is_reported_by_name(world: World, afluente: Afluente) -> None:
    world.scope = {"domains": ["health"]}
    for command in (["apply", write({"domain": "iot"})], ["get", "iot"], ["delete", "iot"], ["history", "iot"]):
        done = afluente(*command)
        assert (done.code, "lacks the scope domain:iot" in done.text) == (ExitCode.FAILED, True)
        assert "ask the operators for a key that has the scope" in done.text


def test_a_service_that_is_busy_is_asked_again(world: World, afluente: Afluente) -> None:
    world.busy = [429, 503]
    assert afluente("apply", write({"domain": "iot"})).out == "1 created, 0 updated, 0 unchanged\n"
    assert len(world.requests) == 3


def test_an_unreadable_answer_is_reported_as_such(world: World, afluente: Afluente) -> None:
    world.unreadable = True
    assert "the service answered 200 with something unreadable" in afluente("get", "iot").text


# --- get, list, delete -----------------------------------------------------------------------------------------------


def test_constraints_are_shown_as_a_file_that_can_be_applied(world: World, afluente: Afluente) -> None:
    world.constraints.put(SCOPE, a_config(source_id="furnace-7", stream_id="what? 100% ü", max_value=140))
    shown = afluente("get", SCOPE)
    assert shown.out.startswith("# version 1\n- key: iot/furnace-7/what? 100% ü\n")
    Path("shown.yaml").write_text(shown.out)
    assert afluente("apply", "shown.yaml").out == "0 created, 0 updated, 1 unchanged\n"
    assert afluente("get", SCOPE, "--json").document == {
        "key": SCOPE,
        "value_constraints": {"max_value": 140.0},
        "version": 1,
    }


def test_constraints_are_listed_all_or_some(world: World, afluente: Afluente) -> None:
    assert "the key reaches no such constraints" in afluente("list").text
    for number in range(600):
        world.constraints.put(f"iot/furnace-{number % 2}/{number:03}", a_config(max_value=7_000_000_000))
    world.constraints.put("iot#wind", a_config(stream_type="wind"))
    world.constraints.put("health", a_config(cooldown_seconds=5))
    assert len(afluente("list", "--json").document) == 602
    assert len(afluente("list", "--domain", "iot", "--source", "furnace-1", "--json").document) == 300
    assert len(afluente("list", "--source", "furnace-*", "--json").document) == 600
    assert [entry["domain"] for entry in afluente("list", "--type", "wind", "--json").document] == ["iot"]
    table = afluente("list").out
    assert "max_value 7000000000" in table
    assert "5 s apart" in table


@pytest.mark.parametrize(("scope", "words"), [(SCOPE, [SCOPE]), ("iot#wind", ["iot", "--type", "wind"])])
def test_constraints_are_deleted(world: World, afluente: Afluente, scope: str, words: list[str]) -> None:
    world.constraints.put(scope, a_config())
    assert afluente("delete", *words).out == f"deleted the constraints of {scope}\n"
    assert world.present(scope) is None
    again = afluente("delete", *words)
    assert (again.code, again.out) == (ExitCode.FAILED, "")
    assert f"there are no constraints for {scope} → 'afluente constraints list' shows which are" in again.text
    assert afluente("get", *words).code == ExitCode.FAILED


def test_a_change_over_an_unseen_version_is_rejected_with_a_hint(world: World, afluente: Afluente) -> None:
    for limit in (1, 2):
        world.constraints.put("iot#wind", a_config(max_value=limit))
    for command in (["delete", "iot", "--type", "wind"], ["rollback", "iot", "1", "--type", "wind"]):
        done = afluente(*command, "--if-version", "1")
        assert done.code == ExitCode.FAILED
        assert "are of version 2 now" in done.text
        assert "'afluente constraints history iot --type wind' shows who changed them, and how" in done.text
    assert afluente("delete", "iot", "--type", "wind", "--if-version", "2").code == 0


# --- history and rollback --------------------------------------------------------------------------------------------


def test_the_history_says_who_changed_what_and_when(world: World, afluente: Afluente) -> None:
    world.constraints.put(SCOPE, a_config(max_value=105, min_value=0))
    world.clock.now += 60
    afluente("apply", write({"key": SCOPE, "value_constraints": {"max_value": 140.5}, "cooldown_seconds": 60}))
    afluente("delete", SCOPE)
    assert afluente("rollback", SCOPE, "1").out == f"{SCOPE} is as in version 1 again, in version 4\n"
    assert afluente("rollback", SCOPE, "4", "--json").document["version"] == 5

    shown = [" ".join(line.split()) for line in afluente("history", SCOPE).out.splitlines()]
    assert shown == [
        "version when who what",
        "5 2023-11-14T22:14:20.000Z key:aaaqeaye as in version 4",
        "4 2023-11-14T22:14:20.000Z key:aaaqeaye as in version 1",
        "value_constraints.min_value 0",
        "value_constraints.max_value 105",
        "3 2023-11-14T22:14:20.000Z key:aaaqeaye delete",
        "2 2023-11-14T22:14:20.000Z key:aaaqeaye put",
        "value_constraints.max_value 105 → 140.5",
        "cooldown_seconds 300 → 60",
        "value_constraints.min_value 0 → none",
        "1 2023-11-14T22:13:20.000Z migrate put",
        "value_constraints.min_value 0",
        "value_constraints.max_value 105",
    ]


def test_a_part_of_the_history_says_what_changed_in_all_of_it(world: World, afluente: Afluente) -> None:
    for limit in range(250):
        world.constraints.put("iot", a_config(max_value=limit))
    shown = afluente("history", "iot", "--limit", "2").out
    assert "value_constraints.max_value 247 → 248" in shown
    assert "246" not in shown
    changes = afluente("history", "iot", "--limit", "230", "--json").document
    assert [change["version"] for change in changes] == list(range(250, 20, -1))
    assert changes[0] == {
        "version": 250,
        "kind": "put",
        "at": NOW,
        "by": "migrate",
        "constraints": {"domain": "iot", "value_constraints": {"max_value": 249.0}},
        "restored": None,
    }


def test_a_version_that_there_is_not_or_that_is_a_deletion_is_no_way_back(world: World, afluente: Afluente) -> None:
    world.constraints.put("iot", a_config())
    world.constraints.delete("iot")
    missing = afluente("rollback", "iot", "7")
    assert (missing.code, "the history has no version 7 of iot" in missing.text) == (ExitCode.FAILED, True)
    assert "'afluente constraints history iot' shows which there are" in missing.text
    deletion = afluente("rollback", "iot", "2")
    assert (deletion.code, "is a deletion" in deletion.text) == (ExitCode.FAILED, True)
    assert afluente("history", "health").code == ExitCode.FAILED


# --- what applies to a stream -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("present", "words", "applying"),
    [
        (["iot", "iot#wind", "iot/a/b"], ["--type", "wind"], "iot/a/b"),
        (["iot", "iot#wind"], ["--type", "wind"], "iot#wind"),
        (["iot", "iot#wind"], [], "iot"),
        (["iot", "iot#wind"], ["--type", "sun"], "iot"),
    ],
)
def test_the_entry_that_applies_to_a_stream_is_shown(
    world: World, afluente: Afluente, present: list[str], words: list[str], applying: str
) -> None:
    for number, scope in enumerate(present):
        world.constraints.put(scope, a_config(max_value=number))

    shown = afluente("get", "iot/a/b", "--effective", *words)
    document = afluente("get", "iot/a/b", "--effective", *words, "--json").document

    assert shown.out.startswith(f"# iot/a/b is classified by {applying}\n# version 1\n- ")
    assert (document["key"], document["config_key"]) == ("iot/a/b", applying)
    assert document["constraints"]["value_constraints"] == {"max_value": present.index(applying)}


def test_a_stream_to_which_no_constraints_apply_is_said_to_be_normal(world: World, afluente: Afluente) -> None:
    world.constraints.put("iot#wind", a_config())

    result = afluente("get", "iot/a/b", "--effective")

    assert result.code == ExitCode.FAILED
    assert "no constraints apply to iot/a/b: there are none for iot/a/b, iot" in result.text
    assert "--type" in result.text
    assert "--type" not in afluente("get", "iot/a/b", "--effective", "--type", "sun").text


def test_only_a_stream_has_effective_constraints(afluente: Afluente) -> None:
    assert afluente("get", "iot", "--effective").code == ExitCode.USAGE


def test_a_key_that_does_not_reach_the_templates_is_told_so(world: World, afluente: Afluente) -> None:
    world.scope = {"sources": ("a",)}
    world.constraints.put("iot", a_config())

    result = afluente("get", "iot/a/b", "--effective")

    assert result.code != 0
    assert "no constraints apply" not in result.text
