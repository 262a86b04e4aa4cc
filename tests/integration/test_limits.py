"""Limits as deployed: a throttled client is answered in the terms of its transport, and nobody else notices."""

import json
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
from websockets.exceptions import InvalidStatus

from afluente.application.limits.stage_limits import KeyLimits
from tests.faults.faults import unreachable
from tests.faults.proxy import Call, FaultProxy
from tests.outbox import Outbox
from tests.senders import MqttSender, authenticate, open_websocket
from tests.stack import LocalStack

pytestmark = pytest.mark.integration

NARROW = KeyLimits(requests_per_second=1, requests_burst=20)


@pytest.fixture
def source_id(source_id: str) -> str:
    # Short enough for the name of a device.
    return source_id[-20:]


def body_of(source_id: str, points: int = 1) -> bytes:
    now = time.time()
    datapoints = [{"stream_id": "s", "value": 1.5, "timestamp": now - points + n} for n in range(points)]
    return json.dumps({"domain": "iot", "source_id": source_id, "datapoints": datapoints}).encode()


def post(
    stack: LocalStack, key: str, source_id: str, points: int = 1, headers: Mapping[str, str] | None = None
) -> httpx.Response:
    return stack.post(body_of(source_id, points), {"X-API-Key": key, **(headers or {})})


# --- HTTP ------------------------------------------------------------------------------------------------------------


def test_senders_side_by_side_get_no_more_through_than_burst_and_rate_give(
    local_stack: LocalStack, source_id: str
) -> None:
    key = local_stack.create_key(limits=NARROW)
    begun = time.monotonic()

    def send(place: int) -> list[httpx.Response]:
        return [post(local_stack, key, f"{source_id}-{place}") for _ in range(30)]

    with ThreadPoolExecutor(3) as pool:
        answers = [answer for some in pool.map(send, range(3)) for answer in some]

    # A container that was warming up may have counted a moment before the first answer.
    seconds = time.monotonic() - begun + 1
    counts = Counter(answer.status_code for answer in answers)
    assert set(counts) == {202, 429}
    assert 15 <= counts[202] <= 20 + seconds


def test_a_refusal_names_its_limit_and_when_to_retry(local_stack: LocalStack, source_id: str) -> None:
    key = local_stack.create_key(limits=KeyLimits(points_per_second=10, points_burst=1_000))
    through = post(local_stack, key, source_id, 900)
    assert through.status_code == 202
    assert '"key-points";q=1000;w=100;qu="points"' in through.headers["RateLimit-Policy"]
    assert '"key-points";r=100;t=90' in through.headers["RateLimit"]

    refused = post(local_stack, key, source_id, 500)

    problem = refused.json()
    assert (refused.status_code, problem["code"]) == (429, "rate_limited")
    assert refused.headers["Content-Type"] == "application/problem+json"
    assert 35 <= int(refused.headers["Retry-After"]) <= 40
    assert f'"key-points";r=0;t={refused.headers["Retry-After"]}' in refused.headers["RateLimit"]
    limit = problem["limit"]
    assert (limit["subject"], limit["dimension"], limit["limit"], limit["needed"]) == ("key", "points", 1_000, 500)
    assert problem["violated-policies"] == ["key-points"]
    assert post(local_stack, key, source_id, 90).status_code == 202


def test_a_request_with_more_points_than_the_burst_is_answered_that_it_never_goes_through(
    local_stack: LocalStack, source_id: str
) -> None:
    key = local_stack.create_key(limits=KeyLimits(points_per_second=10, points_burst=100))

    refused = post(local_stack, key, source_id, 101)

    assert (refused.status_code, refused.json()["code"]) == (413, "over_the_burst")
    assert "in parts of 100" in refused.json()["detail"]
    assert post(local_stack, key, source_id, 100).status_code == 202


def test_points_of_a_day_are_counted(local_stack: LocalStack, source_id: str) -> None:
    key = local_stack.create_key(limits=KeyLimits(points_per_day=250))
    assert [post(local_stack, key, source_id, 100).status_code for _ in range(3)] == [202, 202, 429]

    refused = post(local_stack, key, source_id, 100)

    assert refused.json()["limit"]["dimension"] == "points_per_day"
    assert 1 <= int(refused.headers["Retry-After"]) <= 86_400


