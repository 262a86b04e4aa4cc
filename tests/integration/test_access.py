"""Nobody gets in where they do not belong: the list of docs/reference/access.md, walked through a running stack.

Each route, message, topic and command is tried with no key, a wrong one, a revoked one, an expired one, another
tenant's, one for everything else, and the right one.
"""

import json
import re
import secrets
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
from websockets.sync.client import ClientConnection

from afluente.application.access.api_keys import KEY_RANDOM_BYTES, id_in, new_key
from afluente.application.access.grants import Action
from cli.access.stores import keys_of
from cli.devices import devices
from tests.access_list import Need, entries_of
from tests.integration.cli.conftest import Afluente, Done
from tests.senders import ACCEPTED, REFUSED, authenticate, device_client, is_closed, open_websocket
from tests.stack import PATIENCE_SECONDS, LocalStack

pytestmark = pytest.mark.integration

ROUTES = entries_of("HTTP")
KEYED = [what for what, entry in ROUTES.items() if entry.actions]
OPEN = [what for what, entry in ROUTES.items() if not entry.actions]
COMMANDS = entries_of("Commands")

POINT = {"stream_id": "t", "value": 20.5, "timestamp": 1_700_000_000}
CSV = b"time,t\n2023-11-14T22:00:00Z,20.5\n"
UNKNOWN_JOB = "0" * 24


@dataclass
class Asked:
    """A request."""

    method: str
    path: str
    arguments: dict[str, Any] = field(default_factory=dict)


class Customers:
    """Two customers who share a domain, and a source of each that nobody else has."""

    def __init__(self, stack: LocalStack) -> None:
        self.stack = stack
        self._name = secrets.token_hex(3)
        self.own = f"acme-{self._name}-1"
        self.other = f"zeta-{self._name}-1"
        # Of streams of a type that no other test has.
        self.stream_type = f"type-{self._name}"
        # Devices of the old service are called by UUIDs.
        self.device = str(uuid.uuid4())

    def key(self, tenant: str = "acme", **scope: Any) -> str:
        """A key of a tenant that may do everything there, unless `scope` limits it."""
        sources = (f"{tenant}-*", *([self.device] if tenant == "acme" else []))
        return self.stack.create_key(**({"tenant": tenant, "domains": ("iot",), "sources": sources} | scope))

    def source_for(self, route: str) -> str:
        """The source that a request to a route is about."""
        return self.device if "packets" in route else self.own

    def right_key(self, route: str, **scope: Any) -> str:
        """A key that may do what a route does, and nothing beyond: templates are of whole domains."""
        usual: dict[str, Any] = {"actions": tuple(map(Action, ROUTES[route].actions))}
        if is_of_templates(route):
            usual["sources"] = ("*",)
        return self.key(**(usual | scope))

    def ask(self, asked: Asked, key: str | None) -> httpx.Response:
        headers = {} if key is None else {"X-API-Key": key}
        return self.stack.http.request(
            asked.method, self.stack.target.api_url + asked.path, headers=headers, **asked.arguments
        )

    def asked(self, route: str) -> Asked:
        """A good request to a route, for which all is there that it is about."""
        method, path = route.split()
        source = self.source_for(route)
        scope = f"iot/{source}/t"
        if "{job_id}" in path:
            job = self.job(source)
            body = {"json": {"size": len(CSV)}} if method == "POST" else {}
            return Asked(method, path.replace("{job_id}", job), body)
        if path.startswith("/constraints/"):
            self.constrain(source)
            rest = path.rpartition("}")[2]
            template = {"params": {"stream_type": self.stream_type}} if is_of_templates(route) else {}
            body = {"PUT": {"json": {"cooldown_seconds": 7}}, "POST": {"json": {"version": 1}}}.get(method, {})
            place = "/constraints/iot" if is_of_templates(route) else f"/constraints/{scope}"
            return Asked(method, place + rest, {**template, **body})
        about = {"domain": "iot", "source_id": source}
        return {
            "POST /ingest/datapoints": Asked(method, path, {"json": {**about, "datapoints": [POINT]}}),
            "POST /ingest/packets": Asked(
                method, path, {"json": {"device_uuid": source, "readings": [{"sensor_id": 1, "value": 2}]}}
            ),
            "POST /ingest/csv": Asked(method, path, {"data": about, "files": {"file": ("f.csv", CSV, "text/csv")}}),
            "POST /ingest/csv/uploads": Asked(method, path, {"json": {**about, "file": "f.csv"}}),
            "GET /ingest/csv": Asked(method, path, {"params": about}),
            "GET /constraints": Asked(method, path, {"params": about}),
            "POST /constraints": Asked(method, path, {"json": [{"key": scope, "cooldown_seconds": 9}]}),
            "GET /alarms": Asked(method, path, {"params": about}),
        }[route]

    def job(self, source: str) -> str:
        """A job of a source that awaits its file."""
        body = {"domain": "iot", "source_id": source, "file": "f.csv"}
        answer = self.ask(Asked("POST", "/ingest/csv/uploads", {"json": body}), self.stack.api_key)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["job_id"])

    def constrain(self, source: str) -> None:
        """Constraints of a stream and of a template, both with a history."""
        for cooldown in (5, 6):
            body = [
                {"key": f"iot/{source}/t", "cooldown_seconds": cooldown},
                {"domain": "iot", "stream_type": self.stream_type, "cooldown_seconds": cooldown},
            ]
            answer = self.ask(Asked("POST", "/constraints", {"json": body}), self.stack.api_key)
            assert answer.status_code == 200, answer.text


