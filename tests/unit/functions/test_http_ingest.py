"""The function behind the HTTP API, on events as API Gateway hands them over."""

import gzip
import json
import time
from base64 import b64encode
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import afluente
from afluente.adapters.http.points import MAX_POINTS
from afluente.adapters.memory.csv import MemoryCsvJobs, MemoryCsvUploads
from afluente.adapters.memory.ingest import MemoryPackQueue, MemoryQuarantine
from afluente.adapters.memory.limits import MemoryLimits
from afluente.application.csv.registry import JobRegistry
from afluente.application.errors import UnavailableError
from afluente.application.ingest.accept_points import AcceptPoints
from afluente.application.ingest.packs import Pack
from afluente.application.ingest.quarantine import QuarantinedRecord
from afluente.application.ingest.rejection import MAX_LISTED_BYTES, MAX_TEXT
from afluente.application.limits.leases import SharedBucket
from afluente.application.limits.rate_limits import RateLimits
from afluente.application.limits.stage_limits import Limits, StageLimits
from afluente.runtime.http_ingest import CsvIngest, HttpIngest, HttpIngestSettings
from http_ingest.handler import handle
from tests.conformity import assert_documented
from tests.factories import DOMAINS, some_rate_limits
from tests.unit.functions.conftest import CONTEXT, LogLines, no_sensors

Event = dict[str, Any]
Events = Callable[[str], Event]

GOOD = {"stream_id": "temperature", "value": 20.5, "timestamp": 1_699_996_400}


class World:
    """The ports of the function, in memory; queue and quarantine can be unavailable."""

    def __init__(self) -> None:
        self.queue = MemoryPackQueue()
        self.quarantine = MemoryQuarantine()
        self.queue_is_away = False
        self.quarantine_is_away = False
        self.limits = some_rate_limits()
        self.settings = HttpIngestSettings(
            domains=DOMAINS, shards=64, datapoints_queue_url="memory", quarantine_bucket="memory"
        )

    def switch_off(self, part: str) -> None:
        self.settings = self.settings.model_copy(update={part: False})

    def send(self, packs: Sequence[Pack]) -> None:
        if self.queue_is_away:
            raise UnavailableError("SQS: ServiceUnavailable")
        self.queue.send(packs)

    def put(self, record: QuarantinedRecord) -> None:
        if self.quarantine_is_away:
            raise UnavailableError("S3: SlowDown")
        self.quarantine.put(record)

    def function(self) -> HttpIngest:
        store = MemoryCsvJobs()
        return HttpIngest(
            settings=self.settings,
            accept=AcceptPoints(queue=self, quarantine=self, shards=64),
            csv=CsvIngest(JobRegistry(store=store, domains=DOMAINS), store, MemoryCsvUploads()),
            sensors=no_sensors,
            limits=self.limits,
            front=None,
        )

    def values(self) -> list[float]:
        return [point.value for pack in self.queue.packs for point in pack.points]

    def answer_to(self, asked: Event) -> tuple[int, dict[str, Any], dict[str, str]]:
        """Status, body and headers, once Lambda could hand them on and the OpenAPI document has them."""
        answer = json.loads(json.dumps(handle(asked, CONTEXT, self.function())))
        status, body, headers = answer["statusCode"], json.loads(answer["body"]), answer["headers"]
        assert_documented(asked["routeKey"], status, headers, body)
        return status, body, headers

    def problem_of(self, asked: Event) -> tuple[int, str]:
        """Status and code of a refusal, once it is sure to be a problem of RFC 9457."""
        status, body, headers = self.answer_to(asked)
        assert headers["content-type"] == "application/problem+json"
        assert headers["x-request-id"] == body["request_id"] == "JKJaXmPLvHcESHA="
        assert body["type"] == f"urn:afluente:problem:{body['code']}"
        assert body["status"] == status
        assert body["title"]
        assert body["detail"]
        return status, body["code"]


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def request_event(event: Events) -> Event:
    return event("http_api_ingest")


def with_points(request_event: Event, *points: object, **fields: object) -> Event:
    document = {"domain": "iot", "source_id": "furnace-1", "datapoints": points} | fields
    return request_event | {"body": json.dumps(document)}


# --- points ----------------------------------------------------------------------------------------------------------