def test_another_key_of_the_same_address_goes_on(local_stack: LocalStack, source_id: str) -> None:
    narrow = local_stack.create_key(limits=KeyLimits(requests_per_second=0.1, requests_burst=1))
    post(local_stack, narrow, source_id)
    assert post(local_stack, narrow, source_id).status_code == 429

    assert post(local_stack, local_stack.create_key(), source_id).status_code == 202


def test_other_routes_with_a_key_are_limited_and_those_without_are_not(local_stack: LocalStack) -> None:
    key = local_stack.create_key(limits=KeyLimits(requests_per_second=0.1, requests_burst=2))

    def get(path: str) -> httpx.Response:
        return local_stack.http.get(f"{local_stack.target.api_url}{path}", headers={"X-API-Key": key})

    answers = [get("/ingest/csv"), get("/constraints"), get("/constraints")]

    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert all("RateLimit" in answer.headers for answer in answers)
    assert get("/health").status_code == 200


def test_an_address_that_a_client_says_of_itself_counts_for_nothing(local_stack: LocalStack, source_id: str) -> None:
    limits = json.dumps({"ip": {"requests_per_second": 0.1, "requests_burst": 3}})
    key = local_stack.create_key()
    with local_stack.configured("http_ingest", AFLUENTE_LIMITS=limits, AFLUENTE_LIMITS_TABLE=a_table(local_stack)):
        answers = [
            post(
                local_stack,
                key,
                source_id,
                headers={"X-Forwarded-For": f"192.0.2.{n}", "X-Afluente-Client-Address": "::1"},
            )
            for n in range(6)
        ]

    assert [answer.status_code for answer in answers] == [202] * 3 + [429] * 3
    assert {answer.json()["limit"]["subject"] for answer in answers[3:]} == {"ip"}


# --- bad keys --------------------------------------------------------------------------------------------------------


def test_bad_keys_are_turned_away_without_a_look_and_good_ones_of_the_address_go_on(
    local_stack: LocalStack, source_id: str
) -> None:
    limits = json.dumps({"refused_keys": {"per_second": 0.001, "burst": 5}})
    key = local_stack.create_key()
    with local_stack.configured("http_authorizer", AFLUENTE_LIMITS=limits):
        assert post(local_stack, key, source_id).status_code == 202
        begun = time.time()
        answers = Counter(post(local_stack, f"afl_bad-{n}", source_id).status_code for n in range(60))
        asked = sum("REQUEST_ACCEPTED" in line for line in local_stack.log_lines("http_ingest", since=begun))
        good = [post(local_stack, key, source_id).status_code for _ in range(5)]

    # The emulator may serve with several containers, each of which counts for itself.
    assert answers[401] >= 5
    assert answers[403] >= 20
    assert answers.keys() <= {401, 403}
    assert (asked, good) == (0, [202] * 5)


# --- WebSocket -------------------------------------------------------------------------------------------------------


def test_over_a_websocket_a_throttled_client_waits_and_goes_on_after(local_stack: LocalStack, source_id: str) -> None:
    key = local_stack.create_key(limits=KeyLimits(points_per_second=50, points_burst=100))
    with open_websocket(local_stack) as socket:
        authenticate(socket, key, "iot", source_id)

        def ask(points: int) -> Any:
            socket.send(json.dumps(json.loads(body_of(source_id, points))["datapoints"]))
            return json.loads(socket.recv(timeout=60))

        assert len(ask(90)) == 90
        wait = ask(80)
        never = ask(101)
        time.sleep(wait["retry_after"])
        again = ask(80)

    assert (wait["type"], wait["retry_after"]) == ("wait", 2)
    assert (wait["limit"]["subject"], wait["limit"]["dimension"], wait["limit"]["limit"]) == ("key", "points", 100)
    assert (never["type"], never["code"], never["reason"]) == ("error", 1009, "over_the_burst")
    assert len(again) == 80