def is_of_templates(route: str) -> bool:
    return "/constraints/{domain}" in route and "{stream_id}" not in route


def is_of_a_job(route: str) -> bool:
    return "{job_id}" in route


@pytest.fixture(scope="module")
def customers(local_stack: LocalStack) -> Customers:
    return Customers(local_stack)


def unknown_key() -> str:
    """One of the right form that nobody has made."""
    return new_key("nobody", random=secrets.token_bytes(KEY_RANDOM_BYTES), pepper="another", now=0)[0]


def known_id_with_another_secret(key: str) -> str:
    """A key whose readable part is that of another."""
    random = bytearray(secrets.token_bytes(KEY_RANDOM_BYTES))
    made, _ = new_key("forged", random=bytes(random), pepper="another", now=0)
    # The checksum has to fit, so that only the secret is wrong.
    import base64  # noqa: PLC0415
    import zlib  # noqa: PLC0415

    start = f"afl_{id_in(key)}_{made.split('_', 2)[2][:43]}"
    return start + base64.urlsafe_b64encode(zlib.crc32(start.encode()).to_bytes(4, "big")).decode().rstrip("=")


def revoke(stack: LocalStack, key: str) -> None:
    keys = keys_of(stack.target)
    found = keys.find(str(id_in(key)))
    assert found is not None
    keys.put(msgspec.structs.replace(found, revoked_at=time.time()), replacing=found)


def revoked_key(customers: Customers, route: str) -> str:
    key = customers.right_key(route)
    revoke(customers.stack, key)
    return key


def expired_key(customers: Customers, route: str) -> str:
    return customers.right_key(route, expires_at=time.time() - 1)


BAD_KEYS: dict[str, Callable[[Customers, str], str]] = {
    "of no form": lambda _customers, _route: "let me in",
    "with a wrong checksum": lambda _customers, _route: unknown_key()[:-1] + "#",
    "that nobody made": lambda _customers, _route: unknown_key(),
    "with another's id": lambda customers, route: known_id_with_another_secret(customers.right_key(route)),
    "that is revoked": revoked_key,
    "that is expired": expired_key,
}


# --- HTTP ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("route", KEYED)
def test_without_a_key_api_gateway_lets_nobody_through(customers: Customers, route: str) -> None:
    answer = customers.ask(customers.asked(route), None)

    assert (answer.status_code, answer.json()) == (401, {"message": "Unauthorized"})


def exhaustive(cases: Iterable[str]) -> list[Any]:
    """Cases of the same behaviour as another one, each by a route of its own."""
    return [pytest.param(case, marks=pytest.mark.exhaustive) for case in cases]


def each_with_one_of(routes: Sequence[str], kinds: Iterable[str]) -> list[Any]:
    """Each route with one of the kinds, each kind with some route; all pairs of them where tests are exhaustive."""
    names = list(kinds)
    return [
        pytest.param(route, kind, marks=() if place % len(names) == other else pytest.mark.exhaustive)
        for place, route in enumerate(routes)
        for other, kind in enumerate(names)
    ]


