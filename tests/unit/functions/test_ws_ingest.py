"""WebSocket connections and their messages, with memory in place of AWS."""

import json
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import pytest
from botocore.exceptions import ClientError

from afluente.adapters.aws.api_gateway_connections import UnansweredQueue, WebSocketConnections
from afluente.adapters.memory.access import MemoryApiKeys
from afluente.adapters.memory.ingest import MemoryPackQueue, MemoryQuarantine
from afluente.adapters.memory.websocket import MemoryConnections
from afluente.application.access.api_keys import ApiKey
from afluente.application.errors import UnavailableError
from afluente.application.ingest.accept_points import AcceptPoints
from afluente.application.ingest.packs import Pack
from afluente.application.ingest.quarantine import QuarantinedRecord
from afluente.application.limits.stage_limits import KeyLimits, Limits, StageLimits
from afluente.application.websocket.connections import Connection
from afluente.application.websocket.registry import ConnectionRegistry
from afluente.runtime.ws_ingest import WsIngest
from tests.factories import a_connection, an_api_key, an_authentication, some_rate_limits
from tests.unit.functions.conftest import CONTEXT, LogLines
from ws_ingest.handler import handle

ID = "connection-1"
GOOD = {"stream_id": "temperature", "value": 20.5, "timestamp": 1_699_996_400}


class Store(MemoryConnections):
    """ConnectionRegistry in memory; what is named in `away` does not answer."""

    def __init__(self) -> None:
        super().__init__()
        self.away: set[str] = set()

    def _ask(self, what: str) -> None:
        if what in self.away:
            raise UnavailableError("DynamoDB: ThrottlingException")

    def find(self, connection_id: str) -> Connection | None:
        self._ask("find")
        return super().find(connection_id)

    def open(self, connection: Connection) -> None:
        self._ask("open")
        super().open(connection)

    def close(self, connection_id: str) -> None:
        self._ask("close")
        super().close(connection_id)

    def last_sequence(self, source: str) -> int | None:
        self._ask("last_sequence")
        return super().last_sequence(source)

    def save_sequence(self, source: str, sequence: int, now: float) -> None:
        self._ask("save_sequence")
        super().save_sequence(source, sequence, now)