def test_an_address_that_opens_too_many_connections_is_refused_with_429(local_stack: LocalStack) -> None:
    limits = json.dumps({"ip": {"requests_per_second": 0.1, "requests_burst": 2}})
    table = a_table(local_stack)
    with local_stack.configured("ws_ingest", AFLUENTE_LIMITS=limits, AFLUENTE_LIMITS_TABLE=table):
        for _ in range(2):
            open_websocket(local_stack).close()

        with pytest.raises(InvalidStatus) as refused:
            open_websocket(local_stack)

    # The emulator (1.5.33) makes 403 of every refusal of a function.
    assert refused.value.response.status_code in {403, 429}
    assert "ip:127.0.0.1" in str(local_stack.client("dynamodb").scan(TableName=table)["Items"])


# --- MQTT ------------------------------------------------------------------------------------------------------------


def test_messages_of_a_throttled_device_wait_and_its_neighbours_go_through(
    local_stack: LocalStack, outbox: Outbox, source_id: str
) -> None:
    limits = json.dumps({"source": {"requests_per_second": 0.01, "requests_burst": 3}})
    loud, quiet = MqttSender(local_stack, "iot", source_id), MqttSender(local_stack, "iot", f"q-{source_id}"[:20])
    try:
        with local_stack.configured(
            "iot_rule_handler", AFLUENTE_LIMITS=limits, AFLUENTE_LIMITS_TABLE=a_table(local_stack)
        ):
            now = time.time()
            for n in range(8):
                loud.publish(f"iot/{source_id}/s", {"value": n, "timestamp": now - 100 + n}).result(60)
            quiet.publish(f"iot/q-{source_id}"[:24] + "/s", {"value": 1, "timestamp": now}).result(60)
            kept = local_stack.eventually(
                lambda: found if len(found := local_stack.quarantined_from("mqtt", f"iot/{source_id}/s")) == 5 else [],
                "five messages are in quarantine",
            )
            local_stack.drained()
    finally:
        loud.close()
        quiet.close()

    assert {record["reason"] for record in kept} == {"rate_limited"}
    assert "may send 0.01 requests a second and 3 at once" in kept[0]["message"]
    assert len(outbox.points(f"iot/{source_id}")) == 3
    assert len(outbox.points(f"iot/q-{source_id}"[:24])) == 1


# --- while the table is away -----------------------------------------------------------------------------------------


def _is_of_limits(call: Call) -> bool:
    return str(call.document.get("TableName", "")).endswith("-limits")


@pytest.fixture
def limits_away(local_stack: LocalStack) -> Iterator[FaultProxy]:
    """A proxy through which the table of limits cannot be reached."""
    with (
        FaultProxy(local_stack.port) as calls,
        calls.injected(unreachable, "DynamoDB", when=_is_of_limits),
    ):
        yield calls


def test_limits_that_fail_open_let_requests_through_and_say_so_in_the_log(
    local_stack: LocalStack, limits_away: FaultProxy, source_id: str
) -> None:
    key = local_stack.create_key(limits=KeyLimits(requests_per_second=0.1, requests_burst=1))
    begun = time.time()
    with local_stack.configured("http_ingest", AWS_ENDPOINT_URL=limits_away.endpoint):
        answers = [post(local_stack, key, source_id).status_code for _ in range(5)]

    assert answers == [202] * 5
    logged(local_stack, "http_ingest", "LIMITS_UNAVAILABLE", begun)


def test_limits_that_fail_shut_refuse_requests_and_say_when_to_come_again(
    local_stack: LocalStack, limits_away: FaultProxy, source_id: str
) -> None:
    key = local_stack.create_key()
    with local_stack.configured("http_ingest", AWS_ENDPOINT_URL=limits_away.endpoint, AFLUENTE_LIMITS_FAIL="shut"):
        refused = post(local_stack, key, source_id)

    assert (refused.status_code, refused.json()["code"]) == (503, "unavailable")
    assert int(refused.headers["Retry-After"]) > 0


def logged(stack: LocalStack, function: str, code: str, since: float) -> None:
    """Wait for a line: lines come a moment after the answers."""
    stack.eventually(lambda: any(code in line for line in stack.log_lines(function, since=since)), f"{code} is logged")


def a_table(stack: LocalStack) -> str:
    """A table of limits of its own: the tests share one address, whose buckets would outlive the test."""
    name = f"limits-{time.time_ns()}"
    client = stack.client("dynamodb")
    client.create_table(
        TableName=name,
        KeySchema=[{"AttributeName": "subject", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "subject", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    client.get_waiter("table_exists").wait(TableName=name)
    return name