def test_good_points_are_queued_and_acknowledged(world: World, request_event: Event) -> None:
    before = time.time()

    status, body, headers = world.answer_to(request_event)

    assert status == 202
    assert body == {"inserted": 1, "rejected": [], "request_id": "JKJaXmPLvHcESHA="}
    assert headers == {"content-type": "application/json", "x-request-id": "JKJaXmPLvHcESHA="}
    ((point,),) = (pack.points for pack in world.queue.packs)
    assert (str(point.key), point.value, point.timestamp) == ("iot/furnace-1/temperature", 20.5, 1_699_996_400)
    assert point.ingested_at is not None
    assert before <= point.ingested_at <= time.time()


def test_bad_points_are_reported_and_quarantined_and_their_neighbours_accepted(
    world: World, request_event: Event
) -> None:
    status, body, _ = world.answer_to(with_points(request_event, GOOD, {"value": "hot"}, GOOD | {"value": 21}))

    assert (status, body["inserted"]) == (202, 2)
    assert [(fault["index"], fault["field"], fault["code"]) for fault in body["rejected"]] == [
        (1, "stream_id", "missing"),
        (1, "value", "wrong_type"),
        (1, "timestamp", "missing"),
    ]
    assert all(fault["message"] for fault in body["rejected"])
    assert world.values() == [20.5, 21]
    assert json.loads(world.quarantine.records["JKJaXmPLvHcESHA="].payload) == [{"value": "hot"}]


def test_a_request_of_bad_points_alone_is_unprocessable(world: World, request_event: Event) -> None:
    asked = with_points(request_event, GOOD | {"value": None}, GOOD | {"timestamp": time.time() + 400})

    status, body, headers = world.answer_to(asked)

    assert (status, body["code"], body["inserted"]) == (422, "all_points_rejected", 0)
    assert headers["content-type"] == "application/problem+json"
    assert [(fault["index"], fault["code"]) for fault in body["rejected"]] == [(0, "wrong_type"), (1, "in_future")]
    assert world.values() == []
    assert list(world.quarantine.records) == ["JKJaXmPLvHcESHA="]


@pytest.mark.parametrize(("good", "status"), [(0, 422), (1, 202)])
def test_an_answer_lists_the_faults_that_fit_it_and_counts_the_others(
    world: World, request_event: Event, good: int, status: int
) -> None:
    bad = {"stream_id": "/" * 200, "value": "hot", "timestamp": 1e30, "sequence": -1, "metadata": 7}
    asked = with_points(request_event, *[GOOD] * good, *[bad] * (MAX_POINTS - good))

    told, body, _ = world.answer_to(asked)

    assert (told, body["inserted"]) == (status, good)
    listed = {fault["index"] for fault in body["rejected"]}
    assert listed == set(range(good, good + len(listed)))
    omitted = body["omitted"]
    assert len(listed) + omitted["points"] == MAX_POINTS - good
    each = len(body["rejected"]) // len(listed)
    assert omitted["faults"] == sum(omitted["by_code"].values()) == each * omitted["points"]
    assert 0.9 * MAX_LISTED_BYTES <= len(json.dumps(body)) <= 1.2 * MAX_LISTED_BYTES
    kept = world.quarantine.records["JKJaXmPLvHcESHA="]
    assert (set(kept.faults), kept.omitted and kept.omitted.points) == (listed, omitted["points"])
    assert len(json.loads(kept.payload)) == MAX_POINTS - good


def test_a_text_of_a_fault_is_cut(world: World, request_event: Event) -> None:
    _, body, _ = world.answer_to(with_points(request_event, GOOD, GOOD | {"value": 1, "timestamp": -(10**4_000)}))

    assert all(len(fault["message"]) <= MAX_TEXT for fault in body["rejected"])


def test_a_request_that_is_repeated_changes_nothing(world: World, request_event: Event) -> None:
    for _ in range(3):
        assert world.answer_to(request_event)[0] == 202

    assert world.values() == [20.5]


def test_ten_thousand_points_are_accepted_in_one_request(world: World, request_event: Event) -> None:
    points = [GOOD | {"sequence": number} for number in range(10_000)]

    status, body, _ = world.answer_to(with_points(request_event, *points))

    assert (status, body["inserted"]) == (202, 10_000)
    assert len(world.values()) == 10_000


