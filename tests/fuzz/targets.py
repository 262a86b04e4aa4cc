"""Targets of fuzzing: every decoder, as a function of bytes that raises nothing unless there is a finding.

A target takes any bytes. It lets through the errors that its decoder documents, and nothing else; where the decoder
takes what it is given, the target holds it to what follows: what was read can be written and read again, an answer can
be made of it, what is rejected can be kept.
"""

import base64
import io
import json
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, BinaryIO, cast
from urllib.parse import parse_qsl, unquote

import msgspec

from afluente.adapters.aws import s3_events
from afluente.adapters.aws.dynamodb_state_items import bucket_of_item
from afluente.adapters.aws.s3_csv_options import parsed_options
from afluente.adapters.aws.sqs_csv_jobs import NoPartError, queued_part
from afluente.adapters.codecs.csv.chunks import ChunkReader
from afluente.adapters.codecs.csv.inference import inspect, sample_of
from afluente.adapters.codecs.csv.layout import from_document, to_document
from afluente.adapters.codecs.csv.options import CSVIngestConfig, option_faults
from afluente.adapters.codecs.csv.unpacking import open_unpacked
from afluente.adapters.codecs.csv_jobs import decode_part, encode_head, encode_part
from afluente.adapters.codecs.json_documents import MalformedJsonError
from afluente.adapters.codecs.packs import UndecodablePackError, decode_pack, encode_pack
from afluente.adapters.codecs.states import decode_state, encode_state
from afluente.adapters.http import alarms as alarm_requests
from afluente.adapters.http import answers as http_answers
from afluente.adapters.http import constraint_bodies, constraint_queries, csv_jobs, csv_uploads
from afluente.adapters.http import constraints as constraint_answers
from afluente.adapters.http import points as point_requests
from afluente.adapters.http import requests as http_requests
from afluente.adapters.http.conditions import conditions_of
from afluente.adapters.http.errors import RequestError
from afluente.adapters.memory.alarms import MemoryAlarmLog
from afluente.adapters.memory.constraints import MemoryConstraints
from afluente.adapters.mqtt import messages as mqtt_messages
from afluente.adapters.websocket import messages as ws
from afluente.application.access.api_keys import id_in
from afluente.application.access.grants import Grant
from afluente.application.alarms.history import list_alarms
from afluente.application.alarms.ports import ReportedAlarm
from afluente.application.classification.ports import DamagedStateError
from afluente.application.constraints.documents import ConstraintEntry, parse_document, parse_entry
from afluente.application.constraints.listing import ConstraintsQuery, digest_of, list_constraints
from afluente.application.csv.faults import NotReadableError
from afluente.application.csv.files import FileVersion, is_option_file, upload_key
from afluente.application.csv.jobs import CsvJob, JobStatus
from afluente.application.csv.progress import PartProgress, with_counts
from afluente.application.csv.registry import JobRegistry
from afluente.application.ingest.accept_points import AcceptPoints, PointsRequest
from afluente.application.ingest.packs import Pack
from afluente.application.ingest.quarantine import QuarantinedRecord
from afluente.application.websocket.connections import Connection
from afluente.domain.alarms import AlarmChange, AlarmEvent
from afluente.domain.constraints import Severity, VersionedConfig
from afluente.domain.datapoints import DataPoint
from afluente.domain.evaluation import Classification, Reason
from afluente.domain.faults import FaultyError
from afluente.domain.stream_keys import StreamKey
from afluente.migration.adapters import messages as legacy_messages
from afluente.migration.adapters import packets as legacy_packets
from afluente.runtime.iot_rule_handler import IotRuleHandlerSettings
from cli.constraints.files import parse_text
from cli.core.errors import CommandError
from cli.core.output import harmless
from iot_rule_handler.batch import decode_allowed, read_batch

Target = Callable[[bytes], None]

SEPARATOR = b"\n----\n"
"""Between the settings of an input and what is decoded, in targets that have both."""

