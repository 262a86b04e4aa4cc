"""Two customers in one deployment see nothing of each other: tried as an attacker would who is one of them.

One pair shares the domain iot by the beginnings of their sources' names, another pair has a domain each. Mallory's
answers about things of others are compared with her answers about absent things: byte for byte, but for the names
that she sent herself.
"""

import json
import re
import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any, NamedTuple

import httpx
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection

from afluente.application.access.tenants import Tenant, tenant_faults
from cli.access.stores import tenants_of
from cli.core.errors import CommandError
from cli.devices import devices
from tests.integration.test_access import publish
from tests.outbox import Outbox
from tests.senders import ACCEPTED, REFUSED, authenticate, device_client, open_websocket
from tests.stack import PATIENCE_SECONDS, LocalStack

pytestmark = pytest.mark.integration

CSV = b"time,t\n2023-11-14T22:00:00Z,20.5\n"
OPEN_DOMAINS = {"iot", "infrastructure", "finance", "health"}


class Customer(NamedTuple):
    """A customer with a key to everything within its boundary."""

    name: str
    domain: str
    source: str
    key: str
    sources: str

    def owns(self, subject: Mapping[str, Any]) -> bool:
        """True if the subject of an answer is within the customer's boundary."""
        return subject["domain"] == self.domain and fnmatchcase(subject["source_id"], self.sources)


@dataclass
class Pair:
    """A victim, and an attacker who is a customer as well."""

    stack: LocalStack
    victim: Customer
    mallory: Customer

    def ask(self, method: str, path: str, **arguments: Any) -> httpx.Response:
        """As Mallory."""
        return self._ask(self.mallory.key, method, path, **arguments)

    def ask_as_victim(self, method: str, path: str, **arguments: Any) -> httpx.Response:
        return self._ask(self.victim.key, method, path, **arguments)

    def _ask(self, key: str, method: str, path: str, **arguments: Any) -> httpx.Response:
        url = path if "://" in path else self.stack.target.api_url + path
        return self.stack.http.request(
            method, url, headers={"X-API-Key": key, **arguments.pop("headers", {})}, **arguments
        )

    @property
    def nobody(self) -> str:
        """A source that nobody has, in the victim's domain, that begins as the victim's do."""
        return f"{self.victim.source.rsplit('-', 1)[0]}-{secrets.token_hex(4)}"

    def secrets_of_victim(self) -> set[str]:
        """Names and values that Mallory must find nowhere."""
        return {self.victim.name, self.victim.source, self.victim.key, self.victim.key.split("_")[1]}


def a_pair(stack: LocalStack, *, shared: bool) -> Pair:
    run = secrets.token_hex(3)
    customers = []
    for name, own_domain in (("victim", "health"), ("mallory", "finance")):
        tenant = f"{name}-{run}"
        domain = "iot" if shared else own_domain
        # In a domain of its own a customer may have all sources, those that other tests have sent from as well.
        sources = f"{tenant}-*" if shared else "*"
        key = stack.create_key(tenant=tenant, domains=(domain,), sources=(sources,))
        customers.append(Customer(tenant, domain, f"{tenant}-{secrets.token_hex(4)}", key, sources))
    return Pair(stack, *customers)


@pytest.fixture(scope="module", params=["one domain", "a domain each"])
def pair(request: pytest.FixtureRequest, local_stack: LocalStack) -> Pair:
    return a_pair(local_stack, shared=request.param == "one domain")


def points(domain: str | None, source: str | None) -> dict[str, Any]:
    body: dict[str, Any] = {"datapoints": [{"stream_id": "t", "value": 20.5, "timestamp": 1_700_000_000}]}
    return body | ({"domain": domain} if domain else {}) | ({"source_id": source} if source else {})


def comparable(answer: httpx.Response, *names: str) -> str:
    """An answer without the parts of this request alone, and without the names in the request."""
    text = answer.text
    for name in names:
        text = text.replace(name, "NAME")
    if "problem" in answer.headers["content-type"]:
        text = text.replace(answer.json()["request_id"], "REQUEST")
    headers = sorted(
        (name, value)
        for name, value in answer.headers.items()
        if name not in {"x-request-id", "date", "content-length", "apigw-requestid"}
        and not name.startswith("ratelimit")
    )
    return f"{answer.status_code} {headers} {text}"


