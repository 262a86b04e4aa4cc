"""Traffic, and the values of a stage that its cost hangs on."""

from typing import Literal

import msgspec

from afluente.application.limits.stage_limits import Limits
from infra.capacity import FunctionName, TableCapacity
from infra.stage import Stage

Transport = Literal["http", "ws", "mqtt", "csv"]


class Workload(msgspec.Struct, frozen=True):
    """Traffic of one kind.

    Attributes:
        transport: over which the points come.
        points_per_second: of all sources, the mean of a month.
        streams: of all sources.
        sources: that the streams belong to; each request, message or file is of one.
        points_per_request: points of a request, message or file.
    """

    transport: Transport
    points_per_second: float
    streams: int
    sources: int
    points_per_request: int

    @property
    def requests_per_second(self) -> float:
        """Requests, messages or files a second."""
        return self.points_per_second / self.points_per_request

    @property
    def streams_a_source(self) -> int:
        """Streams of a source, rounded up."""
        return -(-self.streams // self.sources)


class StageOptions(msgspec.Struct, frozen=True):
    """Values of a stage: memory by function, and by table the provisioned capacity of those that are not on demand."""

    name: str
    architecture: str
    memory_mb: dict[str, int]
    table_capacity: dict[str, TableCapacity]
    stream_shards: int | None
    record_format: str
    log_lines: str
    access_log: bool
    basic_ingest: bool
    mqtt_window_seconds: int
    mqtt_batch_messages: int
    shards: int
    classifier_concurrency: int | None
    constraints_ttl_seconds: int
    limits_of_key: Limits
    limits_of_source: Limits
    limits_of_ip: Limits


def options_of(stage: Stage) -> StageOptions:
    """The values of a stage that cost hangs on."""
    functions: tuple[FunctionName, ...] = (
        "http_ingest",
        "ws_ingest",
        "iot_rule_handler",
        "csv_trigger",
        "classifier",
    )
    return StageOptions(
        name=stage.name,
        architecture=stage.architecture,
        memory_mb={str(function): stage.memory_of(function) for function in functions},
        table_capacity={str(name): its for name, its in stage.table_capacity.items()},
        stream_shards=stage.stream_shards,
        record_format="point" if stage.one_point_a_record else stage.record_format,
        log_lines=stage.log_lines,
        access_log=stage.access_log,
        basic_ingest=stage.enable_basic_ingest,
        mqtt_window_seconds=stage.mqtt_window_seconds,
        mqtt_batch_messages=stage.mqtt_batch_messages,
        shards=stage.shards,
        classifier_concurrency=stage.reserved_concurrency.of("classifier"),
        constraints_ttl_seconds=stage.constraints_ttl_seconds,
        limits_of_key=stage.limits.key,
        limits_of_source=stage.limits.source,
        limits_of_ip=stage.limits.ip,
    )
