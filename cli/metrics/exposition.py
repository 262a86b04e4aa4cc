"""Metrics in the exposition format of Prometheus."""

from collections.abc import Callable, Iterable, Iterator, Sequence

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric, SummaryMetricFamily
from prometheus_client.registry import Collector

from cli.metrics.families import COUNTS, DEAD_LETTERS, DURATIONS, PREFIX, QUEUE_AGE, QUEUE_MESSAGES, family_of
from cli.metrics.snapshot import Count, Duration, Queue, Snapshot


class SnapshotCollector(Collector):
    """A collector that takes a snapshot each time it is asked."""

    def __init__(self, take: Callable[[], Snapshot]) -> None:
        self._take = take

    def describe(self) -> Iterable[Metric]:
        """No families: the registry would take a snapshot to learn of them."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """The families of a snapshot."""
        snapshot = self._take()
        yield from _counts(snapshot.stage, snapshot.counts)
        yield from _durations(snapshot.stage, snapshot.durations)
        yield from _queues(snapshot.stage, snapshot.queues)


def registry_of(take: Callable[[], Snapshot]) -> CollectorRegistry:
    """A registry of nothing but snapshots."""
    registry = CollectorRegistry()
    registry.register(SnapshotCollector(take))
    return registry


def exposition(snapshot: Snapshot) -> str:
    """A snapshot in the exposition format."""
    return generate_latest(registry_of(lambda: snapshot)).decode()


def _counts(stage: str, counts: Iterable[Count]) -> Iterator[Metric]:
    # A series that begins with 0 has a rate from its first count on.
    totals = {(metric.value, its.service): 0 for metric, its in COUNTS.items() if its.service is not None}
    totals |= {(count.metric, count.service): count.total for count in counts}
    families: dict[str, CounterMetricFamily] = {}
    for (metric, service), total in sorted(totals.items()):
        its = family_of(metric)
        if its.name not in families:
            families[its.name] = CounterMetricFamily(
                PREFIX + its.name, its.help, labels=["stage", "service", *its.labels]
            )
        families[its.name].add_metric([stage, service, *its.labels.values()], total)
    yield from families.values()


def _durations(stage: str, durations: Sequence[Duration]) -> Iterator[Metric]:
    for metric, its in DURATIONS.items():
        name = PREFIX + its.name
        family = SummaryMetricFamily(name, its.help, labels=["stage", "service", "transport"])
        for duration in durations:
            if duration.metric != metric:
                continue
            labels = {"stage": stage, "service": duration.service, "transport": duration.transport}
            for quantile, value in duration.quantiles.items():
                family.add_sample(name, {**labels, "quantile": str(quantile)}, value)
            family.add_metric(list(labels.values()), duration.count, duration.sum_seconds)
        yield family


def _queues(stage: str, queues: Sequence[Queue]) -> Iterator[Metric]:
    messages = GaugeMetricFamily(PREFIX + QUEUE_MESSAGES.name, QUEUE_MESSAGES.help, labels=["stage", "queue", "state"])
    dead_letters = GaugeMetricFamily(PREFIX + DEAD_LETTERS.name, DEAD_LETTERS.help, labels=["stage", "queue"])
    ages = GaugeMetricFamily(PREFIX + QUEUE_AGE.name, QUEUE_AGE.help, labels=["stage", "queue"])
    for queue in queues:
        messages.add_metric([stage, queue.name, "waiting"], queue.waiting)
        messages.add_metric([stage, queue.name, "in_flight"], queue.in_flight)
        dead_letters.add_metric([stage, queue.name], queue.dead_letters)
        if queue.oldest_seconds is not None:
            ages.add_metric([stage, queue.name], queue.oldest_seconds)
    yield from (messages, dead_letters, ages)