class World:
    """The ports of the function, in memory, and the fate of connections; each port can be unavailable."""

    def __init__(self) -> None:
        self.queue = MemoryPackQueue()
        self.quarantine = MemoryQuarantine()
        self.store = Store()
        self.keys = MemoryApiKeys()
        self.seconds = 0.0
        self.away: set[str] = set()
        self.unanswered: list[str] = []
        self.said: list[tuple[str, Any]] = []
        self.closed: list[str] = []
        self.limits = some_rate_limits()
        self.connections = ConnectionRegistry(
            store=self.store,
            authenticate=an_authentication(self.keys),
            domains=("iot", "health"),
            ttl_seconds=60,
            clock=lambda: self.seconds,
        )

    def handle(self, asked: dict[str, Any]) -> dict[str, Any]:
        function = WsIngest(
            connections=self.connections,
            accept=AcceptPoints(queue=self, quarantine=self, shards=64),
            gateway=WebSocketConnections(self),  # type: ignore[arg-type] # a stand-in for the client
            unanswered=UnansweredQueue(self, "unanswered"),  # type: ignore[arg-type] # a stand-in for the client
            limits=self.limits,
        )
        return handle(asked, CONTEXT, function)

    def a_key(self, **scope: Any) -> tuple[str, ApiKey]:
        text, kept = an_api_key(**scope)
        self.keys.put(kept)
        return text, kept

    def open(self, source_id: str = "furnace-1") -> None:
        """A connection that has authenticated."""
        _, key = self.a_key()
        self.store.open(a_connection(ID, source_id=source_id, key_id=key.key_id))

    def points(self) -> list[Any]:
        return [point for pack in self.queue.packs for point in pack.points]

    # What the function reaches through its ports.

    def send(self, packs: Sequence[Pack]) -> None:
        if "queue" in self.away:
            raise UnavailableError("SQS: ServiceUnavailable")
        self.queue.send(packs)

    def put(self, record: QuarantinedRecord) -> None:
        if "quarantine" in self.away:
            raise UnavailableError("S3: SlowDown")
        self.quarantine.put(record)

    # What the adapters ask AWS for.

    def send_message(self, *, QueueUrl: str, MessageBody: str) -> None:  # noqa: N803
        if "unanswered" in self.away:
            raise ClientError({"Error": {"Code": "ServiceUnavailable"}}, "SendMessage")
        assert QueueUrl == "unanswered"
        self.unanswered.append(MessageBody)

    def post_to_connection(self, *, ConnectionId: str, Data: bytes) -> None:  # noqa: N803
        self._reach("PostToConnection")
        self.said.append((ConnectionId, json.loads(Data)))

    def delete_connection(self, *, ConnectionId: str) -> None:  # noqa: N803
        self._reach("DeleteConnection")
        self.closed.append(ConnectionId)

    def _reach(self, operation: str) -> None:
        if "client" in self.away:
            raise ClientError({"Error": {"Code": "GoneException"}}, operation)
        if "gateway" in self.away:
            raise ClientError({"Error": {"Code": "LimitExceededException"}}, operation)

    def connect(self, headers: dict[str, str] | None = None, query: dict[str, str] | None = None) -> dict[str, Any]:
        # Of a connection without a query, the event has the field not at all.
        fields = {"queryStringParameters": query} if query else {}
        answer: dict[str, Any] = self.handle(event("CONNECT", headers=headers, **fields))
        return answer

    def say(self, message: object) -> Any:
        """The answer to a message; None where the connection is dropped instead."""
        body = message if isinstance(message, str) else json.dumps(message)
        answer = self.handle(event("MESSAGE", body=body))
        assert answer["statusCode"] == 200
        return json.loads(answer["body"]) if "body" in answer else None

    def look_at(self, *connection_ids: str) -> list[str]:
        """Have the function look at connections that should have authenticated; returns those that are retried."""
        records = [{"messageId": f"message-{id_}", "body": id_} for id_ in connection_ids]
        answer = self.handle({"Records": records})
        return [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]


@pytest.fixture
def world() -> World:
    return World()


def event(event_type: str, **fields: Any) -> dict[str, Any]:
    context = {
        "connectionId": ID,
        "eventType": event_type,
        "requestId": "request-1",
        "requestTimeEpoch": 1_700_000_000_000,
        "stage": "live",
    }
    return {"requestContext": context, "isBase64Encoded": False, **fields}


# --- connecting ------------------------------------------------------------------------------------------------------


def test_a_connection_without_a_key_is_accepted_and_looked_at_later(world: World) -> None:
    assert world.connect({"Host": "api"}) == {"statusCode": 200}
    assert world.connect(None) == {"statusCode": 200}

    assert world.unanswered == [ID, ID]
    assert world.store.find(ID) is None


@pytest.mark.parametrize("names", [("X-API-Key", "X-Domain", "X-Source-ID"), ("x-api-key", "x-domain", "x-source-id")])
def test_headers_authenticate_whatever_their_case(world: World, names: tuple[str, ...], log: LogLines) -> None:
    text, key = world.a_key()

    assert world.connect(dict(zip(names, (text, "iot", "furnace-1"), strict=True))) == {"statusCode": 200}

    opened = world.store.find(ID)
    assert opened is not None
    assert (opened.source, opened.key_id) == ("iot/furnace-1", key.key_id)
    assert world.unanswered == []
    assert log.codes == ["CONNECTION_OPENED"]
    assert text not in str(log.lines)


def test_the_query_authenticates_and_wins_over_headers(world: World) -> None:
    text, _ = world.a_key()

    query = {"api_key": text, "domain": "health", "source_id": "bed-4"}
    assert world.connect({"X-API-Key": "wrong", "X-Domain": "iot", "X-Source-ID": "other"}, query) == {
        "statusCode": 200
    }

    opened = world.store.find(ID)
    assert opened is not None
    assert opened.source == "health/bed-4"