def assert_alike(pair: Pair, ask: Callable[[str], httpx.Response], there: str, nowhere: str) -> httpx.Response:
    """Assert that a thing out of reach is answered as an absent one, and with nothing of the victim."""
    answers = [ask(there), ask(nowhere)]
    assert comparable(answers[0], there) == comparable(answers[1], nowhere)
    # The name that the asker gave begins as the victim's does.
    text = answers[0].text.replace(there, "NAME")
    leaked = {secret for secret in pair.secrets_of_victim() - {there} if secret in text}
    assert not leaked
    return answers[0]


# --- points ----------------------------------------------------------------------------------------------------------


WAYS_TO_NAME = {
    "in the body": lambda domain, source: {"json": points(domain, source)},
    "in headers": lambda domain, source: {
        "json": points(None, None),
        "headers": {"X-Domain": domain, "X-Source-ID": source},
    },
    "in the body, with headers of another's": lambda domain, source: {
        "json": points(domain, source),
        "headers": {"X-Forwarded-For": "127.0.0.1", "X-Tenant": "_", "X-Afluente-Grant": '{"sources":["*"]}'},
    },
}


@pytest.mark.parametrize("way", WAYS_TO_NAME)
def test_points_are_written_beyond_no_boundary(pair: Pair, outbox: Outbox, way: str) -> None:
    def send(source: str) -> httpx.Response:
        return pair.ask("POST", "/ingest/datapoints", **WAYS_TO_NAME[way](pair.victim.domain, source))

    assert pair.ask_as_victim(
        "POST", "/ingest/datapoints", json=points(pair.victim.domain, pair.victim.source)
    ).is_success
    refused = assert_alike(pair, send, pair.victim.source, pair.nobody)

    assert refused.status_code == 403
    pair.stack.drained()
    assert len(outbox.points(f"{pair.victim.domain}/{pair.victim.source}")) <= 1


@pytest.mark.parametrize(
    "disguise",
    [
        "{source} ",
        " {source}",
        "{source}\u200b",
        "{source}\n",
        "{mallory}/../{source}",
        "../{domain}/{source}",
        "{source}\x00",
        "{SOURCE}",
        "*",
        "{prefix}*",
        "_",
    ],
)
def test_a_source_in_disguise_is_not_the_victims(pair: Pair, outbox: Outbox, disguise: str) -> None:
    victim = pair.victim
    source = disguise.format(
        source=victim.source,
        SOURCE=victim.source.upper(),
        mallory=pair.mallory.source,
        domain=victim.domain,
        prefix=victim.name,
    )

    answer = pair.ask("POST", "/ingest/datapoints", json=points(victim.domain, source))

    assert answer.status_code in {400, 403}, answer.text
    pair.stack.drained()
    assert outbox.points(f"{victim.domain}/{source}") == []


def test_body_and_header_that_contradict_each_other_do_not_help(pair: Pair) -> None:
    for own_in_body in (True, False):
        places = [(pair.mallory.domain, pair.mallory.source), (pair.victim.domain, pair.victim.source)]
        (domain, source), (of_header, in_header) = places if own_in_body else places[::-1]
        answer = pair.ask(
            "POST",
            "/ingest/datapoints",
            json=points(domain, source),
            headers={"X-Domain": of_header, "X-Source-ID": in_header},
        )

        assert answer.status_code in {400, 403}, answer.text


def test_errors_name_no_domain_but_mallorys_own(pair: Pair) -> None:
    asked = [
        pair.ask("POST", "/ingest/datapoints", json=points("space", "s")),
        pair.ask("POST", "/ingest/datapoints", json=points(None, None)),
        pair.ask("POST", "/ingest/csv/uploads", json={"domain": "space", "source_id": "s", "file": "f.csv"}),
        pair.ask("GET", "/ingest/csv", params={"domain": "space"}),
        pair.ask("GET", "/constraints", params={"domain": "space"}),
        pair.ask("GET", "/constraints/space"),
        pair.ask("GET", "/alarms", params={"domain": "space"}),
        pair.ask("GET", "/nowhere"),
    ]

    for answer in asked:
        # There is a route of that name.
        text = answer.text.replace("/health", "")
        named = {domain for domain in OPEN_DOMAINS if re.search(rf"\b{domain}\b", text)}
        assert named <= {pair.mallory.domain}, answer.text