@pytest.mark.parametrize(("route", "bad"), each_with_one_of(KEYED, BAD_KEYS))
def test_a_bad_key_opens_no_route(customers: Customers, route: str, bad: str) -> None:
    key = BAD_KEYS[bad](customers, route)

    answer = customers.ask(customers.asked(route), key)

    assert (answer.status_code, answer.json()["code"]) == (401, "unauthorized")
    assert key not in answer.text


@pytest.mark.parametrize("route", [KEYED[0], *exhaustive(KEYED[1:])])
def test_all_bad_keys_are_answered_alike(customers: Customers, route: str) -> None:
    asked = customers.asked(route)

    answers = {comparable(customers.ask(asked, make(customers, route))) for make in BAD_KEYS.values()}

    assert len(answers) == 1


@pytest.mark.parametrize("route", KEYED)
def test_a_key_for_everything_else_lacks_the_action(customers: Customers, route: str) -> None:
    [action] = ROUTES[route].actions
    others = tuple(other for other in Action if other != action)

    answer = customers.ask(customers.asked(route), customers.right_key(route, actions=others))

    assert (answer.status_code, answer.json()["missing_scope"]) == (403, f"action:{action}")


@pytest.mark.parametrize("route", KEYED)
def test_another_tenants_key_is_answered_with_the_missing_scope_or_an_unknown_job(
    customers: Customers, route: str
) -> None:
    answer = customers.ask(customers.asked(route), customers.key("zeta"))

    if is_of_a_job(route):
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    else:
        missing = "source:*" if is_of_templates(route) else f"source:{customers.source_for(route)}"
        assert (answer.status_code, answer.json()["missing_scope"]) == (403, missing)


@pytest.mark.parametrize("route", [route for route in KEYED if not is_of_templates(route)])
def test_another_tenants_key_cannot_tell_what_is_there_from_what_is_not(customers: Customers, route: str) -> None:
    key = customers.key("zeta")
    there = customers.source_for(route)
    nowhere = str(uuid.uuid4()) if there == customers.device else f"acme-{secrets.token_hex(3)}-9"
    asked = customers.asked(route)
    if is_of_a_job(route):
        job = re.search(r"[0-9a-f]{24}", asked.path)
        assert job is not None
        absent = replace(asked, path=asked.path.replace(job[0], UNKNOWN_JOB))
        names = (job[0], UNKNOWN_JOB)
    else:
        absent = Asked(asked.method, asked.path.replace(there, nowhere), renamed_in(asked.arguments, there, nowhere))
        names = (there, nowhere)

    answers = [customers.ask(one, key) for one in (asked, absent)]

    assert comparable(answers[0], names[0]) == comparable(answers[1], names[1])


# A job has an id alone: test_tenancy.py guesses some.
@pytest.mark.parametrize("route", [route for route in KEYED if not is_of_a_job(route)])
def test_another_domain_is_out_of_reach_as_one_that_is_not_there(customers: Customers, route: str) -> None:
    key = customers.right_key(route, domains=("finance",), sources=("*",))
    asked = customers.asked(route)
    absent = Asked(
        asked.method, asked.path.replace("/iot", "/space"), renamed_in(asked.arguments, r"^iot(?=/|$)", "space")
    )
    if "packets" in route:
        absent = asked

    answers = [customers.ask(one, key) for one in (asked, absent)]

    assert answers[0].json()["missing_scope"] == "domain:iot"
    assert comparable(answers[0], '"iot"', ":iot") == comparable(answers[1], '"space"', ":space", '"iot"', ":iot")


@pytest.mark.parametrize("route", KEYED)
def test_the_right_key_is_let_through(customers: Customers, route: str) -> None:
    answer = customers.ask(customers.asked(route), customers.right_key(route))

    assert answer.is_success, answer.text


@pytest.mark.parametrize("route", OPEN)
def test_what_is_open_asks_nobody_for_a_key(customers: Customers, route: str) -> None:
    method, path = route.split()

    without, with_a_bad_one = (customers.ask(Asked(method, path), key) for key in (None, "let me in"))

    assert (without.status_code, with_a_bad_one.status_code) == (200, 200)
    assert without.content == with_a_bad_one.content


