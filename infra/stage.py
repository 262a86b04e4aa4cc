"""The stage: every value in which one deployment of the same stacks may differ from another."""

import dataclasses
from datetime import date
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, InstanceOf
from pydantic.dataclasses import dataclass

from afluente.application.classification.ports import STREAMS_PER_SOURCE
from afluente.application.limits.stage_limits import StageLimits
from afluente.domain.stream_keys import domain_faults
from afluente.migration.adapters.sql.names import TableNames
from afluente.migration.domain.legacy_service import LEGACY_DOMAIN
from infra.capacity import MEMORY_MB, BusyTable, FunctionName, MemoryMb, TableCapacity
from infra.concurrency import ReservedConcurrency
from infra.limits import DEFAULT_LIMITS

Architecture = Literal["arm64", "x86_64"]
LayerTarget = Literal["lambda", "host"]
LogLevel = Literal["DEBUG", "INFO", "WARNING", "ERROR"]
# The periods that CloudWatch Logs knows: PutRetentionPolicy, retentionInDays.
LogRetentionDays = Literal[
    1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653
]

VISIBILITY_FACTOR = 6
"""Lambda, "Using Lambda with Amazon SQS", visibility timeout of the queue: "at least six times the timeout" of the
function, so that messages whose polls are throttled do not spend their receives."""

_HELD_BEYOND_TIMEOUT_SECONDS = 10
_DEDUPLICATION_SECONDS = 300
"""SQS, "deduplication interval"."""

WAF_REGION = "us-east-1"
"""AWS WAF, "Resources that you can protect": the region of web ACLs for CloudFront."""