def test_a_gzipped_request_is_accepted(world: World, request_event: Event) -> None:
    packed = b64encode(gzip.compress(request_event["body"].encode())).decode()
    headers = request_event["headers"] | {"content-encoding": "gzip"}

    status, _, _ = world.answer_to(request_event | {"body": packed, "isBase64Encoded": True, "headers": headers})

    assert (status, world.values()) == (202, [20.5])


def test_headers_say_where_points_are_from(world: World, request_event: Event) -> None:
    headers = request_event["headers"] | {"x-domain": "health", "x-source-id": "patient-9"}

    status, _, _ = world.answer_to(request_event | {"headers": headers, "body": json.dumps({"datapoints": [GOOD]})})

    assert status == 202
    assert str(world.queue.packs[0].points[0].key) == "health/patient-9/temperature"


# --- refusals --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changed", "status", "code"),
    [
        ({"body": '{"datapoints": [}'}, 400, "malformed_json"),
        ({"body": None}, 400, "malformed_json"),
        ({"body": '{"datapoints": []}'}, 400, "invalid_request"),
        ({"body": json.dumps({"domain": "space", "datapoints": [GOOD]})}, 400, "invalid_request"),
        ({"body": " " * (10 * 1024 * 1024 + 1)}, 413, "body_too_large"),
        ({"body": json.dumps({"domain": "iot", "datapoints": [1] * 20_001})}, 413, "too_many_points"),
        ({"headers": {"content-type": "text/csv"}}, 415, "unsupported_media_type"),
        ({"headers": {"content-encoding": "br"}}, 415, "unsupported_content_encoding"),
        ({"headers": {"content-encoding": "gzip"}}, 400, "malformed_gzip"),
    ],
)
def test_a_request_that_is_rejected_as_a_whole_has_its_problem(
    world: World, request_event: Event, log: LogLines, *, changed: Event, status: int, code: str
) -> None:
    assert world.problem_of(request_event | changed) == (status, code)

    assert world.values() == []
    assert world.quarantine.records == {}
    assert log.codes == ["REQUEST_REFUSED"]


def test_malformed_json_is_reported_with_its_place(world: World, request_event: Event) -> None:
    _, body, _ = world.answer_to(request_event | {"body": '{"é": 01}'})

    assert body["offset"] == 8
    assert "(at byte 8)" in body["detail"]


def test_all_faults_of_an_invalid_request_are_named(world: World, request_event: Event) -> None:
    _, body, _ = world.answer_to(with_points(request_event, domain="IoT", source_id="a/b"))

    assert [(fault["field"], fault["code"]) for fault in body["errors"]] == [
        ("datapoints", "empty"),
        ("domain", "out_of_range"),
        ("source_id", "forbidden_character"),
    ]


@pytest.mark.parametrize("authorizer", [None, {}, {"lambda": {}}, {"lambda": None}])
def test_a_caller_whom_the_authorizer_does_not_know_is_refused(
    world: World, request_event: Event, authorizer: dict[str, Any] | None
) -> None:
    request_event["requestContext"].pop("authorizer")
    if authorizer is not None:
        request_event["requestContext"]["authorizer"] = authorizer

    assert world.problem_of(request_event) == (401, "unauthorized")
    assert world.values() == []


def test_a_caller_nobody_knows_does_not_have_its_body_read(world: World, request_event: Event) -> None:
    request_event["requestContext"].pop("authorizer")

    assert world.problem_of(request_event | {"body": "{"}) == (401, "unauthorized")


@pytest.mark.parametrize(
    ("grant", "missing"),
    [
        ({"domains": ["health"], "sources": ["*"]}, "domain:iot"),
        ({"domains": ["iot"], "sources": ["boiler-*"]}, "source:furnace-1"),
    ],
)
def test_a_caller_whose_key_does_not_reach_the_source_learns_the_missing_scope(
    world: World, request_event: Event, grant: dict[str, Any], missing: str
) -> None:
    lambda_context = {"grant": json.dumps({"key_id": "aaaqeaye"} | grant)}
    request_event["requestContext"]["authorizer"] = {"lambda": lambda_context}

    assert world.problem_of(request_event) == (403, "forbidden")
    assert world.answer_to(request_event)[1]["missing_scope"] == missing
    assert world.values() == []


# --- what is away ----------------------------------------------------------------------------------------------------