# --- CSV jobs --------------------------------------------------------------------------------------------------------


@pytest.fixture
def job(pair: Pair) -> str:
    """A job of the victim that awaits its file."""
    body = {"domain": pair.victim.domain, "source_id": pair.victim.source, "file": "secret-plans.csv"}
    answer = pair.ask_as_victim("POST", "/ingest/csv/uploads", json=body)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["job_id"])


JOB_REQUESTS: dict[str, Callable[[Pair, str], httpx.Response]] = {
    "look": lambda pair, job: pair.ask("GET", f"/ingest/csv/{job}"),
    "cancel": lambda pair, job: pair.ask("DELETE", f"/ingest/csv/{job}"),
    "renew": lambda pair, job: pair.ask("POST", f"/ingest/csv/{job}/upload", json={"size": 5}),
    "renew in parts": lambda pair, job: pair.ask(
        "POST", f"/ingest/csv/{job}/upload", json={"size": 5, "upload_id": "VXBsb2FkIElE"}
    ),
}


@pytest.mark.parametrize("request_", JOB_REQUESTS)
def test_a_job_of_another_is_as_one_that_is_not_there(pair: Pair, job: str, request_: str) -> None:
    answer = assert_alike(pair, lambda which: JOB_REQUESTS[request_](pair, which), job, secrets.token_hex(12))

    assert answer.status_code == 404
    assert pair.ask_as_victim("GET", f"/ingest/csv/{job}").json()["status"] == "awaiting_upload"


@pytest.mark.parametrize(
    "path", ["/ingest/csv/{job}/", "/ingest/csv/{job}%00", "/ingest/csv/{job}/../{job}", "/ingest/csv//{job}"]
)
def test_a_path_in_disguise_leads_to_no_job(pair: Pair, job: str, path: str) -> None:
    answer = pair.ask("GET", path.format(job=job))

    assert answer.status_code in {400, 404}, answer.text
    assert "secret-plans" not in answer.text


def test_a_list_of_jobs_has_mallorys_own_alone(pair: Pair, job: str) -> None:
    own = {"domain": pair.mallory.domain, "source_id": pair.mallory.source, "file": "own.csv"}
    mine = pair.ask("POST", "/ingest/csv/uploads", json=own).json()["job_id"]
    now = time.time()
    for filters in ({}, {"limit": "100"}, {"status": "awaiting_upload"}, {"before": str(now + 5)}):
        answer = pair.ask("GET", "/ingest/csv", params=filters)

        listed = {found["job_id"] for found in answer.json()["jobs"]}
        assert mine in listed
        assert job not in listed
        assert all(pair.mallory.owns(found) for found in answer.json()["jobs"])
    assert "secret-plans" not in answer.text


def test_a_filter_by_the_victims_names_tells_nothing(pair: Pair, job: str) -> None:
    del job
    domain = pair.victim.domain
    answer = assert_alike(
        pair,
        lambda source: pair.ask("GET", "/ingest/csv", params={"domain": domain, "source_id": source}),
        pair.victim.source,
        pair.nobody,
    )

    assert answer.status_code == 403


def test_a_page_token_of_the_victim_leads_mallory_to_her_own_jobs_alone(pair: Pair, job: str) -> None:
    del job
    for number in range(2):
        body = {"domain": pair.victim.domain, "source_id": pair.victim.source, "file": f"secret-{number}.csv"}
        assert pair.ask_as_victim("POST", "/ingest/csv/uploads", json=body).status_code == 201
    page = pair.ask_as_victim("GET", "/ingest/csv", params={"limit": "1", "source_id": pair.victim.source}).json()

    answer = pair.ask("GET", "/ingest/csv", params={"limit": "100", "before": str(page["next"]["before"])})

    assert all(pair.mallory.owns(found) for found in answer.json()["jobs"])


def test_files_are_announced_beyond_no_boundary(pair: Pair) -> None:
    def announce(source: str) -> httpx.Response:
        body = {"domain": pair.victim.domain, "source_id": source, "file": "f.csv"}
        return pair.ask("POST", "/ingest/csv/uploads", json=body)

    def upload(source: str) -> httpx.Response:
        data = {"domain": pair.victim.domain, "source_id": source}
        return pair.ask("POST", "/ingest/csv", data=data, files={"file": ("f.csv", CSV, "text/csv")})

    for ask in (announce, upload):
        assert assert_alike(pair, ask, pair.victim.source, pair.nobody).status_code == 403