NOW = 1_700_000_000.0
_DOMAINS = ("finance", "health", "infrastructure", "iot")
_MQTT_SETTINGS = IotRuleHandlerSettings(
    domains=_DOMAINS, shards=64, datapoints_queue_url="memory", quarantine_bucket="memory"
)
_MAX_READ_BYTES = 4 * 1024 * 1024
_GRANT = Grant(key_id="aaaqeaye")
_CREATOR = csv_uploads.Creator("0123456789abcdef01234567", _GRANT, NOW)


class _Outside:
    """The queue and the quarantine as they are reached: by encoders that must not fail."""

    def send(self, packs: list[Pack]) -> None:
        for pack in packs:
            _same_points(tuple(pack.points))

    def put(self, record: QuarantinedRecord) -> None:
        msgspec.json.encode(record)


_SCOPES = ("iot", "iot#celsius", "iot/furnace-1/temperature")
_PATH = ("domain", "source_id", "stream_id")
_PATHS: tuple[dict[str, str], ...] = ({"domain": "iot"}, dict(zip(_PATH, _SCOPES[-1].split("/"), strict=True)))
_MAX_SORT_KEY_BYTES = 1024
"""Limit of a sort key of DynamoDB, which refuses queries for longer ones."""

_VERSIONED = VersionedConfig(parse_entry({"domain": "iot"}).config, 3)
_alarms = MemoryAlarmLog()
_alarms.report(
    *(
        ReportedAlarm(
            int(NOW * 1000) - back,
            AlarmEvent(
                alarm_id=f"{back:024x}",
                state=AlarmChange.RAISED,
                domain="iot",
                source_id="furnace-1",
                stream_id="temperature",
                classification=Classification.ALERT,
                severity=Severity.CRITICAL,
                reason=Reason.HARD_LIMIT,
                value=120.0,
                timestamp=NOW,
                count=3,
                raised_at=NOW,
            ),
        )
        for back in (1, 500, 1_500, 2_500)
    )
)
_catalogue = MemoryConstraints(clock=lambda: NOW)
_catalogue.put_all([(scope, _VERSIONED.config) for scope in _SCOPES])

_accept = AcceptPoints(queue=_Outside(), quarantine=_Outside(), shards=64)  # type: ignore[arg-type] # of both, what is used


def http_points(data: bytes) -> None:
    """`POST /ingest/datapoints`: settings `gzip`, `x-domain`, `x-source-id`, then the body."""
    settings, body = _settings(data)
    headers = {"content-type": "application/json", **_headers(settings)}
    with _documented(RequestError):
        raw = http_requests.read_body(_as_event(body), is_base64=True, headers=headers)
        request = point_requests.decode_points(
            raw, headers=headers, domains=_DOMAINS, grant=_GRANT, request_id="r", now=NOW
        )
        _accept_request(request)


def http_gzip(data: bytes) -> None:
    """A body that says that it is gzip."""
    headers = {"content-encoding": "gzip"}
    with _documented(RequestError):
        raw = http_requests.read_body(_as_event(data), is_base64=True, headers=headers)
        assert len(raw) <= http_requests.MAX_BODY_BYTES


def legacy_packet(data: bytes) -> None:
    """`POST /ingest/packets`."""
    with _documented(RequestError):
        readings = legacy_packets.decode_packet(data, domains=_DOMAINS, now=NOW)
        _accept_request(readings.request("r", {}))


def csv_upload(data: bytes) -> None:
    """`POST /ingest/csv`: the boundary, then the form."""
    settings, body = _settings(data)
    headers = {"content-type": f"multipart/form-data; boundary={settings.get('boundary', 'x')}", **_headers(settings)}
    with _documented(RequestError):
        text = _as_event(body)
        upload = csv_uploads.decode_upload(text, is_base64=True, headers=headers, domains=_DOMAINS, creator=_CREATOR)
        _expect(upload.job)


def csv_announcement(data: bytes) -> None:
    """`POST /ingest/csv/uploads`, and the renewal of its URLs."""
    with _documented(RequestError):
        announcement = csv_uploads.decode_announcement(data, headers={}, domains=_DOMAINS, creator=_CREATOR)
        _expect(announcement.job)
    with _documented(RequestError):
        csv_uploads.decode_renewal(data)


