"""The AsyncAPI document of WebSocket and MQTT: every message that a client sends, and every one that it gets."""

from typing import Any

import afluente
from afluente.adapters.codecs.json_documents import MAX_DEPTH
from afluente.adapters.codecs.json_points import JsonPoint
from afluente.adapters.codecs.senml import MAX_VERSION, STREAM_TYPE
from afluente.adapters.websocket.messages import (
    INVALID,
    MAX_ANSWER_BYTES,
    MAX_POINTS,
    REFUSED,
    RETRY_AFTER_SECONDS,
    TOO_BIG,
    Acknowledgement,
    Authenticated,
    ErrorMessage,
    ExceededLimit,
    Pong,
    Wait,
)
from afluente.domain.faults import FaultCode
from afluente.domain.stream_keys import MISSING_SOURCE
from apidoc import examples
from apidoc.catalogue import schemas as schemas_of_http
from apidoc.legacy import LEGACY_CHANNEL, READINGS
from apidoc.schemas import DOMAIN, PART, Record, Schema, ref, schemas_of

_IOT_MESSAGE_BYTES = 128 * 1024

REASONS = ("malformed_json", "invalid_message", "too_many_points", "over_the_burst", "unauthorized", "forbidden")
"""Reasons to reject a message, or to end a connection."""

_ABOUT = """\
Measurements over connections that stay open. What HTTP takes is in the OpenAPI document beside this one.

* **WebSocket.** A connection is for one source of one domain. It says who it is by headers, by the query or by its
  first message; then every message has one answer. Send the next one after the answer.
* **MQTT.** A device publishes under its own source, with its certificate, at QoS 1. There is no answer but the PUBACK:
  rejected messages and points are quarantined. A message has at most 1,000 points, unless the stage says otherwise.
"""


def asyncapi_document() -> Schema:
    """The whole document."""
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "afluente",
            "version": afluente.__version__,
            "description": _ABOUT,
            "license": {"name": "MIT"},
            "tags": [{"name": "WebSocket"}, {"name": "MQTT"}],
        },
        "defaultContentType": "application/json",
        "servers": _servers(),
        "channels": _channels(),
        "operations": _operations(),
        "components": {
            "messages": _messages(),
            "schemas": dict(sorted(_schemas().items())),
            "securitySchemes": _security_schemes(),
        },
    }


# --- where -----------------------------------------------------------------------------------------------------------


def _servers() -> Schema:
    return {
        "websocket": {
            "host": "{api}.execute-api.{region}.amazonaws.com",
            "pathname": "/live",
            "protocol": "wss",
            "description": "The output WebSocketUrl of the service stack. `afluente status` has that of a local stack.",
            "variables": {"api": {"description": "The id of the API."}, "region": {"default": "eu-west-1"}},
            "security": [
                {"$ref": "#/components/securitySchemes/keyInHeader"},
                {"$ref": "#/components/securitySchemes/keyInQuery"},
                {"$ref": "#/components/securitySchemes/keyInMessage"},
            ],
        },
        "mqtt": {
            "host": "{endpoint}:8883",
            "protocol": "secure-mqtt",
            "protocolVersion": "5",
            "description": "AWS IoT Core; `connection.json` of a device names it. MQTT 3.1.1 is accepted, too.",
            "variables": {
                "endpoint": {"description": "The endpoint of the account, `…-ats.iot.{region}.amazonaws.com`."}
            },
            "security": [{"$ref": "#/components/securitySchemes/certificate"}],
        },
    }


def _security_schemes() -> Schema:
    scope = "The key has to be for the action `ingest`, and to reach the domain and the source."
    return {
        "keyInHeader": {
            "type": "httpApiKey",
            "name": "X-API-Key",
            "in": "header",
            "description": f"With X-Domain and X-Source-ID in the handshake. {scope}",
        },
        "keyInQuery": {
            "type": "httpApiKey",
            "name": "api_key",
            "in": "query",
            "description": f"With domain and source_id. It stands in the logs of proxies: prefer the others. {scope}",
        },
        "keyInMessage": {
            "type": "apiKey",
            "in": "password",
            "description": f"In the first message, `auth`; the way of browsers. {scope}",
        },
        "certificate": {
            "type": "X509",
            "description": "Of the device, whose name is its client id and its source.",
        },
    }