@pytest.mark.parametrize(
    "name", ["../../{domain}/{source}/f.csv", "..\\{source}\\f.csv", "/inbox/{domain}/{source}/f.csv", "%2e%2e%2ff.csv"]
)
def test_the_name_of_a_file_leads_into_no_other_folder(pair: Pair, name: str) -> None:
    wicked = name.format(domain=pair.victim.domain, source=pair.victim.source)
    body = {"domain": pair.mallory.domain, "source_id": pair.mallory.source, "file": wicked}

    answer = pair.ask("POST", "/ingest/csv/uploads", json=body)

    if answer.is_success:
        path = httpx.URL(answer.json()["upload"]["url"]).path
        assert f"/inbox/{pair.mallory.domain}/{pair.mallory.source}/" in path
        assert pair.victim.source not in path.split("/.uploads/")[0]
    else:
        assert answer.status_code == 400


def test_a_signed_address_is_for_the_folder_it_was_signed_for(pair: Pair, job: str) -> None:
    body = {"domain": pair.mallory.domain, "source_id": pair.mallory.source, "file": "own.csv"}
    begun = pair.ask("POST", "/ingest/csv/uploads", json=body).json()
    url = httpx.URL(begun["upload"]["url"])
    own = f"/inbox/{pair.mallory.domain}/{pair.mallory.source}/.uploads/{begun['job_id']}/own.csv"
    others = f"/inbox/{pair.victim.domain}/{pair.victim.source}/.uploads/{job}/secret-plans.csv"
    assert own in url.path

    # The emulator looks at no signature, AWS does: what is signed is the path, which the URL has.
    assert "X-Amz-Signature" in url.params
    assert url.params["X-Amz-SignedHeaders"].split(";")[0]
    assert others not in str(url)


def test_a_file_that_is_dropped_for_a_job_of_another_joins_it_not(pair: Pair, job: str) -> None:
    """As a customer who may drop files into its own folders, and has got to know a job of another."""
    bucket, s3 = pair.stack.target["CsvBucket"], pair.stack.client("s3")
    folder = f"inbox/{pair.mallory.domain}/{pair.mallory.source}"

    s3.put_object(Bucket=bucket, Key=f"{folder}/.uploads/{job}/secret-plans.csv", Body=CSV)

    def reports() -> list[Any]:
        found: list[Any] = pair.ask("GET", "/ingest/csv", params={"source_id": pair.mallory.source}).json()["jobs"]
        return [report for report in found if report["file"] == "secret-plans.csv" and report["status"] == "complete"]

    [report] = pair.stack.eventually(reports, "the file is a job of Mallory's own")
    assert (report["source_id"], report["job_id"] == job) == (pair.mallory.source, False)
    assert pair.ask_as_victim("GET", f"/ingest/csv/{job}").json()["status"] == "awaiting_upload"


@pytest.mark.parametrize("option", ["domain", "source_id"])
def test_options_of_a_dropped_file_lead_beyond_no_boundary(pair: Pair, outbox: Outbox, option: str) -> None:
    bucket, s3 = pair.stack.target["CsvBucket"], pair.stack.client("s3")
    key = f"inbox/{pair.mallory.domain}/{pair.mallory.source}/{secrets.token_hex(4)}.csv"
    s3.put_object(
        Bucket=bucket, Key=f"{key}.json", Body=json.dumps({option: getattr(pair.victim, OF_A_CUSTOMER[option])})
    )
    if getattr(pair.victim, OF_A_CUSTOMER[option]) == getattr(pair.mallory, OF_A_CUSTOMER[option]):
        return  # They share the domain.

    s3.put_object(Bucket=bucket, Key=key, Body=CSV)

    def ended() -> list[Any]:
        found: list[Any] = pair.ask("GET", "/ingest/csv", params={"source_id": pair.mallory.source}).json()["jobs"]
        return [report for report in found if key.endswith(report["file"]) and report["status"] == "failed"]

    [report] = pair.stack.eventually(ended, "the job fails")
    assert report["reason"]["code"] == "invalid_options"
    pair.stack.drained()
    assert outbox.points(f"{pair.victim.domain}/{pair.mallory.source}") == []