def csv_query(data: bytes) -> None:
    """`GET /ingest/csv`: the query string."""
    parameters = dict(parse_qsl(data.decode("utf-8", "surrogateescape"), keep_blank_values=True))
    with _documented(RequestError):
        csv_jobs.decode_query(parameters)


def ws_message(data: bytes) -> None:
    """A message of the WebSocket API."""
    connection = Connection("c", "iot", "furnace-1", "aaaqeaye", NOW)
    message = ws.read_message(data.decode("utf-8", "surrogateescape"))
    if isinstance(message, ws.ErrorMessage):
        ws.encode(message)
        return
    if not isinstance(message, ws.Points):
        return
    fault = ws.contradiction(message, connection)
    if fault is not None:
        ws.encode(fault)
        return
    with _documented(MalformedJsonError):
        request = ws.points_request(message, connection, request_id="r", now=NOW)
        _accept(request)
        answers = ws.acknowledgements(message, request.rejected)
        assert len(answers) == len(message.items)
        ws.encode(answers)


def mqtt_message(data: bytes) -> None:
    """A message of the inbox, whatever wrote it."""
    body = data.decode("utf-8", "surrogateescape")
    record = {"messageId": "m", "body": body, "attributes": {"SentTimestamp": str(int(NOW * 1000))}}
    batch = read_batch([record], _MQTT_SETTINGS)
    requests = decode_allowed(batch, batch.counted, _MQTT_SETTINGS)
    for request in [*requests, *(its.request("m", {}) for its in batch.legacy.values())]:
        _accept(request)
    assert not batch.failed
    for kept in batch.unusable:
        _Outside().put(kept)


def mqtt_payload(data: bytes) -> None:
    """A device's message: its topic, then its payload."""
    topic, _, payload = data.partition(SEPARATOR)
    encoded = base64.b64encode(payload).decode()
    message = mqtt_messages.MqttMessage(encoded, topic.decode("utf-8", "replace"), NOW * 1000)
    with _documented(mqtt_messages.UnusableMessageError):
        _read_mqtt(message)


def s3_event(data: bytes) -> None:
    """A message of the queue of dropped files."""
    body = data.decode("utf-8", "surrogateescape")
    try:
        files = s3_events.dropped_files(body)
    except s3_events.NoNotificationError as error:
        _Outside().put(s3_events.quarantined_csv_message(body, error, message_id="m", sent_at=NOW))
        return
    for file in files:
        _register(file)


def s3_key(data: bytes) -> None:
    """The key of a dropped file."""
    _register(FileVersion(data.decode("utf-8", "surrogateescape"), "1", "etag", 1))


def csv_message(data: bytes) -> None:
    """A message of the queue of parts."""
    with _documented(NoPartError):
        queued_part(data.decode("utf-8", "surrogateescape"))


def pack(data: bytes) -> None:
    """The body of a message of the classifier's queue."""
    with _documented(UndecodablePackError):
        _same_points(decode_pack(data.decode("utf-8", "surrogateescape")).points)


def pack_content(data: bytes) -> None:
    """The same, past its base64 and compression."""
    pack(base64.b64encode(zlib.compress(data, 1)))


def state(data: bytes) -> None:
    """The state of a stream."""
    with _documented(msgspec.DecodeError):
        read = decode_state(data)
        encoded = encode_state(read)
        assert encode_state(decode_state(encoded)) == encoded


def state_item(data: bytes) -> None:
    """An item of states, of which the streams are as they were found."""
    item: Any = {
        "source": {"S": "iot/furnace-1"},
        "bucket": {"N": "0"},
        "version": {"N": "1"},
        "group": {"S": "1/64"},
        "streams": {"B": data},
    }
    with _documented(DamagedStateError):
        bucket_of_item(item)