@dataclass(frozen=True, slots=True, kw_only=True, config=ConfigDict(extra="forbid"))
class Stage:
    """The values of one deployment; times carry their unit in the name.

    `name` becomes part of every resource name (`afluente-{name}-...`), hence its length and alphabet.
    """

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,15}$")]
    architecture: Architecture
    layer_target: LayerTarget = "lambda"
    """`lambda`: wheels for the Lambda runtime; `host`: for this machine and this Python, as the emulator runs both."""

    region: Annotated[str, Field(pattern=r"^[a-z]{2}(-[a-z]+)+-\d$")] = "us-east-1"
    account: Annotated[str, Field(pattern=r"^\d{12}$")] | None = None
    """With an account, a deployment with the credentials of another one is refused."""

    domains: Annotated[tuple[str, ...], Field(min_length=1)] = ("iot", "infrastructure", "finance", "health")
    enable_agnostic_api: bool = True
    """The route `POST /ingest/datapoints`; a stage that replaces a legacy service starts without it."""

    enable_mqtt_multi_domain: bool = True
    """Each open domain has its topic rule, and devices their policy: `<domain>/<source>/<stream>` over AWS IoT Core."""

    enable_basic_ingest: bool = True
    """Devices may publish to their topic rule, past the broker (AWS IoT Core, "Basic Ingest"), where no message is
    billed; not in domains with a dash, whose names those of rules cannot have."""

    enable_websocket_ingest: bool = True
    """The WebSocket API."""

    enable_csv_ingest: bool = True
    """CSV files are accepted, dropped into the bucket or uploaded."""

    enable_legacy_api: bool = True
    """Legacy packets are accepted at `POST /ingest/packets`; without it the route answers `410`."""

    enable_legacy_mqtt: bool = True
    """Messages to `iot/sensors/+/readings` are accepted, and legacy devices have their policy."""

    old_clients_deprecated_on: date = date(2026, 12, 1)
    """Legacy clients are asked to move from this day on."""

    old_clients_sunset_on: date | None = None
    """Legacy clients may be rejected from this day on; without a day none is announced to them."""

    old_clients_guide_url: Annotated[str, Field(pattern=r"^https?://[!#-;=?-~]+$")] | None = None
    """A guide for the authors of legacy clients."""

    use_agnostic_constraints: bool = True
    """Points are classified by the table of constraints; without it by the legacy tables, or all as normal where the
    stage has none."""

    old_sql_secret: Annotated[str, Field(min_length=1)] | None = None
    """The secret of AWS Secrets Manager, by name or ARN, with the connection to the legacy database."""

    old_sql_tables: dict[str, Any] = dataclasses.field(default_factory=dict)
    """Its tables and columns with other names than the usual ones (`TableNames`)."""

    old_sql_subnet_ids: tuple[Annotated[str, Field(pattern=r"^subnet-[0-9a-f]{8,17}$")], ...] = ()
    old_sql_security_group_ids: tuple[Annotated[str, Field(pattern=r"^sg-[0-9a-f]{8,17}$")], ...] = ()
    """The private network of the legacy database, which the classifier is attached to."""

    shards: Annotated[int, Field(ge=1, le=1_024)] = 64
    record_format: Literal["gzip", "plain"] = "plain"
    """Form of the Kinesis records; `gzip` costs a tenth, and readers that unpack themselves need no change of a
    setting to read either."""

    one_point_a_record: bool = False
    """Each point in a Kinesis record of its own, unpacked; expensive, and slow for a busy message group."""

    constraints_ttl_seconds: Annotated[int, Field(ge=0)] = 60
    streams_per_source: Annotated[int, Field(ge=1, le=100_000)] = STREAMS_PER_SOURCE
    """Streams that a source may have; points of others are quarantined."""

    compact_states: bool = True
    """States of streams are written in their compact form, which releases before it refuse to read."""

    log_level: LogLevel = "INFO"
    log_lines: Literal["all", "one"] = "all"
    """All lines of an invocation; or one, which has its metrics too, beside those of warnings and errors."""

    access_log: bool = True
    """API Gateway logs each call and message."""

    classifier_timeout_seconds: Annotated[int, Field(ge=1, le=900)] = 30
    queue_visibility_seconds: Annotated[int, Field(ge=1, le=43_200)] = 180
    """Visibility timeout of packs and MQTT messages; the classifier returns what it has not begun, visible at once."""

    mqtt_concurrency: Annotated[int, Field(ge=2, le=1_000)] = 2
    """Batches of MQTT messages that are processed at the same time (Lambda, "Maximum concurrency" of an SQS event
    source). Messages of one device in two batches may overtake each other: few large batches keep more of the order."""

    mqtt_message_points: Annotated[int, Field(ge=1, le=20_000)] = 1_000
    """Points that an MQTT message may have; one with more is quarantined as it came."""

    mqtt_window_seconds: Annotated[int, Field(ge=1, le=300)] = 1
    """Seconds for which MQTT messages are gathered (Lambda, "Batch window"): a longer one writes states more rarely."""

    mqtt_batch_messages: Annotated[int, Field(ge=1, le=10_000)] = 1_000
    """Messages that end the window early (Lambda, "Batch size" of a standard queue)."""

    csv_timeout_seconds: Annotated[int, Field(ge=10, le=280)] = 240
    """Less than the 5 minutes in which SQS drops duplicates ("deduplication interval"): a job that is retried after a
    crash repeats only packs that the queue drops."""

    csv_visibility_seconds: Annotated[int, Field(ge=10, le=43_200)] = 1_440
    """Visibility timeout of messages that wait for an invocation; one that has begun holds its message for
    `csv_held_seconds`."""

    csv_concurrency: Annotated[int, Field(ge=2, le=1_000)] = 10
    """Jobs, and parts of large ones, that are read at the same time (Lambda, "Maximum concurrency" of an SQS event
    source)."""

    csv_tenant_concurrency: Annotated[int, Field(ge=1, le=1_000)] | None = None
    """Those of them that one tenant may have; half of them by default."""

    csv_split_megabytes: Annotated[int, Field(ge=1)] = 256
    """Files from this size on are read in parts side by side."""

    csv_parts: Annotated[int, Field(ge=1, le=16)] = 4

    reserved_concurrency: ReservedConcurrency = ReservedConcurrency()
    """Executions of Lambda that are reserved for a function, and the most that it takes."""

    stream_shards: Annotated[int, Field(ge=1)] | None = None
    """Shards of each Kinesis stream in provisioned mode; without a number the streams are on demand."""

    table_capacity: dict[BusyTable, TableCapacity] = dataclasses.field(default_factory=dict)
    """Provisioned capacity by table; tables that are not named are on demand."""

    memory_mb: dict[FunctionName, MemoryMb] = dataclasses.field(default_factory=dict)
    """Memory by function, for those that are to have another than `MEMORY_MB` says."""

    stream_retention_hours: Annotated[int, Field(ge=24, le=8_760)] = 24
    quarantine_retention_days: Annotated[int, Field(ge=1)] = 90
    log_retention_days: LogRetentionDays = 30
    point_in_time_recovery: bool = True
    deletion_protection: bool = False
    """Tables and stacks refuse to be deleted until it is switched off."""

    keep_data: bool = False
    """The resources of the data stack outlive it."""

    customer_managed_key: bool = False
    """A key of the stage's own encrypts all that it keeps, in place of those that AWS manages in the account."""

    requests_per_second: Annotated[int, Field(ge=1)] = 1_000
    """Steady rate of the HTTP API, and of the messages of the WebSocket API, over all clients; twice as many may come
    at once."""

    enable_waf: bool = False
    """A CloudFront distribution with a web application firewall stands before the HTTP API; requests that bypass it are
    rejected."""

    waf_web_acl_arn: (
        Annotated[str, Field(pattern=r"^arn:aws[a-z-]*:wafv2:us-east-1:\d{12}:global/webacl/\S+$")] | None
    ) = None
    """An existing web ACL; without one the stage makes its own, which is possible in us-east-1 alone."""

    waf_requests_per_ip: Annotated[int, Field(ge=10, le=2_000_000_000)] = 30_000
    """Requests of one address in 5 minutes (AWS WAF, "Rate-based rule statement") before it is rejected for a while."""

    waf_secret_generation: Annotated[int, Field(ge=1)] = 1
    """Number of the secret that the distribution shows; the next number makes a new one, and the one before is still
    accepted."""

    waf_hostname: Annotated[str, Field(pattern=r"^([a-z0-9-]+\.)+[a-z]+$")] | None = None
    waf_certificate_arn: (
        Annotated[str, Field(pattern=r"^arn:aws[a-z-]*:acm:us-east-1:\d{12}:certificate/\S+$")] | None
    ) = None
    """A custom name of the distribution, and its certificate in us-east-1; with them it takes no TLS older than 1.2."""

    limits: InstanceOf[StageLimits] = DEFAULT_LIMITS
    """Requests and points that one address, one key and one source may send."""

    limits_fail: Literal["open", "shut"] = "open"
    """Requests pass uncounted (open), or are rejected (shut), while the table of limits does not answer."""

    operations_email: Annotated[str, Field(pattern=r"^[^@\s]+@[^@\s]+$")] | None = None
    domain_dashboards: bool = True
    """Each open domain has a CloudWatch dashboard."""

    def __post_init__(self) -> None:
        for domain in self.domains:
            for fault in domain_faults(domain):
                raise ValueError(f"domains: {domain!r} {fault.message}")
        # Names of topic rules have no dashes.
        by_rule = {domain.replace("-", "_"): domain for domain in self.domains}
        for domain in self.domains:
            other = by_rule[domain.replace("-", "_")]
            if other != domain or self.domains.count(domain) > 1:
                raise ValueError(f"domains: {domain!r} is too like {other!r}: leave one of them out")
        self._check_visibility("queue_visibility_seconds", "classifier_timeout_seconds")
        self._check_visibility("csv_visibility_seconds", "csv_timeout_seconds")
        if short := self.reserved_concurrency.faults(
            mqtt_concurrency=self.mqtt_concurrency, csv_concurrency=self.csv_concurrency
        ):
            raise ValueError("; ".join(short))
        self._check_front()
        if self.layer_target == "host" and any(its.follows_load for its in self.table_capacity.values()):
            raise ValueError("table_capacity: the emulator has no autoscaling; leave the maxima out")
        TableNames.read(self.old_sql_tables)
        if self.old_clients_sunset_on is not None and self.old_clients_sunset_on < self.old_clients_deprecated_on:
            raise ValueError(
                f"old_clients_sunset_on is {self.old_clients_sunset_on}, before old_clients_deprecated_on "
                f"({self.old_clients_deprecated_on}): a call is deprecated first"
            )
        if bool(self.old_sql_subnet_ids) != bool(self.old_sql_security_group_ids):
            raise ValueError("old_sql_subnet_ids and old_sql_security_group_ids: write both, or neither")

    def _check_visibility(self, visibility: str, timeout: str) -> None:
        # The emulator throttles no poll, so there a little more than the timeout will do.
        least = getattr(self, timeout) * (VISIBILITY_FACTOR if self.layer_target == "lambda" else 1)
        if getattr(self, visibility) < least:
            times = "six times " if self.layer_target == "lambda" else ""
            raise ValueError(
                f"{visibility} is {getattr(self, visibility)}, less than {times}{timeout} ({getattr(self, timeout)}): "
                f"write {visibility} = {least}, or lower the second"
            )

    def _check_front(self) -> None:
        if bool(self.waf_hostname) != bool(self.waf_certificate_arn):
            raise ValueError("waf_hostname and waf_certificate_arn: write both, or neither")
        if self.enable_waf and self.layer_target == "host":
            raise ValueError("enable_waf: the emulator has no CloudFront; leave it off in the stage of this machine")
        if self.enable_waf and self.waf_web_acl_arn is None and self.region != WAF_REGION:
            raise ValueError(
                f"enable_waf: the web ACL of a CloudFront distribution is in {WAF_REGION}, and this stage is in "
                f"{self.region}: make one there, and write its ARN as waf_web_acl_arn"
            )

    def memory_of(self, function: FunctionName) -> int:
        """Memory of a function, in megabytes."""
        return self.memory_mb.get(function, MEMORY_MB[function])

    @property
    def csv_held_seconds(self) -> int:
        """Time for which a CSV message is hidden from the beginning of an invocation on, less than the deduplication
        interval; 0 where the visibility timeout of the queue is less itself.
        """
        if self.csv_visibility_seconds < _DEDUPLICATION_SECONDS:
            return 0
        return self.csv_timeout_seconds + _HELD_BEYOND_TIMEOUT_SECONDS

    @property
    def reservations(self) -> dict[str, int]:
        """Executions that are reserved, by the names of the functions that the stage has."""
        return {
            f"{self.prefix}-{field.name.replace('_', '-')}": executions
            for field in dataclasses.fields(ReservedConcurrency)
            if (executions := self.reserved_concurrency.of(field.name))
            and (self.enable_websocket_ingest or field.name != "ws_ingest")
        }

    @property
    def csv_tenant_share(self) -> int:
        """Jobs, and parts of large ones, of one tenant that are read at the same time."""
        return self.csv_tenant_concurrency or self.csv_concurrency // 2

    @property
    def reads_legacy_tables(self) -> bool:
        """Streams that have not moved are classified by the legacy tables."""
        return self.old_sql_secret is not None and not self.use_agnostic_constraints

    @property
    def takes_packets(self) -> bool:
        """Legacy clients may send packets over HTTP."""
        return self.enable_legacy_api and LEGACY_DOMAIN in self.domains

    @property
    def accepts_legacy_messages(self) -> bool:
        """Legacy devices may publish readings over MQTT."""
        return self.enable_legacy_mqtt and LEGACY_DOMAIN in self.domains

    @property
    def prefix(self) -> str:
        """The beginning of the name of every resource of this stage."""
        return f"afluente-{self.name}"
