"""Composition of the transports: the queue of packs and the quarantine behind them."""

from afluente.adapters.aws.s3_quarantine import S3Quarantine
from afluente.adapters.aws.sqs_packs import SqsPackQueue
from afluente.application.ingest.accept_points import AcceptPoints
from afluente.application.ingest.ports import Quarantine
from afluente.runtime.core.clients import client
from afluente.runtime.core.jitter import sleep_with_jitter
from afluente.runtime.core.settings import AcceptingSettings


def accept_points(settings: AcceptingSettings, quarantine: Quarantine) -> AcceptPoints:
    """Build the use case that queues points."""
    queue = SqsPackQueue(
        client("sqs"), settings.datapoints_queue_url, max_points=settings.max_pack_points, sleep=sleep_with_jitter
    )
    return AcceptPoints(queue=queue, quarantine=quarantine, shards=settings.shards)


def s3_quarantine(settings: AcceptingSettings) -> Quarantine:
    """Build the quarantine of a stage."""
    return S3Quarantine(client("s3"), settings.quarantine_bucket)