def test_a_connection_without_a_source_is_for_the_missing_one(world: World) -> None:
    text, _ = world.a_key()

    world.connect({"X-API-Key": text, "X-Domain": "iot"})

    assert world.say({"action": "auth"}) == {
        "type": "authenticated",
        "domain": "iot",
        "source_id": "_",
        "last_sequence": None,
    }


@pytest.mark.parametrize("key", ["", "afl_wrong"])
def test_a_bad_key_refuses_the_handshake(world: World, key: str, log: LogLines) -> None:
    assert world.connect({"X-API-Key": key, "X-Domain": "iot"})["statusCode"] == 401

    assert world.store.find(ID) is None
    assert log.codes == ["CONNECTION_REFUSED"]


@pytest.mark.parametrize(
    "said", [{"X-Domain": "iot", "X-Source-ID": "oven-1"}, {"X-Domain": "finance"}, {"X-Domain": "I"}, {}]
)
def test_a_source_that_the_key_may_not_write_refuses_the_handshake(world: World, said: dict[str, str]) -> None:
    text, _ = world.a_key(sources=("furnace-*",))

    assert world.connect({"X-API-Key": text, **said})["statusCode"] == 403

    assert world.store.find(ID) is None


def test_while_a_store_is_away_nobody_connects(world: World, log: LogLines) -> None:
    text, _ = world.a_key()
    world.store.away = {"open"}
    assert world.connect({"X-API-Key": text, "X-Domain": "iot"}) == {"statusCode": 503}

    world.away = {"unanswered"}
    assert world.connect() == {"statusCode": 503}
    assert log.codes == ["CONNECTION_REFUSED", "CONNECTION_REFUSED"]


# --- authenticating --------------------------------------------------------------------------------------------------


def test_the_first_message_authenticates(world: World) -> None:
    text, _ = world.a_key()
    world.connect()

    answer = world.say({"action": "auth", "domain": "iot", "source_id": "furnace-1", "api_key": text})

    assert answer == {"type": "authenticated", "domain": "iot", "source_id": "furnace-1", "last_sequence": None}
    assert world.say(GOOD) == {"sequence": None, "status": "ok"}


def test_a_source_learns_its_last_sequence_on_its_next_connection_too(world: World) -> None:
    text, _ = world.a_key()
    auth = {"action": "auth", "domain": "iot", "source_id": "furnace-1", "api_key": text}
    world.say(auth)
    world.say([{**GOOD, "sequence": 41}, {**GOOD, "sequence": 42}, {**GOOD, "sequence": 43, "value": None}])
    world.handle(event("DISCONNECT"))

    assert world.say(auth)["last_sequence"] == 42
    assert world.say({"action": "auth"})["last_sequence"] == 42
    world.handle(event("DISCONNECT"))
    assert world.say({**auth, "source_id": "furnace-2"})["last_sequence"] is None


@pytest.mark.parametrize("first", [GOOD, [GOOD], {"action": "ping"}, {"action": "auth"}, "no JSON", ""])
def test_any_other_first_message_ends_the_connection(world: World, first: object, log: LogLines) -> None:
    world.connect()

    assert world.say(first) is None

    ((told_to, told),) = world.said
    assert (told_to, told["type"], told["code"], told["reason"]) == (ID, "error", 1008, "unauthorized")
    assert "begin with" in told["message"]
    assert world.closed == [ID]
    assert world.points() == []
    assert log.codes == ["CONNECTION_REFUSED"]


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"api_key": "afl_wrong"}, "unauthorized"),
        ({"api_key": 5}, "unauthorized"),
        ({"domain": "space"}, "forbidden"),
        ({"domain": 5}, "forbidden"),
        ({"source_id": "oven-1"}, "forbidden"),
    ],
)
def test_a_bad_key_or_source_ends_the_connection(world: World, fields: dict[str, Any], reason: str) -> None:
    text, _ = world.a_key(sources=("furnace-*",))

    assert world.say({"action": "auth", "domain": "iot", "source_id": "furnace-1", "api_key": text, **fields}) is None

    ((_, told),) = world.said
    assert (told["code"], told["reason"]) == (1008, reason)
    assert world.closed == [ID]


