"""Bad cases, of each kind many: none ends in an error of the server, and each is told its fault and a hint."""

import json
from base64 import b64encode
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from types import SimpleNamespace
from typing import Any
from urllib.parse import quote, urlencode

import msgspec
import pytest

import http_admin.handler
import http_authorizer.handler
import http_ingest.handler
import iot_rule_handler.handler
from afluente.adapters.aws.s3_csv_options import BucketOptions
from afluente.adapters.codecs.packs import UndecodablePackError, decode_pack
from afluente.adapters.http.authorization import grant_of
from afluente.adapters.memory.access import MemoryApiKeys
from afluente.adapters.memory.alarms import MemoryAlarmLog
from afluente.adapters.memory.constraints import MemoryConstraints
from afluente.adapters.memory.csv import MemoryCsvFiles, MemoryCsvJobs, MemoryCsvUploads
from afluente.adapters.memory.ingest import MemoryPackQueue, MemoryQuarantine
from afluente.adapters.websocket.messages import MAX_ANSWER_BYTES
from afluente.application.access.key_guard import KeyGuard
from afluente.application.csv.faults import MAX_REASON
from afluente.application.csv.jobs import JobStatus
from afluente.application.csv.registry import JobRegistry
from afluente.application.ingest.accept_points import AcceptPoints
from afluente.application.ingest.rejection import MAX_LISTED_BYTES
from afluente.application.limits.stage_limits import RefusedKeys
from afluente.migration.adapters.memory import MemorySensors
from afluente.migration.application.sensors import SensorLookup
from afluente.runtime.http_admin import HttpAdmin, HttpAdminSettings
from afluente.runtime.http_authorizer import HttpAuthorizer
from afluente.runtime.http_ingest import CsvIngest, HttpIngest, HttpIngestSettings
from afluente.runtime.iot_rule_handler import IotRuleHandler, IotRuleHandlerSettings
from tests.cases.bad_http import BadRequest, bad_requests
from tests.cases.bad_messages import (
    CONNECTIONS,
    FILES,
    INBOX_BODIES,
    KEYS,
    BadMessage,
    BadPublication,
    bad_option_files,
    bad_publications,
    bad_websocket_messages,
    packs_that_are_none,
)
from tests.cases.bad_uploads import bad_uploads
from tests.conformity import assert_documented
from tests.factories import DOMAINS, NOW, Clock, a_grant, an_authentication, some_rate_limits
from tests.migration.thresholds import a_sensor
from tests.unit.functions.conftest import CONTEXT
from tests.unit.functions.test_csv_trigger import KEY, VERSION, part_of, told_of
from tests.unit.functions.test_csv_trigger import World as CsvWorld
from tests.unit.functions.test_ws_ingest import World as WebSocketWorld

Event = dict[str, Any]
Events = Callable[[str], Event]

REQUESTS = (*bad_requests(), *bad_uploads())
MESSAGES = tuple(bad_websocket_messages())
PUBLICATIONS = tuple(bad_publications())
OPTIONS = tuple(bad_option_files())
PACKS = tuple(packs_that_are_none())

MAX_ANSWER = MAX_LISTED_BYTES + 200_000
"""Bytes of an answer over HTTP: the faults that it lists, and what is around them."""

_ADMIN = ("/constraints", "/alarms")


def test_there_are_more_than_four_hundred_cases_of_ten_kinds() -> None:
    kinds = (REQUESTS, MESSAGES, CONNECTIONS, PUBLICATIONS, INBOX_BODIES, OPTIONS, FILES, PACKS, KEYS)

    assert sum(map(len, kinds)) > 400
    assert len({request.route for request in REQUESTS}) > 10


# --- HTTP ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", REQUESTS, ids=lambda case: f"{case.route}: {case.name}")
def test_a_bad_request_is_refused_with_its_fault_and_a_hint(case: BadRequest, event: Events) -> None:
    status, body, size = answer_to(case, event)

    assert 200 <= status < 500
    assert size <= MAX_ANSWER
    if status >= 400:
        assert all(body[name] for name in ("title", "detail", "code"))
    if body.get("code") == "invalid_request":
        assert body["errors"]
    else:
        assert status >= 400 or body["rejected"]
    assert all(fault["code"] and fault["field"] and fault["message"] for fault in _faults(body))