def _channels() -> Schema:
    part = {name: _message_ref(name) for name in (*_SENT, *_ANSWERS)}
    return {
        "connection": {
            "address": "/",
            "title": "A connection of a source",
            "servers": [{"$ref": "#/servers/websocket"}],
            "messages": part,
            "bindings": {"ws": {"method": "GET", "headers": _handshake(), "query": _query()}},
        },
        "stream": {
            "address": "{domain}/{source_id}/{stream_id}",
            "title": "A stream",
            "description": "The topic is the key of the stream; each part is of the form of the schema of that name.",
            "servers": [{"$ref": "#/servers/mqtt"}],
            "parameters": {
                "domain": {"description": f"One of those that are open: {DOMAIN['pattern']}."},
                "source_id": {"description": "The name of the device."},
                "stream_id": {"description": f"The stream among those of the source: {PART['pattern']}."},
            },
            "messages": {name: _message_ref(name) for name in _PUBLISHED},
        },
        "oldReadings": LEGACY_CHANNEL
        | {
            "servers": [{"$ref": "#/servers/mqtt"}],
            "messages": {"Readings": _message_ref("Readings")},
        },
    }


def _handshake() -> Schema:
    return {"type": "object", "properties": {"X-API-Key": {"type": "string"}, **_origin("X-Domain", "X-Source-ID")}}


def _query() -> Schema:
    return {"type": "object", "properties": {"api_key": {"type": "string"}, **_origin("domain", "source_id")}}


def _origin(domain: str, source_id: str) -> Schema:
    return {domain: {"type": "string"} | DOMAIN, source_id: {"type": "string"} | PART}


# --- operations ------------------------------------------------------------------------------------------------------

_PUBLISHED = ("MqttPoint", "MqttPoints", "Senml")

_SENT = {
    "Authenticate": ("authenticate", ("Authenticated",)),
    "Ping": ("ping", ("Pong",)),
    "Point": ("sendPoint", ("Acknowledgement",)),
    "Points": ("sendPoints", ("Acknowledgements",)),
    "PointsOfSource": ("sendPointsOfSource", ("Acknowledgements",)),
}
"""Messages of a WebSocket client: the operation, and its answers beside `Error`, `Wait` and `GatewayMessage`."""

_ANSWERS = ("Authenticated", "Pong", "Acknowledgement", "Acknowledgements", "Error", "Wait", "GatewayMessage")
_OF_ANY = ("Error", "Wait", "GatewayMessage")


def _operations() -> Schema:
    websocket = {
        operation: {
            "action": "receive",
            "title": _TITLES[sent],
            "channel": {"$ref": "#/channels/connection"},
            "messages": [_in_channel("connection", sent)],
            "reply": {
                "channel": {"$ref": "#/channels/connection"},
                "messages": [_in_channel("connection", name) for name in (*answers, *_OF_ANY)],
            },
            "tags": [{"name": "WebSocket"}],
        }
        for sent, (operation, answers) in _SENT.items()
    }
    unasked = {
        "endConnection": {
            "action": "send",
            "title": "End a connection",
            "description": "Unasked, where a client does not authenticate within ten seconds.",
            "channel": {"$ref": "#/channels/connection"},
            "messages": [_in_channel("connection", "Error")],
            "tags": [{"name": "WebSocket"}],
        }
    }
    return websocket | unasked | _publications()


def _publications() -> Schema:
    def publication(channel: str, names: tuple[str, ...], title: str) -> Schema:
        return {
            "action": "receive",
            "title": title,
            "channel": {"$ref": f"#/channels/{channel}"},
            "messages": [_in_channel(channel, name) for name in names],
            "tags": [{"name": "MQTT"}],
            "bindings": {"mqtt": {"qos": 1, "retain": False}},
        }

    return {
        "publishPoints": publication("stream", _PUBLISHED, "Publish points of a stream"),
        "publishReadings": publication("oldReadings", ("Readings",), "Publish readings as legacy devices do"),
    }


# --- messages --------------------------------------------------------------------------------------------------------

_TITLES = {
    "Authenticate": "Say who sends",
    "Ping": "Keep the connection alive",
    "Point": "Send a point",
    "Points": "Send points",
    "PointsOfSource": "Send points, and say whose they are",
}

_POINTS = examples.POINTS["iot"]["datapoints"]