def test_while_the_queue_is_unavailable_clients_learn_when_to_retry(
    world: World, request_event: Event, log: LogLines
) -> None:
    world.queue_is_away = True

    assert world.problem_of(request_event) == (503, "unavailable")
    assert world.answer_to(request_event)[2]["retry-after"] == "2"
    assert log.codes == ["QUEUE_UNAVAILABLE"] * 2


def test_a_quarantine_that_is_away_is_for_operators_to_know_alone(
    world: World, request_event: Event, log: LogLines
) -> None:
    world.quarantine_is_away = True

    status, body, _ = world.answer_to(with_points(request_event, GOOD, {}))

    assert (status, body["inserted"]) == (202, 1)
    assert log.codes == ["REQUEST_ACCEPTED", "QUARANTINE_UNAVAILABLE"]


# --- other routes ----------------------------------------------------------------------------------------------------


def test_health_is_answered_without_a_key(world: World, event: Events) -> None:
    status, body, headers = world.answer_to(event("http_api_health"))

    assert (status, headers["content-type"]) == (200, "application/json")
    assert body == {"status": "ok", "service": "afluente", "version": afluente.__version__}


@pytest.mark.parametrize(
    ("method", "path", "status", "code", "allow"),
    [
        ("GET", "/", 404, "not_found", None),
        ("POST", "/ingest", 404, "not_found", None),
        ("POST", "/ingest/datapoints/", 404, "not_found", None),
        ("GET", "/ingest/datapoints", 405, "method_not_allowed", "POST"),
        ("DELETE", "/ingest/datapoints", 405, "method_not_allowed", "POST"),
        ("POST", "/health", 405, "method_not_allowed", "GET"),
    ],
)
def test_a_path_without_a_route_is_answered_with_those_there_are(
    world: World, event: Events, *, method: str, path: str, status: int, code: str, allow: str | None
) -> None:
    asked = event("http_api_health") | {"routeKey": "$default", "rawPath": path}
    asked["requestContext"]["http"] |= {"method": method, "path": path}

    assert world.problem_of(asked) == (status, code)
    assert world.answer_to(asked)[2].get("allow") == allow


def test_without_the_agnostic_api_the_route_is_as_if_it_did_not_exist(world: World, event: Events) -> None:
    world.switch_off("enable_agnostic_api")
    world.switch_off("enable_csv_ingest")
    world.switch_off("enable_legacy_api")
    asked = event("http_api_health") | {"routeKey": "$default", "rawPath": "/ingest/datapoints"}
    asked["requestContext"]["http"] |= {"method": "POST", "path": "/ingest/datapoints"}

    assert world.problem_of(asked) == (404, "not_found")
    detail = world.answer_to(asked)[1]["detail"]
    assert detail.startswith("there is no /ingest/datapoints; the routes are ")
    assert "GET /health" in detail
    assert "POST /ingest" not in detail


# --- what operators see ----------------------------------------------------------------------------------------------


def test_a_request_leaves_a_line_in_the_log_and_its_points_are_counted(
    world: World, request_event: Event, log: LogLines, counted: Callable[[], dict[str, int]]
) -> None:
    world.answer_to(with_points(request_event, GOOD, {}, GOOD | {"value": 21}))

    assert log.codes == ["REQUEST_ACCEPTED"]
    line = log.lines[0]
    assert (line["inserted"], line["rejected"], line["domain"]) == (2, 1, "iot")
    assert (line["request_id"], line["key_id"]) == ("JKJaXmPLvHcESHA=", "aaaqeaye")
    assert counted() == {"PointsAccepted": 2, "PointsRejected": 1}


def test_no_secret_and_no_value_is_in_the_log(world: World, request_event: Event, log: LogLines) -> None:
    secret = request_event["headers"]["x-api-key"].split("_")[2]

    world.answer_to(request_event)

    assert all(secret not in str(line) and "20.5" not in str(line) for line in log.lines)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    body=st.none() | st.text() | st.binary(max_size=50).map(lambda raw: raw.decode("latin-1")), gzipped=st.booleans()
)
def test_whatever_comes_is_answered(world: World, request_event: Event, body: str | None, *, gzipped: bool) -> None:
    headers = request_event["headers"] | ({"content-encoding": "gzip"} if gzipped else {})

    status, _ = world.problem_of(request_event | {"body": body, "headers": headers})

    assert status == 400


# --- limits ----------------------------------------------------------------------------------------------------------