def _faults(body: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [*body.get("errors", []), *body.get("rejected", [])]


def answer_to(case: BadRequest, event: Events) -> tuple[int, Any, int]:
    asked = _event(case, event)
    if case.route.split()[-1].startswith(_ADMIN):
        answer = http_admin.handler.handle(asked, CONTEXT, _http_admin())
    else:
        answer = http_ingest.handler.handle(asked, CONTEXT, _http_ingest())
    text = json.dumps(answer)
    body = json.loads(answer["body"])
    headers = {name.lower(): value for name, value in answer["headers"].items()}
    assert_documented(case.route, answer["statusCode"], headers, body)
    return answer["statusCode"], body, len(text)


def _event(case: BadRequest, event: Events) -> Event:
    asked = event("http_api_ingest")
    grant = msgspec.json.encode(a_grant()).decode()
    asked.pop("body")
    path = case.route.split()[-1]
    if case.route == "$default":
        method, path = case.path["method"], case.path["path"]
    else:
        method = case.route.split()[0]
        asked["pathParameters"] = case.path
        for name, value in case.path.items():
            path = path.replace(f"{{{name}}}", quote(value, errors="replace"))
    asked |= {"routeKey": case.route, "rawPath": path, "rawQueryString": ""}
    asked["requestContext"] |= {"routeKey": case.route, "authorizer": {"lambda": {"grant": grant}}}
    asked["requestContext"]["http"] |= {"method": method, "path": path}
    asked["headers"] |= {"content-type": "application/json", **case.headers}
    if case.query:
        asked["queryStringParameters"] = case.query
        asked["rawQueryString"] = urlencode(case.query, errors="surrogatepass")
    if case.body is not None:
        asked |= {"body": b64encode(case.body).decode(), "isBase64Encoded": True}
    return asked


def _http_admin() -> HttpAdmin:
    settings = HttpAdminSettings(
        domains=DOMAINS,
        constraints_table="memory",
        constraint_history_table="memory",
        alarm_log_group="memory",
        limits_table="memory",
    )
    constraints = MemoryConstraints(Clock(), by="migrate")
    return HttpAdmin(settings, constraints.written_by, MemoryAlarmLog(), some_rate_limits(), front=None)


def _http_ingest() -> HttpIngest:
    settings = HttpIngestSettings(domains=DOMAINS, shards=64, datapoints_queue_url="memory", quarantine_bucket="memory")
    store = MemoryCsvJobs()
    csv = CsvIngest(JobRegistry(store=store, domains=DOMAINS), store, MemoryCsvUploads())
    return HttpIngest(settings, _accept(MemoryQuarantine()), csv, _sensors, some_rate_limits(), front=None)


def _accept(quarantine: MemoryQuarantine) -> AcceptPoints:
    return AcceptPoints(queue=MemoryPackQueue(), quarantine=quarantine, shards=64)


def _sensors() -> SensorLookup:
    return SensorLookup(MemorySensors([a_sensor()]), ttl_seconds=60, clock=Clock())


@pytest.mark.parametrize("key", KEYS, ids=ascii)
def test_a_key_that_is_none_lets_nobody_in(key: str, event: Events) -> None:
    asked = event("http_authorizer")
    asked["identitySource"], asked["headers"]["x-api-key"] = [key], key
    function = HttpAuthorizer(KeyGuard(an_authentication(MemoryApiKeys()), RefusedKeys()))

    answer = http_authorizer.handler.handle(asked, CONTEXT, function)

    assert grant_of({"requestContext": {"authorizer": {"lambda": answer["context"]}}}) is None


# --- WebSocket -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", MESSAGES, ids=lambda case: case.name)
def test_a_bad_message_is_answered_with_its_fault_within_the_size_of_a_message(case: BadMessage) -> None:
    world = WebSocketWorld()
    world.open()

    answer = world.say(case.body)

    assert len(json.dumps(answer, ensure_ascii=False).encode()) <= MAX_ANSWER_BYTES
    if isinstance(answer, list):
        assert {one["status"] for one in answer} == {"error"}
        assert all(one["code"] for one in answer)
        assert len(answer) > 100 or all(one["message"] for one in answer)
    else:
        assert (answer["type"], bool(answer["reason"]), bool(answer["message"])) == ("error", True, True)


@pytest.mark.parametrize("query", CONNECTIONS.values(), ids=CONNECTIONS)
def test_a_connection_of_a_bad_query_is_refused(query: dict[str, str]) -> None:
    answer = WebSocketWorld().connect(query=query)

    assert 400 <= answer["statusCode"] < 500
    assert answer["body"]


# --- MQTT ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", PUBLICATIONS, ids=lambda case: case.name)
def test_a_bad_publication_is_quarantined_with_its_fault(case: BadPublication) -> None:
    payload = b64encode(case.payload).decode()

    quarantine = inbox(json.dumps({"payload": payload, "topic": case.topic, "arrived_at": NOW * 1000}))

    (kept,) = quarantine.records.values()
    assert kept.message
    assert kept.reason in {"rejected_points", "unusable_message"}
    assert (kept.reason == "rejected_points") == bool(kept.faults)
    assert all(fault.code and fault.field and fault.message for fault in chain.from_iterable(kept.faults.values()))
    assert len(msgspec.json.encode(kept)) <= MAX_ANSWER + 8 * len(case.payload)


@pytest.mark.parametrize("body", INBOX_BODIES.values(), ids=INBOX_BODIES)
def test_a_message_that_no_topic_rule_wrote_is_quarantined(body: str) -> None:
    (kept,) = inbox(body).records.values()

    assert (kept.reason, bool(kept.message)) == ("unusable_message", True)


def inbox(body: str) -> MemoryQuarantine:
    """The quarantine after a message of the inbox, which is not retried."""
    quarantine = MemoryQuarantine()
    settings = IotRuleHandlerSettings(
        domains=DOMAINS, shards=64, datapoints_queue_url="memory", quarantine_bucket="memory"
    )
    record = {"messageId": "1", "body": body, "attributes": {"SentTimestamp": str(int(NOW * 1000))}}
    with ThreadPoolExecutor(1) as executor:
        function = IotRuleHandler(settings, _accept(quarantine), quarantine, executor, _sensors(), some_rate_limits())
        answer = iot_rule_handler.handler.handle({"Records": [record]}, CONTEXT, function)
    assert answer == {"batchItemFailures": []}
    return quarantine


# --- CSV files and packs ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "content"), OPTIONS, ids=lambda value: value if isinstance(value, str) else "")
def test_a_job_of_a_bad_options_file_fails_with_the_fault(name: str, content: bytes, event: Events) -> None:
    world = CsvWorld()
    bucket = SimpleNamespace(get_object=lambda **_: {"Body": SimpleNamespace(read=lambda size: content[:size])})
    world.function = msgspec.structs.replace(world.function, options=BucketOptions(bucket, "bucket"))  # type: ignore[arg-type] # a stand-in for the client

    assert world.returned(event("sqs_s3_dropped")) == []

    (job,) = world.jobs()
    assert (job.status, job.reason and job.reason.code) == (JobStatus.FAILED, "invalid_options"), name
    assert job.reason is not None
    assert 0 < len(job.reason.message) <= MAX_REASON
    assert len(msgspec.json.encode(job)) < 400_000


@pytest.mark.parametrize(("name", "content"), FILES.items(), ids=FILES)
def test_a_job_of_a_bad_file_ends_with_the_fault(name: str, content: bytes, event: Events) -> None:
    world = CsvWorld()
    assert isinstance(world.files, MemoryCsvFiles)
    world.files.contents[KEY, VERSION] = content
    world.returned(told_of(event, size=len(content)))
    (job,) = world.jobs()

    assert world.returned(part_of(event, job.job_id)) == []

    (job,) = world.jobs()
    assert job.status.is_final, name
    faults = [error for part in job.parts for error in part.errors.values()]
    assert faults or (job.reason is not None and job.reason.message)


@pytest.mark.parametrize(("name", "body"), PACKS, ids=lambda value: value if isinstance(value, str) else "")
def test_a_message_that_is_no_pack_is_undecodable(name: str, body: str) -> None:
    with pytest.raises(UndecodablePackError):
        decode_pack(body)