def test_a_key_that_is_revoked_ends_the_connection_within_a_minute(world: World) -> None:
    text, key = world.a_key()
    world.say({"action": "auth", "domain": "iot", "api_key": text})
    world.keys.put(msgspec.structs.replace(key, revoked_at=1), replacing=key)

    assert world.say(GOOD) == {"sequence": None, "status": "ok"}
    world.seconds = 60
    assert world.say(GOOD) is None

    assert world.closed == [ID]


def test_a_client_that_has_disconnected_already_is_no_failure(world: World) -> None:
    world.away = {"client"}

    assert world.say(GOOD) is None


# --- who never authenticates -----------------------------------------------------------------------------------------


def test_a_silent_connection_is_closed_and_one_that_spoke_is_not(world: World) -> None:
    world.open()

    assert world.look_at(ID, "silent") == []

    ((told_to, told),) = world.said
    assert (told_to, told["code"], told["reason"]) == ("silent", 1008, "unauthorized")
    assert world.closed == ["silent"]


def test_a_refused_client_hears_why_though_its_connection_cannot_be_closed(world: World, log: LogLines) -> None:
    world.away = {"gateway"}

    answer = world.say({"action": "ping"})

    assert (answer["code"], answer["reason"]) == (1008, "unauthorized")
    assert "CONNECTION_REFUSED" in log.codes


@pytest.mark.parametrize("away", ["gateway", "store"])
def test_what_cannot_be_closed_is_looked_at_again(world: World, away: str, log: LogLines) -> None:
    world.away = {away}
    world.store.away = {"find"} if away == "store" else set()

    assert world.look_at("silent", "silent-too") == ["message-silent", "message-silent-too"]
    assert "CONNECTION_REFUSED" in log.codes

    world.away, world.store.away = set(), set()
    assert world.look_at("silent", "silent-too") == []
    assert world.closed == ["silent", "silent-too"]


# --- points ----------------------------------------------------------------------------------------------------------


def test_a_point_is_queued_and_acknowledged(world: World, counted: Callable[[], dict[str, int]], log: LogLines) -> None:
    world.open()

    assert world.say({**GOOD, "sequence": 7}) == {"sequence": 7, "status": "ok"}

    (point,) = world.points()
    assert (str(point.key), point.value, point.sequence) == ("iot/furnace-1/temperature", 20.5, 7)
    assert counted() == {"PointsAccepted": 1}
    assert log.codes == ["MESSAGES_ACCEPTED"]


@pytest.mark.parametrize("shape", [lambda points: points, lambda points: {"datapoints": points}])
def test_several_points_are_answered_in_their_order_and_in_one_frame(world: World, shape: Callable[[Any], Any]) -> None:
    world.open()
    points = [{**GOOD, "sequence": number, "value": number} for number in range(1_000)]

    assert world.say(shape(points)) == [{"sequence": number, "status": "ok"} for number in range(1_000)]

    assert [point.value for point in world.points()] == list(range(1_000))


def test_a_bad_point_is_reported_and_quarantined_and_holds_up_none(
    world: World, counted: Callable[[], dict[str, int]]
) -> None:
    world.open()

    good, bad, stray = world.say([{**GOOD, "sequence": 1}, {**GOOD, "sequence": 2, "value": "high"}, 5])

    assert good == {"sequence": 1, "status": "ok"}
    assert (bad["sequence"], bad["status"], bad["code"]) == (2, "error", "wrong_type")
    assert (stray["sequence"], stray["status"]) == (None, "error")
    kept = world.quarantine.records["request-1"]
    assert (kept.transport, kept.origin["connection_id"]) == ("ws", ID)
    assert counted() == {"PointsAccepted": 1, "PointsRejected": 2}