def narrow(**of: Limits) -> RateLimits:
    """Rate limits whose buckets are filled so slowly that no test sees it."""
    return some_rate_limits(msgspec.structs.replace(StageLimits(), **of))


def requests(burst: int) -> Limits:
    return Limits(requests_per_second=0.001, requests_burst=burst)


def points(burst: int) -> Limits:
    return Limits(points_per_second=0.001, points_burst=burst)


def test_an_answer_has_the_standing_of_the_limits(world: World, request_event: Event) -> None:
    world.limits = narrow(ip=requests(5), key=points(100))

    status, _, headers = world.answer_to(request_event)

    sent = len(json.loads(request_event["body"])["datapoints"])
    assert status == 202
    assert headers["ratelimit-policy"] == '"ip-requests";q=5;w=5000, "key-points";q=100;w=100000;qu="points"'
    assert headers["ratelimit"].startswith(f'"ip-requests";r=4;t=1000, "key-points";r={100 - sent};t=')


def test_without_limits_an_answer_has_none(world: World, request_event: Event) -> None:
    assert "ratelimit" not in world.answer_to(request_event)[2]


def test_a_throttled_request_is_refused_before_its_body_is_read(
    world: World, request_event: Event, log: LogLines, counted: Callable[[], dict[str, int]]
) -> None:
    world.limits = narrow(key=requests(1))
    world.answer_to(request_event)
    counted()

    status, problem, headers = world.answer_to(request_event | {"body": "no JSON"})

    assert (status, problem["code"]) == (429, "rate_limited")
    assert problem["limit"]["subject"] == "key"
    assert int(headers["retry-after"]) >= 1
    assert log.codes[-2:] == ["RATE_LIMITED", "REQUEST_REFUSED"]
    assert counted() == {"RequestsLimitedByKey": 1}


def test_throttled_points_are_not_queued(
    world: World, request_event: Event, counted: Callable[[], dict[str, int]]
) -> None:
    world.limits = narrow(source=points(2))
    world.answer_to(with_points(request_event, GOOD, GOOD))
    before = world.values()
    counted()

    assert world.problem_of(with_points(request_event, GOOD)) == (429, "rate_limited")

    assert world.values() == before
    assert counted() == {"RequestsLimitedBySource": 1, "PointsLimited": 1}
    other = with_points(request_event, GOOD, source_id="furnace-2")
    assert world.answer_to(other)[0] == 202


def test_more_points_than_a_burst_are_answered_with_a_hint_to_send_parts(world: World, request_event: Event) -> None:
    world.limits = narrow(source=points(2))

    assert world.problem_of(with_points(request_event, GOOD, GOOD, GOOD)) == (413, "over_the_burst")


def test_faulty_points_count_as_well(world: World, request_event: Event) -> None:
    world.limits = narrow(source=points(2))
    world.answer_to(with_points(request_event, GOOD, {"stream_id": "s"}))

    assert world.problem_of(with_points(request_event, GOOD)) == (429, "rate_limited")


def test_the_address_is_the_gateways_whatever_a_client_claims(world: World, request_event: Event) -> None:
    world.limits = narrow(ip=requests(2))

    def from_(name: str, address: str) -> int:
        return world.answer_to(request_event | {"headers": request_event["headers"] | {name: address}})[0]

    names = ("x-forwarded-for", "forwarded", "x-real-ip", "x-afluente-client-address", "cf-connecting-ip")
    assert [from_(name, f"192.0.2.{n}") for n, name in enumerate(names)] == [202, 202, 429, 429, 429]


def test_a_request_that_cannot_be_counted_is_allowed_if_the_limits_fail_open(
    world: World, request_event: Event, log: LogLines, counted: Callable[[], dict[str, int]]
) -> None:
    limits = msgspec.structs.replace(StageLimits(), key=requests(1))
    world.limits = some_rate_limits(limits, LimitsAway(), fails_open=True)
    assert world.answer_to(request_event)[0] == 202
    assert "LIMITS_UNAVAILABLE" in log.codes
    assert counted()["RequestsUncounted"] == 1

    world.limits = some_rate_limits(limits, LimitsAway(), fails_open=False)
    assert world.problem_of(request_event) == (503, "unavailable")


class LimitsAway(MemoryLimits):
    """A table of limits that does not answer."""

    def load(self, subject: str) -> SharedBucket:
        raise UnavailableError("DynamoDB: InternalServerError")