def test_a_route_that_is_not_there_says_nothing_of_keys(customers: Customers) -> None:
    asked = Asked("GET", "/keys")

    assert {
        comparable(customers.ask(asked, key)) for key in (None, "let me in", customers.key(), customers.stack.api_key)
    } == {comparable(customers.ask(asked, None))}


def test_a_revoked_key_is_refused_once_the_cached_authorization_has_expired(customers: Customers) -> None:
    route = "POST /ingest/datapoints"
    key, asked = customers.right_key(route), customers.asked(route)
    # The sum of both times is less than 60 s as deployed: test_access_list.py.
    with (
        customers.stack.configured("http_authorizer", AFLUENTE_KEY_TTL_SECONDS="0.2"),
        cached_by_api_gateway(customers.stack, seconds=1),
    ):
        assert customers.ask(asked, key).status_code == 202
        revoke(customers.stack, key)
        refused = customers.stack.eventually(
            lambda: customers.ask(asked, key).status_code == 401, "the key is refused", within=PATIENCE_SECONDS
        )

    assert refused


@contextmanager
def cached_by_api_gateway(stack: LocalStack, *, seconds: int) -> Iterator[None]:
    """Let API Gateway cache authorizations for so many seconds, for the block."""
    gateway, api_id = stack.client("apigatewayv2"), stack.target["HttpApiId"]
    [authorizer] = gateway.get_authorizers(ApiId=api_id)["Items"]

    def cache_for(ttl: int) -> None:
        gateway.update_authorizer(
            ApiId=api_id, AuthorizerId=authorizer["AuthorizerId"], AuthorizerResultTtlInSeconds=ttl
        )

    cache_for(seconds)
    try:
        yield
    finally:
        cache_for(authorizer["AuthorizerResultTtlInSeconds"])


# --- WebSocket -------------------------------------------------------------------------------------------------------


@pytest.fixture
def socket(local_stack: LocalStack) -> Iterator[ClientConnection]:
    with open_websocket(local_stack) as opened:
        yield opened


def say(socket: ClientConnection, message: object) -> Any:
    socket.send(json.dumps(message))
    return json.loads(socket.recv(timeout=PATIENCE_SECONDS))


def an_auth(customers: Customers, key: str | None, source: str | None = None) -> dict[str, Any]:
    return {"action": "auth", "domain": "iot", "source_id": source or customers.own, "api_key": key}


@pytest.mark.parametrize("message", [POINT, {"action": "ping"}, {"action": "auth"}], ids=["points", "ping", "auth"])
def test_without_a_key_no_message_is_accepted(socket: ClientConnection, message: object) -> None:
    error = say(socket, message)

    assert (error["code"], error["reason"]) == (1008, "unauthorized")
    assert is_closed(socket)


@pytest.mark.parametrize("bad", BAD_KEYS)
def test_a_bad_key_opens_no_websocket(customers: Customers, socket: ClientConnection, bad: str) -> None:
    key = BAD_KEYS[bad](customers, "POST /ingest/datapoints")

    error = say(socket, an_auth(customers, key))

    assert (error["code"], error["reason"]) == (1008, "unauthorized")
    assert key not in json.dumps(error)
    assert is_closed(socket)


@pytest.mark.parametrize(
    ("scope", "missing"),
    [
        ({"tenant": "zeta"}, "source:{own}"),
        ({"actions": tuple(action for action in Action if action != Action.INGEST)}, "action:ingest"),
        ({"domains": ("health",)}, "domain:iot"),
    ],
)
def test_a_key_without_the_scope_opens_no_websocket(
    customers: Customers, socket: ClientConnection, scope: dict[str, Any], missing: str
) -> None:
    error = say(socket, an_auth(customers, customers.key(**scope)))

    assert (error["code"], error["reason"]) == (1008, "forbidden")
    assert f"lacks the scope {missing.format(own=customers.own)}" in error["message"]
    assert is_closed(socket)


def test_the_right_key_opens_a_websocket_for_its_source_alone(customers: Customers, socket: ClientConnection) -> None:
    authenticate(socket, customers.right_key("POST /ingest/datapoints"), "iot", customers.own)

    assert say(socket, POINT)["status"] == "ok"
    assert say(socket, {"action": "ping"}) == {"type": "pong"}
    error = say(socket, {**POINT, "source_id": customers.other})
    assert (error["type"], error["reason"]) == ("error", "invalid_message")


