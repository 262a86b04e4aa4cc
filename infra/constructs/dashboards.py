"""CloudWatch dashboards: one a domain, and one of the stage."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from aws_cdk import Duration
from aws_cdk.aws_cloudwatch import (
    Dashboard,
    GraphWidget,
    IWidget,
    LogQueryVisualizationType,
    LogQueryWidget,
    MathExpression,
    Metric,
    TextWidget,
)
from aws_cdk.aws_kinesis import Stream
from aws_cdk.aws_logs import ILogGroup
from aws_cdk.aws_sqs import IQueue
from constructs import Construct

from afluente.application.csv.files import INBOX
from afluente.domain.evaluation import Classification
from afluente.runtime.core.observability import LogCode
from infra.constructs.mqtt import rule_name
from infra.constructs.stage_dashboard import StageDashboard, delivery_times
from infra.stage import Stage

_WHOLE_WIDTH = 24
_HALF_WIDTH = 12
_FIVE_MINUTES = Duration.minutes(5)
_BY_TIME = "bin(5m)"
_ALARMING = (Classification.ALERT, Classification.WARNING, Classification.ANOMALY)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """Sources of the figures; None for a transport that the stage does not have."""

    http_log: ILogGroup
    websocket_log: ILogGroup | None
    csv_log: ILogGroup
    alarms_log: ILogGroup
    datapoints: IQueue
    queues: Sequence[IQueue]
    dead_letter_queues: Sequence[IQueue]
    streams: Sequence[Stream]


class Dashboards(Construct):
    """A dashboard for each open domain: traffic by transport, and alarms by class and stream; and one of the stage.

    Log lines of a domain are counted when somebody looks: a metric of each domain would cost money all the time. Topic
    rules, of which each domain has its own, have metrics anyway.
    """

    def __init__(self, scope: Construct, id_: str, *, stage: Stage, sources: Sources) -> None:
        super().__init__(scope, id_)
        self._stage = stage
        self._sources = sources
        StageDashboard(self, "Stage", stage=stage, queues=sources.queues, dead_letter_queues=sources.dead_letter_queues)
        for domain in stage.domains:
            Dashboard(
                self,
                f"Of-{domain}",
                dashboard_name=f"{stage.prefix}-{domain}",
                default_interval=Duration.hours(3),
                widgets=[[self._head(domain)], list(self._in(domain)), self._alarms(domain), self._all_domains()],
            )

    def _head(self, domain: str) -> IWidget:
        stage = self._stage.name
        text = (
            f"# {domain}, stage {stage}\n"
            f"Points: `afluente tail --key '{domain}/*' --stage {stage}` · "
            f"constraints: `afluente constraints list --stage {stage}`"
        )
        return TextWidget(markdown=text, width=_WHOLE_WIDTH, height=2)

    def _in(self, domain: str) -> Iterator[IWidget]:
        """A widget for each transport that the stage has."""
        sources = self._sources
        yield _over_time(
            "HTTP: points accepted and rejected",
            sources.http_log,
            f'filter code = "{LogCode.REQUEST_ACCEPTED}" and domain = "{domain}"',
            "stats sum(inserted) as accepted, sum(rejected) as refused",
        )
        if self._stage.enable_mqtt_multi_domain:
            yield self._topic_rule(domain)
        if sources.websocket_log is not None:
            yield _over_time(
                "WebSocket: connections opened",
                sources.websocket_log,
                f'filter code = "{LogCode.CONNECTION_OPENED}" and domain = "{domain}"',
                "stats count(*) as connections",
            )
        if self._stage.enable_csv_ingest:
            yield _over_time(
                "CSV: files that became jobs",
                sources.csv_log,
                f'filter code = "{LogCode.CSV_JOB_REGISTERED}" and key like "{INBOX}/{domain}/"',
                "stats count(*) as files",
            )

    def _topic_rule(self, domain: str) -> IWidget:
        rule = rule_name(self._stage, domain)
        matched = Metric(
            namespace="AWS/IoT",
            metric_name="TopicMatch",
            dimensions_map={"RuleName": rule},
            label="messages",
            statistic="Sum",
            period=_FIVE_MINUTES,
        )
        # A search covers actions of every kind, which is a second dimension of the metric.
        failures = f'{{AWS/IoT,ActionType,RuleName}} MetricName="Failure" RuleName="{rule}"'
        failed = MathExpression(
            expression=f"SEARCH('{failures}', 'Sum', {_FIVE_MINUTES.to_seconds():.0f})",
            label="not queued",
            period=_FIVE_MINUTES,
        )
        return GraphWidget(title="MQTT: messages", left=[matched, failed], width=_HALF_WIDTH)

    def _alarms(self, domain: str) -> list[IWidget]:
        log, of_domain = self._sources.alarms_log, f'filter domain = "{domain}"'
        return [
            _over_time(
                "Alarms raised, by class",
                log,
                f'{of_domain} and state = "raised"',
                "fields " + ", ".join(f'strcontains(classification, "{name}") as is_{name}' for name in _ALARMING),
                "stats " + ", ".join(f"sum(is_{name}) as {name}" for name in _ALARMING),
            ),
            LogQueryWidget(
                title="Streams with most alarms",
                log_group_names=[log.log_group_name],
                query_lines=[
                    f'{of_domain} and state = "raised"',
                    "stats count(*) as alarms, latest(classification) as last_class by source_id, stream_id",
                    "sort alarms desc",
                    "limit 20",
                ],
                width=_HALF_WIDTH,
            ),
        ]

    def _all_domains(self) -> list[IWidget]:
        """Figures of all domains together: they show if one domain is slow, or all are."""
        sources = self._sources
        age = sources.datapoints.metric_approximate_age_of_oldest_message(period=_FIVE_MINUTES, statistic="Maximum")
        written = [
            stream.metric_incoming_bytes(period=_FIVE_MINUTES, statistic="Sum", label=stream.node.id.lower())
            for stream in sources.streams
        ]
        return [
            GraphWidget(title="All domains: age of the oldest pack", left=[age], width=_HALF_WIDTH),
            delivery_times(self._stage),
            GraphWidget(title="All domains: bytes to the stream of each class", left=written, width=_HALF_WIDTH),
        ]


def _over_time(title: str, log: ILogGroup, *query: str) -> IWidget:
    *before, stats = query
    return LogQueryWidget(
        title=title,
        log_group_names=[log.log_group_name],
        query_lines=[*before, f"{stats} by {_BY_TIME}"],
        view=LogQueryVisualizationType.LINE,
        width=_HALF_WIDTH,
    )
