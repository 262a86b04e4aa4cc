"""The queue of packs as senders of bulk see it: one message at a time, with its sequence number."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from afluente.adapters.aws.calls import unavailable
from afluente.adapters.aws.sqs_packs import within_size_limit
from afluente.adapters.codecs.packs import EncodedPack, WireRow, encode_rows, rows_of, slot_of
from afluente.application.ingest.packs import SealedPack, SeriesPack

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient


class SqsBulkQueue:
    """Sends packs of bulk."""

    def __init__(self, client: "SQSClient", queue_url: str) -> None:
        self._client = client
        self._queue_url = queue_url

    @staticmethod
    def seal(pack: SeriesPack) -> Sequence[SealedPack]:
        def encode(rows: Sequence[WireRow]) -> EncodedPack:
            return encode_rows(pack.domain, pack.source_id, rows, pack.ingested_at, pack.transport, holds_slot=True)

        return [
            SealedPack(pack.group, slot_of(its.deduplication_id), its.points, its.body, its.deduplication_id)
            for its in within_size_limit(rows_of(pack.series), encode)
        ]

    def send(self, pack: SealedPack) -> int:
        with unavailable("SQS"):
            answer = self._client.send_message(
                QueueUrl=self._queue_url,
                MessageBody=pack.body,
                MessageGroupId=pack.group,
                MessageDeduplicationId=pack.deduplication_id,
            )
        return int(answer["SequenceNumber"])