def csv_options(data: bytes) -> None:
    """A file of options beside a CSV file."""
    with _documented(NotReadableError):
        options = parsed_options(data, "inbox/iot/furnace-1/march.csv.json")
        if not option_faults(options):
            given = CSVIngestConfig.model_validate(options).given()
            assert CSVIngestConfig.model_validate(given).given() == given
            msgspec.json.encode(given)


def csv_file(data: bytes) -> None:
    """A CSV file: its options, then its bytes."""
    settings, content = _settings(data)
    if option_faults(settings):
        settings = {}
    config = CSVIngestConfig.model_validate({**settings, "source_id": "furnace-1"})
    with _documented(NotReadableError):
        sample, is_whole = sample_of(io.BytesIO(content))
        seen = inspect(sample, is_whole=is_whole, given=config, file="march.csv")
        assert from_document(json.loads(json.dumps(to_document(seen.layout)))) == seen.layout
        file = io.BytesIO(content)
        begins = seen.layout.begins
        file.seek(begins.offset)
        reader = ChunkReader(seen.layout, "furnace-1", part=0, parts=1, clock=lambda: NOW, now=NOW)
        part = PartProgress()
        for chunk in reader.chunks(cast("BinaryIO", file), begins, file.tell):
            for series in chunk.series:
                for time, value in zip(series.timestamps, series.values, strict=True):
                    DataPoint(
                        domain="iot",
                        source_id="furnace-1",
                        stream_id=series.stream_id,
                        stream_type=series.stream_type,
                        timestamp=time,
                        value=value,
                    )
            part = with_counts(part, rejected=chunk.rejected, streams={}, named_streams=10)
        encoded = encode_part(part)
        assert encode_part(decode_part(encoded)) == encoded


def csv_packed(data: bytes) -> None:
    """A packed file: `gz` or `zst`, then its bytes."""
    form, _, content = data.partition(SEPARATOR)
    name = "march.csv.zst" if form == b"zst" else "march.csv.gz"
    with _documented(NotReadableError):
        unpacked = open_unpacked(io.BytesIO(content), name)
        read = 0
        while read < _MAX_READ_BYTES and (more := unpacked.read(65_536)):
            assert len(more) <= 65_536
            read += len(more)


def constraints_json(data: bytes) -> None:
    """A file of constraints, as JSON."""
    _constraints(data, "constraints.json")


def constraints_yaml(data: bytes) -> None:
    """A file of constraints, as YAML."""
    _constraints(data, "constraints.yaml")


def constraint_body(data: bytes) -> None:
    """A body of the routes of constraints, whichever it came to."""
    event = {"body": _as_event(data), "isBase64Encoded": True, "headers": {}}
    for scope in _SCOPES:
        with _documented(RequestError):
            _can_be_rendered(scope, constraint_bodies.decode_entry(event, scope))
    with _documented(RequestError):
        for entry in constraint_bodies.decode_entries(event, _GRANT):
            _can_be_rendered(entry.scope, entry)
    with _documented(RequestError):
        assert 1 <= constraint_bodies.decode_version(event) <= constraint_queries.MAX_VERSION


def constraint_query(data: bytes) -> None:
    """The query of the routes of constraints, beside each of their paths; the path, then the query."""
    path, query = _settings(data)
    given = query.decode("utf-8", "surrogateescape")
    named = {name: text for name, text in path.items() if name in _PATH and type(text) is str}
    for parameters in (*_PATHS, {"domain": "iot", **named}):
        event = {"rawQueryString": given, "pathParameters": parameters}
        with _documented(RequestError):
            scope = constraint_queries.reached_scope(event, _GRANT, beside=constraint_queries.OF_HISTORY)
            assert _found_at(constraint_queries.location_of(scope)) == scope
        with _documented(RequestError):
            constraint_queries.decode_history_query(event)
    with _documented(RequestError):
        asked, after = constraint_queries.decode_listing({"rawQueryString": given}, _GRANT)
        _listed(asked, after)