OF_A_CUSTOMER = {"domain": "domain", "source_id": "source"}


# --- constraints -----------------------------------------------------------------------------------------------------


@pytest.fixture
def constrained(pair: Pair) -> str:
    """The path of constraints that the victim has."""
    path = f"/constraints/{pair.victim.domain}/{pair.victim.source}/t"
    for maximum in (50, 60):
        answer = pair.ask_as_victim("PUT", path, json={"value_constraints": {"max_value": maximum}})
        assert answer.is_success, answer.text
    return path


CONSTRAINT_REQUESTS: dict[str, Callable[[Pair, str], httpx.Response]] = {
    "read": lambda pair, path: pair.ask("GET", path),
    "read on condition": lambda pair, path: pair.ask("GET", path, headers={"If-None-Match": '"2"'}),
    "write": lambda pair, path: pair.ask("PUT", path, json={"value_constraints": {"max_value": 1}}),
    "write on condition": lambda pair, path: pair.ask("PUT", path, json={}, headers={"If-Match": '"2"'}),
    "delete": lambda pair, path: pair.ask("DELETE", path),
    "history": lambda pair, path: pair.ask("GET", f"{path}/history"),
    "roll back": lambda pair, path: pair.ask("POST", f"{path}/rollback", json={"version": 1}),
}


@pytest.mark.parametrize("request_", CONSTRAINT_REQUESTS)
def test_constraints_of_another_are_as_some_that_are_not_there(pair: Pair, constrained: str, request_: str) -> None:
    nobody = pair.nobody

    def ask(source: str) -> httpx.Response:
        return CONSTRAINT_REQUESTS[request_](pair, f"/constraints/{pair.victim.domain}/{source}/t")

    answer = assert_alike(pair, ask, pair.victim.source, nobody)

    assert answer.status_code == 403
    assert pair.ask_as_victim("GET", constrained).json()["value_constraints"] == {"max_value": 60}


def test_one_foreign_entry_keeps_all_of_a_request_from_being_written(pair: Pair, constrained: str) -> None:
    own = f"{pair.mallory.domain}/{pair.mallory.source}/t"
    body = [
        {"key": own, "cooldown_seconds": 1},
        {"key": f"{pair.victim.domain}/{pair.victim.source}/t", "cooldown_seconds": 1},
    ]

    answer = pair.ask("POST", "/constraints", json=body)

    assert answer.status_code == 403
    assert pair.ask("GET", f"/constraints/{own}").status_code == 404
    assert pair.ask_as_victim("GET", constrained).json()["value_constraints"] == {"max_value": 60}


def test_a_list_of_constraints_has_mallorys_own_alone_and_its_pages_are_hers(pair: Pair, constrained: str) -> None:
    del constrained
    answer = pair.ask("GET", "/constraints", params={"limit": "500"})
    assert answer.is_success
    assert pair.victim.source not in answer.text

    for number in range(2):
        path = f"/constraints/{pair.victim.domain}/{pair.victim.source}/s{number}"
        assert pair.ask_as_victim("PUT", path, json={}).is_success
    page = pair.ask_as_victim("GET", "/constraints", params={"limit": "1", "domain": pair.victim.domain}).json()
    assert page["next"]

    stolen = pair.ask("GET", "/constraints", params={"limit": "1", "domain": pair.victim.domain, "next": page["next"]})
    assert pair.victim.source not in stolen.text


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_a_template_of_a_domain_that_others_share_is_the_operators(pair: Pair, method: str) -> None:
    body = {"json": {"cooldown_seconds": 1}} if method == "PUT" else {}
    path = f"/constraints/{pair.victim.domain}"

    answer = pair.ask(method, path, params={"stream_type": f"type-{pair.victim.name}"}, **body)

    missing = "source:*" if pair.victim.domain == pair.mallory.domain else f"domain:{pair.victim.domain}"
    assert (answer.status_code, answer.json()["missing_scope"]) == (403, missing)


