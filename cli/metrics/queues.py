"""Depth and age of the queues of a deployment."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from cli.core.target import Target
from cli.metrics.snapshot import Queue
from cli.operations.dead_letters import OUTPUTS
from cli.operations.status import queue_status

if TYPE_CHECKING:
    from mypy_boto3_cloudwatch import CloudWatchClient
    from mypy_boto3_cloudwatch.type_defs import MetricDataQueryTypeDef

_AGE_WINDOW = timedelta(minutes=10)
"""SQS reports ages a few minutes late."""


def queues_of(target: Target) -> list[Queue]:
    """The queues of a deployment."""
    urls = {str(name): target[queue] for name, (_, queue) in OUTPUTS.items()}
    ages = {} if target.is_local else _ages(target.client("cloudwatch"), list(urls.values()))
    queues = []
    for name, (dead_letters, _) in OUTPUTS.items():
        status = queue_status(target, urls[name])
        queues.append(
            Queue(
                name=str(name),
                waiting=status.waiting,
                in_flight=status.in_flight,
                dead_letters=queue_status(target, target[dead_letters]).waiting,
                oldest_seconds=ages.get(urls[name]),
            )
        )
    return queues


def _ages(client: "CloudWatchClient", urls: Sequence[str]) -> dict[str, float]:
    """The ages of the oldest messages in seconds, by the URL of their queue."""
    queries: list[MetricDataQueryTypeDef] = [
        {
            "Id": f"q{place}",
            "MetricStat": {
                "Metric": {
                    "Namespace": "AWS/SQS",
                    "MetricName": "ApproximateAgeOfOldestMessage",
                    "Dimensions": [{"Name": "QueueName", "Value": url.rpartition("/")[2]}],
                },
                "Period": 60,
                "Stat": "Maximum",
            },
        }
        for place, url in enumerate(urls)
    ]
    now = datetime.now(UTC)
    answer = client.get_metric_data(
        MetricDataQueries=queries, StartTime=now - _AGE_WINDOW, EndTime=now, ScanBy="TimestampDescending"
    )
    return {urls[int(one["Id"][1:])]: one["Values"][0] for one in answer["MetricDataResults"] if one["Values"]}