def constraint_conditions(data: bytes) -> None:
    """`If-Match` and `If-None-Match`: a line each."""
    match, newline, none_match = data.decode("utf-8", "surrogateescape").partition("\n")
    headers = {"if-match": match, **({"if-none-match": none_match} if newline else {})}
    with _documented(RequestError):
        conditions = conditions_of(headers)
        assert conditions.are_given
        for present in (None, _VERSIONED):
            conditions.hold(present)


def constraint_page(data: bytes) -> None:
    """A token of a page of constraints that is made up, beside the query and the key that it is for."""
    asked = ConstraintsQuery()
    for text in (data, digest_of(asked, _GRANT).encode() + data):
        token = base64.urlsafe_b64encode(text).decode().rstrip("=")
        with _documented(RequestError):
            query, after = constraint_queries.decode_listing({"rawQueryString": f"next={token}"}, _GRANT)
            assert query == asked
            _listed(query, after)


def alarm_query(data: bytes) -> None:
    """`GET /alarms`: the query string, with where a page begins."""
    parameters = dict(parse_qsl(data.decode("utf-8", "surrogateescape"), keep_blank_values=True))
    with _documented(RequestError):
        query = alarm_requests.decode_alarm_query(parameters, NOW)
        http_requests.check_scope(_GRANT, query.missing(_GRANT))
        page = list_alarms(_alarms, query, _GRANT)
        document = alarm_requests.alarm_list(page)
        msgspec.json.encode(document)
        if document.next is not None:
            assert alarm_requests.decode_alarm_query({"next": document.next}, NOW).cursor == page.cursor


def stream_key(data: bytes) -> None:
    """The text of a stream key."""
    text = data.decode("utf-8", "surrogateescape")
    with _documented(FaultyError):
        assert str(StreamKey.parse(text)) == text


def api_key(data: bytes) -> None:
    """The text of an API key."""
    key_id = id_in(data.decode("utf-8", "surrogateescape"))
    assert key_id is None or key_id.encode() in data


def terminal(data: bytes) -> None:
    """Untrusted text on the console: no sequence that a terminal obeys."""
    shown = harmless(data.decode("utf-8", "surrogateescape"))
    assert all(sign.isprintable() or sign in "\n\t" or ord(sign) > 0x9F for sign in shown)
    shown.encode()


TARGETS: Mapping[str, Target] = {
    target.__name__: target
    for target in (
        http_points,
        http_gzip,
        legacy_packet,
        csv_upload,
        csv_announcement,
        csv_query,
        ws_message,
        mqtt_message,
        mqtt_payload,
        s3_event,
        s3_key,
        csv_message,
        pack,
        pack_content,
        state,
        state_item,
        csv_options,
        csv_file,
        csv_packed,
        constraints_json,
        constraints_yaml,
        constraint_body,
        constraint_query,
        constraint_conditions,
        constraint_page,
        alarm_query,
        stream_key,
        api_key,
        terminal,
    )
}
"""By name."""


class _documented:  # noqa: N801 - reads as a statement
    """A block that may end with a documented error; a `RequestError` is answered with a problem that can be sent."""

    def __init__(self, error: type[Exception]) -> None:
        self._error = error

    def __enter__(self) -> None: ...

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _traceback: object) -> bool:
        if kind is None or not issubclass(kind, self._error):
            return False
        if isinstance(error, RequestError):
            assert 400 <= error.status < 500, error.status
            http_answers.problem(
                error.status, error.code, error.detail, request_id="r", extra=error.extra
            ).body.encode()
        else:
            str(error).encode("utf-8", "backslashreplace")
        return True


def _accept_request(request: PointsRequest) -> None:
    """A request through the HTTP function: queue, quarantine, answer."""
    _accept(request)
    http_answers.document(202, point_requests.receipt(request)).body.encode()


def _same_points(points: tuple[DataPoint, ...]) -> None:
    if points:
        arrived = tuple(msgspec.structs.replace(point, ingested_at=point.ingested_at or 0.0) for point in points)
        assert repr(decode_pack(encode_pack(arrived).body).points) == repr(arrived)