# --- alarms ----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def alarmed(pair: Pair) -> str:
    """The name of a stream of the victim with an alarm."""
    path = f"/constraints/{pair.victim.domain}/{pair.victim.source}/hot"
    rule = {"value_constraints": {"max_value": 50}, "consecutive_violations_required": 1}
    assert pair.ask_as_victim("PUT", path, json=rule).is_success
    body = points(pair.victim.domain, pair.victim.source)
    body["datapoints"] = [{"stream_id": "hot", "value": 99, "timestamp": time.time()}]
    assert pair.ask_as_victim("POST", "/ingest/datapoints", json=body).is_success

    def reported() -> bool:
        answer = pair.ask_as_victim("GET", "/alarms", params={"source_id": pair.victim.source})
        return bool(answer.json()["alarms"])

    pair.stack.eventually(reported, "the victim sees its alarm")
    return "hot"


def test_alarms_of_another_are_invisible(pair: Pair, alarmed: str) -> None:
    for asked in (
        {},
        {"key": f"{pair.victim.domain}/{pair.victim.source}/*"},
        {"key": "*"},
        {"stream_id": alarmed},
        {"state": "raised", "limit": "500", "since": "0"},
        {"next": f"{int(time.time()) - 60}-0"},
    ):
        answer = pair.ask("GET", "/alarms", params=asked)

        assert answer.status_code == 200, answer.text
        assert all(pair.mallory.owns(alarm) for alarm in answer.json()["alarms"])
        assert not {secret for secret in pair.secrets_of_victim() if secret in answer.text}


def test_alarms_by_the_victims_name_are_refused_as_those_of_nobody(pair: Pair, alarmed: str) -> None:
    del alarmed
    answer = assert_alike(
        pair,
        lambda source: pair.ask("GET", "/alarms", params={"domain": pair.victim.domain, "source_id": source}),
        pair.victim.source,
        pair.nobody,
    )

    assert answer.status_code == 403


def test_alarms_by_a_pattern_of_the_victims_name_are_none_as_those_of_nobody(pair: Pair, alarmed: str) -> None:
    del alarmed
    answer = assert_alike(
        pair,
        lambda source: pair.ask("GET", "/alarms", params={"key": f"*/{source}/*"}),
        pair.victim.source,
        pair.nobody,
    )

    assert answer.json() == {"alarms": [], "next": None}


# --- WebSocket -------------------------------------------------------------------------------------------------------


@pytest.fixture
def socket(local_stack: LocalStack) -> Iterator[ClientConnection]:
    with open_websocket(local_stack) as opened:
        yield opened


def say(socket: ClientConnection, message: object) -> str:
    socket.send(json.dumps(message))
    return str(socket.recv(timeout=PATIENCE_SECONDS))


def test_a_websocket_for_another_is_refused_as_one_for_nobody(pair: Pair) -> None:
    def auth(source: str) -> str:
        message = {"action": "auth", "domain": pair.victim.domain, "source_id": source, "api_key": pair.mallory.key}
        with open_websocket(pair.stack) as opened:
            answer = say(opened, message)
            with pytest.raises(ConnectionClosed):
                opened.recv(timeout=PATIENCE_SECONDS)
        return answer.replace(source, "NAME")

    with open_websocket(pair.stack) as of_victim:
        authenticate(of_victim, pair.victim.key, pair.victim.domain, pair.victim.source)
        assert json.loads(say(of_victim, {"stream_id": "t", "value": 1, "timestamp": 1_700_000_000, "sequence": 41}))

        # How far a source is acknowledged is shown to nobody else either.
        assert auth(pair.victim.source) == auth(pair.nobody)


def test_over_her_own_websocket_mallory_sends_for_nobody_else(
    pair: Pair, socket: ClientConnection, outbox: Outbox
) -> None:
    authenticate(socket, pair.mallory.key, pair.mallory.domain, pair.mallory.source)
    point = {"stream_id": f"w-{secrets.token_hex(3)}", "value": 1, "timestamp": 1_700_000_000}

    for named in ({"source_id": pair.victim.source}, {"domain": pair.victim.domain, "source_id": pair.victim.source}):
        assert json.loads(say(socket, point | named))["type"] == "error"
        assert json.loads(say(socket, {"datapoints": [point], **named}))["type"] == "error"

    pair.stack.drained()
    came = outbox.points(f"{pair.victim.domain}/{pair.victim.source}")
    assert [found for found in came if found["stream_id"] == point["stream_id"]] == []


