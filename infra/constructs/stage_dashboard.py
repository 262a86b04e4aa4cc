"""The CloudWatch dashboard of a stage: how long points take, and what waits."""

from collections.abc import Iterator, Sequence

from aws_cdk import Duration
from aws_cdk.aws_cloudwatch import Dashboard, GraphWidget, IMetric, IWidget, Metric
from aws_cdk.aws_sqs import IQueue
from constructs import Construct

from afluente.domain.evaluation import Classification
from afluente.runtime.core.observability import METRICS_NAMESPACE
from afluente.runtime.core.observability import Metric as Name
from infra.stage import Stage

PERCENTILES = ("p50", "p95", "p99")

_FIVE_MINUTES = Duration.minutes(5)
_HALF_WIDTH = 12


class StageDashboard(Construct):
    """Durations by transport, queues with their ages, points by class, and what failed, of all domains together."""

    def __init__(
        self,
        scope: Construct,
        id_: str,
        *,
        stage: Stage,
        queues: Sequence[IQueue],
        dead_letter_queues: Sequence[IQueue],
    ) -> None:
        super().__init__(scope, id_)
        Dashboard(
            self,
            "Of-stage",
            dashboard_name=stage.prefix,
            default_interval=Duration.hours(3),
            widgets=[
                [delivery_times(stage), _answer_times(stage)],
                [
                    _graph("Queues: messages", [_depth(queue) for queue in queues]),
                    _graph("Queues: age of the oldest message, in seconds", [_age(queue) for queue in queues]),
                ],
                [
                    _graph("Points by class", list(_points(stage))),
                    _graph("Dead letters", [_depth(queue) for queue in dead_letter_queues]),
                ],
                [_graph("Failed, retried and quarantined", list(_failures(stage)))],
            ],
        )


def delivery_times(stage: Stage) -> IWidget:
    """Percentiles from acceptance to Kinesis by transport."""
    metrics = [
        _metric(stage, Name.ACCEPTANCE_TO_KINESIS, "classifier", percentile, transport=transport)
        for transport in _transports(stage)
        for percentile in PERCENTILES
    ]
    return _graph("From acceptance to Kinesis, in seconds", metrics)


def _answer_times(stage: Stage) -> IWidget:
    measured = {"http": "http_ingest"} | ({"ws": "ws_ingest"} if stage.enable_websocket_ingest else {})
    metrics = [
        _metric(stage, Name.REQUEST_TO_ANSWER, service, percentile, transport=transport)
        for transport, service in measured.items()
        for percentile in PERCENTILES
    ]
    return _graph("From request to answer, in seconds", metrics)


def _points(stage: Stage) -> Iterator[IMetric]:
    for classification in Classification:
        name = Name(f"Points{classification.title()}")
        yield _metric(stage, name, "classifier", "Sum")


def _failures(stage: Stage) -> Iterator[IMetric]:
    yield _metric(stage, Name.SERVER_ERRORS, "http_ingest", "Sum")
    yield _metric(stage, Name.POINTS_REJECTED, "http_ingest", "Sum")
    yield _metric(stage, Name.PACKS_RETURNED, "classifier", "Sum")
    yield _metric(stage, Name.PACKS_QUARANTINED, "classifier", "Sum")
    if stage.enable_mqtt_multi_domain:
        yield _metric(stage, Name.MESSAGES_QUARANTINED, "iot_rule_handler", "Sum")
    if stage.enable_csv_ingest:
        yield _metric(stage, Name.CSV_ROWS_REJECTED, "csv_trigger", "Sum")


def _transports(stage: Stage) -> Iterator[str]:
    yield "http"
    if stage.enable_mqtt_multi_domain:
        yield "mqtt"
    if stage.enable_websocket_ingest:
        yield "ws"
    if stage.enable_csv_ingest:
        yield "csv"


def _metric(stage: Stage, name: Name, service: str, statistic: str, **dimensions: str) -> Metric:
    label = " ".join([*dimensions.values(), statistic]) if dimensions else name.value
    return Metric(
        namespace=METRICS_NAMESPACE,
        metric_name=name,
        dimensions_map={"service": service, "stage": stage.name, **dimensions},
        statistic=statistic,
        label=label,
        period=_FIVE_MINUTES,
    )


def _depth(queue: IQueue) -> IMetric:
    return queue.metric_approximate_number_of_messages_visible(
        period=_FIVE_MINUTES, statistic="Maximum", label=queue.queue_name
    )


def _age(queue: IQueue) -> IMetric:
    return queue.metric_approximate_age_of_oldest_message(
        period=_FIVE_MINUTES, statistic="Maximum", label=queue.queue_name
    )


def _graph(title: str, metrics: Sequence[IMetric]) -> IWidget:
    return GraphWidget(title=title, left=list(metrics), width=_HALF_WIDTH)