def _read_mqtt(message: mqtt_messages.MqttMessage) -> None:
    if legacy_messages.is_legacy_topic(message.topic):
        legacy = legacy_messages.decode_legacy_message(message, domains=_DOMAINS, max_points=1_000)
        _accept(legacy.request("m", {}))
    else:
        _accept(mqtt_messages.decode_message(message, domains=_DOMAINS, request_id="m", max_points=1_000))


def _expect(job: CsvJob) -> None:
    """An upload stays in the folder of its job, and its job can be stored and reported."""
    key = upload_key(job.domain, job.source_id, job.job_id, job.file)
    assert key.split("/") == ["inbox", job.domain, job.source_id, key.split("/")[3], job.job_id, job.file], key
    assert len(key.encode()) <= 1024
    encode_head(job)


class _Jobs:
    """A store of jobs that keeps what can be kept."""

    def find(self, job_id: str) -> None:
        job_id.encode("utf-8", "surrogatepass")

    def create(self, job: CsvJob) -> CsvJob:
        encode_head(job)
        return job

    def options_of(self, file: FileVersion) -> tuple[dict[str, Any], str | None]:
        return {}, None

    def failure_of(self, job: CsvJob, file: FileVersion, now: float) -> None:
        return None

    def send(self, job: CsvJob, part: int, *, renewal: str = "") -> None:
        assert job.status is JobStatus.QUEUED


def _register(file: FileVersion) -> None:
    if is_option_file(file.key):
        return
    jobs: Any = _Jobs()
    job = JobRegistry(store=jobs, domains=_DOMAINS).register(file, NOW, options=jobs, queue=jobs, uploads=jobs)
    if job.status is not JobStatus.FAILED:
        StreamKey(job.domain, job.source_id, "any")
        assert file.key.startswith(f"inbox/{job.domain}/{job.source_id}/")


def _constraints(data: bytes, name: str) -> None:
    try:
        document = parse_text(Path(name), data.decode("utf-8-sig"))
    except (CommandError, UnicodeDecodeError):
        return
    good, bad = parse_document(document)
    for entry in good:
        msgspec.json.encode(entry.config)
    for faulty in bad:
        assert faulty.faults


def _can_be_rendered(scope: str, entry: ConstraintEntry) -> None:
    """An accepted entry is of its scope, and reads the same once it was rendered."""
    assert entry.scope == scope
    answer = constraint_answers.constraints(scope, VersionedConfig(entry.config, 1), status=201)
    rendered = json.loads(answer.body)
    del rendered["version"]
    assert parse_entry(rendered) == entry
    assert answer.headers["location"].isascii()


def _found_at(location: str) -> str:
    """The scope that a client reaches where it is sent to."""
    path, _, query = location.partition("?")
    parts = dict(zip(_PATH, (unquote(part) for part in path.split("/")[2:]), strict=False))
    return constraint_queries.reached_scope({"rawQueryString": query, "pathParameters": parts}, _GRANT)


def _listed(query: ConstraintsQuery, after: str | None) -> None:
    """A page that begins where it was asked for, and its answer."""
    assert after is None or len(after.encode()) < _MAX_SORT_KEY_BYTES, after
    page = list_constraints(_catalogue, query, after=after, domains=_DOMAINS, grant=_GRANT)
    constraint_answers.listing(page, query, _GRANT).body.encode()


def _settings(data: bytes) -> tuple[dict[str, Any], bytes]:
    """The settings of an input, as JSON, and the rest; without a separator all of it is the rest."""
    head, separator, rest = data.partition(SEPARATOR)
    if not separator:
        return {}, data
    try:
        settings = json.loads(head)
    except ValueError:
        return {}, rest
    return (settings, rest) if isinstance(settings, dict) else ({}, rest)


def _headers(settings: Mapping[str, Any]) -> dict[str, str]:
    return {name: text for name, text in settings.items() if name.startswith(("x-", "content-")) and type(text) is str}


def _as_event(body: bytes) -> str:
    """A body as API Gateway hands it on."""
    return base64.b64encode(body).decode()