def _messages() -> Schema:
    limits = f"At most {_IOT_MESSAGE_BYTES:,} bytes (IoT Core, Message size), and {MAX_DEPTH} levels."
    without_stream = [{key: value for key, value in point.items() if key != "stream_id"} for point in _POINTS]
    senml = [
        {"bn": "oven-1:", "bt": 1795492666, "bu": "Cel", "stream_type": "temperature", "n": "top", "v": 180.5},
        {"n": "bottom", "t": 5, "v": 176.4},
    ]
    described: dict[str, tuple[Schema, str, Any]] = {
        "Authenticate": (
            ref("Authenticate"),
            "Within ten seconds, where the handshake had no key.",
            {"action": "auth", "domain": "iot", "source_id": "oven-1", "api_key": "afl_…"},
        ),
        "Ping": (ref("Ping"), "Within ten minutes without another message.", {"action": "ping"}),
        "Point": (ref("Point"), "One point; its answer is one acknowledgement.", _POINTS[0]),
        "Points": (_array(ref("Point")), "Points, each with an acknowledgement in the answer.", _POINTS),
        "PointsOfSource": (
            ref("PointsOfSource"),
            "The same, which may name the domain and the source, and may not contradict the connection.",
            examples.POINTS["iot"],
        ),
        "Authenticated": (
            ref("Authenticated"),
            "The connection accepts points; `last_sequence` is the last acknowledged one of its source.",
            {"type": "authenticated", "domain": "iot", "source_id": "oven-1", "last_sequence": 41},
        ),
        "Pong": (ref("Pong"), "The connection is alive.", {"type": "pong"}),
        "Acknowledgement": (
            ref("Acknowledgement"),
            "The result of the point: `ok` and `error` are both final.",
            {"sequence": 7, "status": "ok"},
        ),
        "Acknowledgements": (
            _array(ref("Acknowledgement")),
            f"The result of each point; without messages where they would exceed {MAX_ANSWER_BYTES:,} bytes.",
            [
                {"sequence": 7, "status": "ok"},
                {
                    "sequence": 8,
                    "status": "error",
                    "code": "wrong_type",
                    "message": "value: must be a number, not a string",
                },
            ],
        ),
        "Error": (
            ref("Error"),
            f"The message is rejected. With the code {REFUSED} the connection ends.",
            {
                "type": "error",
                "code": INVALID,
                "reason": "malformed_json",
                "message": "the message is no JSON: Expecting value (at byte 5)",
            },
        ),
        "Wait": (
            ref("Wait"),
            "Nothing of the message is accepted for certain: send the same message again.",
            {
                "type": "wait",
                "retry_after": RETRY_AFTER_SECONDS,
                "message": "no point is taken for certain; send the message again, which is safe",
            },
        ),
        "GatewayMessage": (
            ref("GatewayMessage"),
            "API Gateway itself answers where a function ended without one, or too many messages came: retry later.",
            {"message": "Internal server error", "connectionId": "Zr7W2fB5oAMCJrw=", "requestId": "Zr7W6EpLIAMFq_A="},
        ),
        "MqttPoint": (ref("MqttPoint"), f"One point of the stream that the topic names. {limits}", without_stream[0]),
        "MqttPoints": (
            {
                "oneOf": [
                    {"type": "array", "minItems": 1, "items": ref("MqttPoint")},
                    ref("MqttPointsOfSource"),
                ]
            },
            f"Points of the stream that the topic names. {limits}",
            without_stream,
        ),
        "Senml": (
            ref("SenmlPack"),
            f"A SenML pack (RFC 8428) of a version up to {MAX_VERSION}, whose names are the streams. {limits}",
            senml,
        ),
        "Readings": (READINGS[0], f"{READINGS[1]} {limits}", READINGS[2]),
    }
    return {
        name: {
            "name": name,
            "title": _TITLES.get(name, name),
            "summary": text,
            "contentType": "application/senml+json" if name == "Senml" else "application/json",
            "payload": payload,
            "examples": [{"payload": example}],
        }
        for name, (payload, text, example) in described.items()
    }


def _array(items: Schema) -> Schema:
    return {"type": "array", "minItems": 1, "maxItems": MAX_POINTS, "items": items}


def _message_ref(name: str) -> Schema:
    return {"$ref": f"#/components/messages/{name}"}