def test_a_websocket_stays_with_its_source_and_says_nothing_of_others(pair: Pair, socket: ClientConnection) -> None:
    authenticate(socket, pair.mallory.key, pair.mallory.domain, pair.mallory.source)
    again = {
        "action": "auth",
        "domain": pair.victim.domain,
        "source_id": pair.victim.source,
        "api_key": pair.mallory.key,
    }

    error = json.loads(say(socket, again))

    assert (error["code"], error["reason"]) == (1008, "forbidden")
    assert pair.victim.name not in error["message"].replace(pair.victim.source, "")


# --- MQTT ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def tenants(local_stack: LocalStack) -> Iterator[tuple[Tenant, Tenant]]:
    """Two tenants who share a domain, as the operators have made them; deleted after the test."""
    run = secrets.token_hex(3)
    made = [
        Tenant(name=f"{name}-{run}", domains=("iot",), sources=(f"{name}-{run}-*",), created_at=time.time())
        for name in ("victim", "mallory")
    ]
    store = tenants_of(local_stack.target)
    assert tenant_faults(made[1], made[:1]) == []
    for tenant in made:
        store.put(tenant)
    yield made[0], made[1]
    for tenant in made:
        store.remove(tenant.name)


def test_a_device_is_made_within_the_boundary_of_its_tenant_alone(
    local_stack: LocalStack, tenants: tuple[Tenant, Tenant], tmp_path: Any
) -> None:
    victim, mallory = tenants
    foreign = f"{victim.name}-oven"

    for name, tenant, told_ in (
        (foreign, mallory.name, f"lies within the boundary of the tenant '{victim.name}'"),
        (foreign, None, f"lies within the boundary of the tenant '{victim.name}'"),
        (f"oven-{secrets.token_hex(3)}", mallory.name, "lies within no tenant's boundary"),
    ):
        with pytest.raises(CommandError, match=told_):
            devices.create(local_stack.target, name, "iot", tmp_path / "device", tenant=tenant)
    for tenant in (mallory.name, None):
        with pytest.raises(CommandError, match="readings of every sensor"):
            devices.create(
                local_stack.target,
                f"{mallory.name}-old" if tenant else f"old-{secrets.token_hex(3)}",
                "iot",
                tmp_path / "device",
                legacy=True,
                tenant=tenant,
            )
    assert not (tmp_path / "device").exists()


def test_a_device_publishes_beyond_no_boundary(
    local_stack: LocalStack, tenants: tuple[Tenant, Tenant], outbox: Outbox, tmp_path: Any
) -> None:
    victim, mallory = tenants
    name, foreign = f"{mallory.name}-oven", f"{victim.name}-oven"
    devices.create(local_stack.target, name, "iot", tmp_path / name, tenant=mallory.name)
    client = device_client(tmp_path / name)
    try:
        topics = {
            f"iot/{name}/t": ACCEPTED,
            f"iot/{foreign}/t": REFUSED,
            f"iot/{name}/../{foreign}/t": REFUSED,
            "iot/sensors/1/readings": REFUSED,
            f"health/{foreign}/t": REFUSED,
        }
        came = {topic: publish(client, topic) for topic in topics}
    finally:
        client.stop()

    assert came == topics
    local_stack.drained()
    assert outbox.points(f"iot/{foreign}") == []
    assert len(outbox.points(f"iot/{name}")) == 1


def test_a_payload_that_names_another_source_is_of_the_topics(
    local_stack: LocalStack, tenants: tuple[Tenant, Tenant], outbox: Outbox, tmp_path: Any
) -> None:
    from awscrt import mqtt5  # noqa: PLC0415

    victim, mallory = tenants
    name, foreign = f"{mallory.name}-mill", f"{victim.name}-mill"
    devices.create(local_stack.target, name, "iot", tmp_path / name, tenant=mallory.name)
    client = device_client(tmp_path / name)
    payloads = (
        {"value": 1, "timestamp": 1_700_000_000, "source_id": foreign, "domain": "iot"},
        [{"bn": f"iot/{foreign}/", "n": "t", "v": 1}],
    )
    try:
        for payload in payloads:
            packet = mqtt5.PublishPacket(
                topic=f"iot/{name}/t", payload=json.dumps(payload).encode(), qos=mqtt5.QoS.AT_LEAST_ONCE
            )
            client.publish(packet).result(PATIENCE_SECONDS)
    finally:
        client.stop()

    local_stack.drained()
    assert outbox.points(f"iot/{foreign}") == []