def test_a_single_bad_point_is_answered_by_a_single_error(world: World) -> None:
    world.open()

    answer = world.say({**GOOD, "timestamp": None, "sequence": 3})

    assert (answer["sequence"], answer["status"], "message" in answer) == (3, "error", True)
    assert world.points() == []


def test_while_the_queue_is_away_nothing_is_acknowledged_and_the_client_waits(world: World, log: LogLines) -> None:
    world.open()
    world.away = {"queue"}

    answer = world.say([{**GOOD, "sequence": 1}])

    assert (answer["type"], answer["retry_after"]) == ("wait", 2)
    assert log.codes == ["QUEUE_UNAVAILABLE"]
    assert world.say({"action": "auth"})["last_sequence"] is None

    world.away = set()
    assert world.say([{**GOOD, "sequence": 1}]) == [{"sequence": 1, "status": "ok"}]
    assert len(world.points()) == 1


def test_while_quarantine_is_unavailable_faults_are_reported_all_the_same(world: World, log: LogLines) -> None:
    world.open()
    world.away = {"quarantine"}

    good, bad = world.say([GOOD, 5])

    assert (good["status"], bad["status"]) == ("ok", "error")
    assert "QUARANTINE_UNAVAILABLE" in log.codes


def test_points_are_acknowledged_though_their_sequence_cannot_be_recorded(world: World, log: LogLines) -> None:
    world.open()
    world.store.away = {"save_sequence"}

    assert world.say({**GOOD, "sequence": 1}) == {"sequence": 1, "status": "ok"}

    assert log.codes == ["SEQUENCE_NOT_RECORDED", "MESSAGES_ACCEPTED"]
    assert len(world.points()) == 1


@pytest.mark.parametrize("message", [GOOD, {"action": "ping"}, {"action": "auth"}])
def test_while_connections_cannot_be_looked_up_the_client_waits(world: World, message: object) -> None:
    world.open()
    world.store.away = {"find"}

    assert world.say(message)["type"] == "wait"
    assert world.closed == []


def test_a_repeated_message_changes_nothing(world: World) -> None:
    world.open()

    assert world.say([GOOD]) == world.say([GOOD])

    assert len(world.points()) == 1


# --- messages that are faulty as a whole -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("message", "code", "reason"),
    [
        ("{", 1007, "malformed_json"),
        ("", 1007, "malformed_json"),
        (7, 1007, "invalid_message"),
        ([], 1007, "invalid_message"),
        ({"action": "subscribe"}, 1007, "invalid_message"),
        ({"datapoints": 5}, 1007, "invalid_message"),
        ({**GOOD, "source_id": "furnace-2"}, 1007, "invalid_message"),
        ({"domain": "health", "datapoints": [GOOD]}, 1007, "invalid_message"),
        ([GOOD] * 1_001, 1009, "too_many_points"),
    ],
)
def test_a_faulty_message_is_reported_and_ends_nothing(
    world: World, message: object, code: int, reason: str, log: LogLines
) -> None:
    world.open()

    answer = world.say(message)

    assert (answer["type"], answer["code"], answer["reason"]) == ("error", code, reason)
    assert (world.points(), world.closed, world.said) == ([], [], [])
    assert log.codes == ["REQUEST_REFUSED"]
    assert world.say(GOOD)["status"] == "ok"


def test_a_message_without_a_body_is_faulty(world: World) -> None:
    world.open()

    answer = world.handle(event("MESSAGE"))

    assert json.loads(answer["body"])["reason"] == "malformed_json"


def test_a_message_whose_bad_point_nests_too_deeply_for_quarantine_is_faulty(world: World) -> None:
    world.open()
    deep: Any = 1
    for _ in range(63):
        deep = [deep]

    answer = world.say([{**GOOD, "metadata": {"deep": deep}}])

    assert (answer["code"], answer["reason"]) == (1007, "malformed_json")
    assert "nests deeper than 64 levels" in answer["message"]
    assert world.points() == []


def test_a_ping_is_answered(world: World) -> None:
    world.open()

    assert world.say({"action": "ping"}) == {"type": "pong"}


# --- leaving ---------------------------------------------------------------------------------------------------------