def _in_channel(channel: str, name: str) -> Schema:
    return {"$ref": f"#/channels/{channel}/messages/{name}"}


# --- schemas ---------------------------------------------------------------------------------------------------------

_RECORDS = (
    Record(type=JsonPoint, name="Point"),
    Record(type=Authenticated, name="Authenticated", is_answer=True),
    Record(type=Pong, name="Pong", is_answer=True),
    Record(
        type=Acknowledgement,
        name="Acknowledgement",
        limits={
            "status": {"enum": ["ok", "error"]},
            "code": {"enum": sorted(FaultCode), "description": "Of the first fault, with `error` only."},
            "message": {"description": "Every fault of the point, with `error` only."},
            "sequence": {"description": "As in the point; null for a point without one, or with one that is none."},
        },
    ),
    Record(
        type=ErrorMessage,
        name="Error",
        is_answer=True,
        limits={
            "code": {"enum": [INVALID, REFUSED, TOO_BIG], "description": "A close code of RFC 6455."},
            "reason": {"enum": list(REASONS), "description": "The reason, for programs."},
            "message": {"description": "The fault of this message with a hint, for people."},
        },
    ),
    Record(type=ExceededLimit, name="LimitTold"),
    Record(type=Wait, name="Wait", is_answer=True, limits={"retry_after": {"minimum": 1, "description": "Seconds."}}),
)


def _schemas() -> dict[str, Schema]:
    found = schemas_of(_RECORDS)
    acknowledgement = found["Acknowledgement"]["properties"]
    for name in ("code", "message"):
        (its,) = (its for its in acknowledgement[name].pop("anyOf") if its != {"type": "null"})
        acknowledgement[name] |= its
    http = schemas_of_http()
    point = found["Point"]
    mqtt_point = point | {
        "title": "MqttPoint",
        "description": "A point of the stream that the topic names; without a timestamp it has that of its arrival.",
        "required": ["value"],
    }
    return found | {
        "GatewayMessage": http["GatewayMessage"],
        "Reading": http["Reading"] | {"description": "A reading; its sensor is that of the topic."},
        "Authenticate": _authenticate(),
        "Ping": _object("Ping", {"action": {"type": "string", "const": "ping"}}, ["action"]),
        "PointsOfSource": _points_of_source("PointsOfSource", "Point"),
        "MqttPoint": mqtt_point,
        "MqttPointsOfSource": _object(
            "MqttPointsOfSource",
            {"datapoints": {"type": "array", "minItems": 1, "items": ref("MqttPoint")}},
            ["datapoints"],
        ),
        "SenmlPack": {"title": "SenmlPack", "type": "array", "minItems": 1, "items": ref("SenmlRecord")},
        "SenmlRecord": _senml_record(),
    }


def _authenticate() -> Schema:
    domain, source_id = {"type": "string"} | DOMAIN, {"type": "string"} | PART
    return _object(
        "Authenticate",
        {
            "action": {"type": "string", "const": "auth"},
            "domain": domain,
            "source_id": source_id | {"description": f"Without it the source is `{MISSING_SOURCE}`."},
            "api_key": {
                "type": "string",
                "description": "Without it the message asks for the last acknowledged sequence of the source.",
            },
        },
        ["action"],
    )


def _points_of_source(title: str, item: str) -> Schema:
    return _object(title, {"datapoints": _array(ref(item)), **_origin("domain", "source_id")}, ["datapoints"])


def _senml_record() -> Schema:
    number, text = {"type": "number"}, {"type": "string"}
    fields = {
        "bn": text,
        "bt": number,
        "bu": text,
        "bv": number,
        "bs": number,
        "bver": {"type": "integer", "maximum": MAX_VERSION},
        "n": text,
        "u": text,
        "v": number,
        "t": number,
        "s": number,
        "ut": number,
        "vs": text | {"description": "No number: such a point is quarantined."},
        "vd": text,
        "vb": {"type": "boolean"},
        STREAM_TYPE: text | {"description": "Of afluente: the type of the streams of this record and those after it."},
    }
    return _object("SenmlRecord", fields, []) | {"not": {"required": ["value"]}}


def _object(title: str, properties: Schema, required: list[str]) -> Schema:
    return {"title": title, "type": "object", "properties": properties, "required": required}