# --- MQTT ------------------------------------------------------------------------------------------------------------


def test_the_right_certificate_publishes_for_its_source_and_for_no_other(customers: Customers, tmp_path: Path) -> None:
    name = f"device-{secrets.token_hex(3)}"
    devices.create(customers.stack.target, name, "iot", tmp_path / name)
    client = device_client(tmp_path / name)
    try:
        topics = {
            f"iot/{name}/t": ACCEPTED,
            f"iot/{customers.other}/t": REFUSED,
            f"health/{name}/t": REFUSED,
            "iot/sensors/1/readings": REFUSED,
        }
        came = {topic: publish(client, topic) for topic in topics}
    finally:
        client.stop()

    assert came == topics
    # No certificate, a revoked one, another's name: test_mqtt.py.


def publish(client: Any, topic: str) -> Any:
    from awscrt import mqtt5  # noqa: PLC0415

    packet = mqtt5.PublishPacket(topic=topic, payload=json.dumps(POINT).encode(), qos=mqtt5.QoS.AT_LEAST_ONCE)
    return client.publish(packet).result(PATIENCE_SECONDS).puback.reason_code


# --- commands --------------------------------------------------------------------------------------------------------


@pytest.fixture
def by_api(
    customers: Customers, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> Afluente:
    """Runs a command as a customer does: with an address, without AWS credentials and without a local stack."""
    import sys  # noqa: PLC0415

    from cli import main as command_line  # noqa: PLC0415

    for name in ("AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AFLUENTE_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AFLUENTE_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("AFLUENTE_URL", customers.stack.target.api_url)
    monkeypatch.setenv("AFLUENTE_WS_URL", customers.stack.target.websocket_url)
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str | Path) -> Done:
        monkeypatch.setattr(sys, "argv", ["afluente", *map(str, arguments)])
        capfd.readouterr()
        with pytest.raises(SystemExit) as ended:
            command_line.main()
        out, err = capfd.readouterr()
        assert isinstance(ended.value.code, int)
        return Done(ended.value.code, out, err)

    return run


OPERATORS = [what for what, entry in COMMANDS.items() if entry.rest == Need.OPERATORS]
WITH_A_KEY = [what for what, entry in COMMANDS.items() if entry.actions]

# What the operators' commands cannot do without.
ARGUMENTS: Mapping[str, tuple[str, ...]] = {
    "logs": ("classifier",),
    "domains add": ("water", "--template", "iot"),
    "domains remove": ("water",),
    "keys create": ("x",),
    "keys show": ("aaaaaaaa",),
    "keys rotate": ("aaaaaaaa",),
    "keys revoke": ("aaaaaaaa",),
    "tenants create": ("acme", "--domain", "iot"),
    "tenants show": ("acme",),
    "tenants remove": ("acme",),
    "tenants policy": ("acme",),
    "devices create": ("x", "--domain", "iot"),
    "devices revoke": ("x",),
    "migrate plan": ("--sql-url", "sqlite:///none.db"),
    "migrate run": ("--sql-url", "sqlite:///none.db"),
    "migrate verify": ("--sql-url", "sqlite:///none.db"),
    "migrate dual-write sync": ("--sql-url", "sqlite:///none.db"),
    "migrate canary set": ("--share", "5"),
}


@pytest.mark.parametrize("command", OPERATORS)
def test_the_operators_commands_do_nothing_over_the_api(by_api: Afluente, tmp_path: Path, command: str) -> None:
    done = by_api(*command.split(), *ARGUMENTS.get(command, ()))

    assert (done.code, "needs the operators' AWS credentials" in done.err) == (2, True), done.err
    assert list(tmp_path.iterdir()) == []


def a_command(customers: Customers, command: str, source: str, folder: Path) -> list[str]:
    """A command that a key is enough for, about a source; with all that it is about."""
    key, about = f"iot/{source}/t", ["--domain", "iot", "--source", source]
    table, rules = folder / "readings.csv", folder / "constraints.json"
    table.write_bytes(CSV)
    rules.write_text(json.dumps([{"key": key, "cooldown_seconds": 8}]))
    if command.startswith("constraints"):
        customers.constrain(source)
    arguments: dict[str, Callable[[], list[str]]] = {
        "alarms": list,
        "constraints apply": lambda: [str(rules)],
        "constraints list": list,
        "constraints rollback": lambda: [key, "1"],
        **dict.fromkeys(("constraints get", "constraints delete", "constraints history"), lambda: [key]),
        **dict.fromkeys(("send http", "send ws"), lambda: [*about, str(table)]),
        "csv send": lambda: [*about, "--no-wait", str(table)],
        "csv jobs": lambda: about,
        "csv rejects": lambda: [ended_job(customers, source)],
        **dict.fromkeys(("csv job", "csv cancel"), lambda: [customers.job(source)]),
    }
    return [*command.split(), *arguments[command]()]


def ended_job(customers: Customers, source: str) -> str:
    job = customers.job(source)
    assert customers.ask(Asked("DELETE", f"/ingest/csv/{job}"), customers.stack.api_key).status_code == 200
    return job


@pytest.mark.parametrize("command", WITH_A_KEY)
def test_a_command_over_the_api_needs_a_key(
    customers: Customers, by_api: Afluente, tmp_path: Path, command: str
) -> None:
    done = by_api(*a_command(customers, command, customers.own, tmp_path))

    assert (done.code, "an API key is needed" in done.err) == (2, True), done.err


@pytest.mark.parametrize("command", WITH_A_KEY)
def test_a_command_with_a_key_of_its_actions_does_its_work(
    customers: Customers, by_api: Afluente, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    monkeypatch.setenv("AFLUENTE_API_KEY", customers.key(actions=tuple(map(Action, COMMANDS[command].actions))))

    done = by_api(*a_command(customers, command, customers.own, tmp_path))

    assert done.code == 0, done.err


@pytest.mark.parametrize(
    ("command", "action"), [(command, action) for command in WITH_A_KEY for action in COMMANDS[command].actions]
)
def test_a_command_with_a_key_for_everything_else_is_refused(  # noqa: PLR0917 - fixtures
    customers: Customers, by_api: Afluente, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str, action: str
) -> None:
    others = tuple(other for other in Action if other != action)
    monkeypatch.setenv("AFLUENTE_API_KEY", customers.key(actions=others))

    done = by_api(*a_command(customers, command, customers.own, tmp_path))

    assert (done.code, f"action:{action}" in done.err) == (1, True), done.err


@pytest.mark.parametrize("command", WITH_A_KEY)
def test_a_command_with_another_tenants_key_finds_and_changes_nothing(
    customers: Customers, by_api: Afluente, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    monkeypatch.setenv("AFLUENTE_API_KEY", customers.key("zeta"))

    done = by_api(*a_command(customers, command, customers.own, tmp_path))

    if command in {"alarms", "constraints list"}:
        assert (done.code, customers.own in done.out) == (0, False)
    else:
        assert done.code == 1, done.err
        assert f"source:{customers.own}" in done.err or "there is no job" in done.err


@pytest.mark.parametrize("command", WITH_A_KEY)
def test_a_command_with_a_wrong_key_is_refused(
    customers: Customers, by_api: Afluente, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    key = unknown_key()
    monkeypatch.setenv("AFLUENTE_API_KEY", key)

    done = by_api(*a_command(customers, command, customers.own, tmp_path))

    assert done.code == 1, done.err
    assert "unknown, expired or revoked" in done.err
    assert key not in done.out + done.err


# --- helpers ---------------------------------------------------------------------------------------------------------


def comparable(answer: httpx.Response, *names: str) -> str:
    """An answer without the parts of this request alone: its id, the key's, and the names in the request."""
    text = answer.text
    for name in names:
        text = text.replace(name, "NAME")
    if answer.headers["content-type"].startswith("application/problem+json"):
        text = text.replace(answer.json()["request_id"], "REQUEST")
    headers = {name for name in answer.headers if not name.startswith("ratelimit")}
    return f"{answer.status_code} {sorted(headers)} {text}"


def renamed_in(arguments: Mapping[str, Any], pattern: str, name: str) -> dict[str, Any]:
    """The arguments of a request with another name in place of a pattern; a file stays as it is."""

    def renamed(value: Any) -> Any:
        match value:
            case str():
                return re.sub(pattern, name, value)
            case dict():
                return {key: renamed(each) for key, each in value.items()}
            case list():
                return [renamed(each) for each in value]
            case _:
                return value

    return {part: value if part == "files" else renamed(value) for part, value in arguments.items()}