def test_a_closed_connection_is_deleted(world: World, log: LogLines) -> None:
    world.open()

    assert world.handle(event("DISCONNECT")) == {"statusCode": 200}

    assert world.store.find(ID) is None
    assert log.codes == ["CONNECTION_CLOSED"]


def test_a_store_that_is_away_then_forgets_by_itself(world: World, log: LogLines) -> None:
    world.open()
    world.store.away = {"close"}

    assert world.handle(event("DISCONNECT")) == {"statusCode": 200}

    assert log.codes == ["CONNECTION_CLOSED"]


# --- limits ----------------------------------------------------------------------------------------------------------


def test_a_throttled_message_is_answered_with_wait_and_the_limit(
    world: World, log: LogLines, counted: Callable[[], dict[str, int]]
) -> None:
    world.limits = some_rate_limits(StageLimits(source=Limits(points_per_second=0.5, points_burst=3)))
    authenticated(world)
    assert len(world.say([GOOD, GOOD])) == 2
    counted()

    told = world.say([GOOD, GOOD])

    assert (told["type"], told["retry_after"]) == ("wait", 2)
    assert told["limit"] == {
        "subject": "source",
        "name": "iot/furnace-1",
        "dimension": "points",
        "limit": 3,
        "per_second": 0.5,
        "needed": 2,
    }
    assert "RATE_LIMITED" in log.codes
    assert counted() == {"RequestsLimitedBySource": 1, "PointsLimited": 2}


def test_a_message_with_more_points_than_a_burst_is_an_error_that_ends_nothing(world: World) -> None:
    world.limits = some_rate_limits(StageLimits(source=Limits(points_per_second=1, points_burst=1)))
    authenticated(world)

    told = world.say([GOOD, GOOD])

    assert (told["type"], told["code"], told["reason"]) == ("error", 1009, "over_the_burst")
    assert world.closed == []


def test_messages_of_any_kind_count_for_the_key(world: World) -> None:
    world.limits = some_rate_limits(StageLimits(key=Limits(requests_per_second=0.01, requests_burst=2)))
    authenticated(world)

    assert [world.say({"action": "ping"})["type"] for _ in range(3)] == ["pong", "pong", "wait"]


def test_a_key_with_limits_of_its_own_is_held_to_them_in_every_container(world: World) -> None:
    world.limits = some_rate_limits()
    authenticated(world, limits=KeyLimits(requests_per_second=0.01, requests_burst=1))
    assert world.say({"action": "ping"})["type"] == "pong"
    # As a container that has not seen the connection before.
    world.seconds += 61
    world.limits = some_rate_limits()

    assert [world.say({"action": "ping"})["type"] for _ in range(2)] == ["pong", "wait"]


def test_an_address_with_too_many_connections_is_refused(world: World) -> None:
    world.limits = some_rate_limits(StageLimits(ip=Limits(requests_per_second=0.01, requests_burst=2)))

    def come(address: str) -> int:
        asked = event("CONNECT", headers={"X-Forwarded-For": "198.51.100.9"})
        asked["requestContext"]["identity"] = {"sourceIp": address}
        return int(world.handle(asked)["statusCode"])

    assert [come("192.0.2.1") for _ in range(3)] == [200, 200, 429]
    assert come("192.0.2.2") == 200


def test_an_address_that_tries_many_keys_has_to_wait(world: World) -> None:
    world.limits = some_rate_limits(StageLimits(ip=Limits(requests_per_second=0.01, requests_burst=1)))
    asked = event("MESSAGE", body=json.dumps({"action": "auth", "domain": "iot", "api_key": "wrong"}))
    asked["requestContext"]["identity"] = {"sourceIp": "192.0.2.1"}
    world.handle(asked)

    assert json.loads(world.handle(asked)["body"])["type"] == "wait"


def authenticated(world: World, **scope: Any) -> None:
    text, _ = world.a_key(**scope)
    assert world.connect({"X-API-Key": text, "X-Domain": "iot", "X-Source-ID": "furnace-1"}) == {"statusCode": 200}
