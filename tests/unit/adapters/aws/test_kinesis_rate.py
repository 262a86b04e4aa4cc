"""The rate at which points are written to a shard that takes no more than Kinesis allows, by a clock of its own."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from afluente.adapters.aws.kinesis import KinesisStreams
from afluente.adapters.codecs.kinesis_records import RecordFormat
from afluente.application.classification.ports import Delivery
from afluente.domain.evaluation import Classification
from cli.local_stack.aws_limits.buckets import TokenBucket
from tests.factories import GROUP, a_classified_point

SHARD_BYTES = 1_048_576
CALL_SECONDS = 0.02


class Shard:
    """A shard with the write throughput of Kinesis, and the time that passes while somebody calls it or sleeps."""

    def __init__(self, rate: float) -> None:
        self.now = 0.0
        self.written = 0
        self._bucket = TokenBucket(rate, rate, self.now)

    def put_records(self, *, StreamName: str, Records: list[dict[str, Any]]) -> dict[str, Any]:  # noqa: N803
        self.now += CALL_SECONDS
        (record,) = Records
        size = len(record["Data"]) + len(record["PartitionKey"])
        if not self._bucket.holds(size, self.now):
            return {
                "Records": [{"ErrorCode": "ProvisionedThroughputExceededException", "ErrorMessage": "Rate exceeded"}]
            }
        self._bucket.charge(size)
        self.written += size
        return {"Records": [{}]}

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.mark.parametrize("share", [1.0, 0.5])
def test_a_busy_source_is_written_at_nine_tenths_of_the_rate_of_its_shard(share: float) -> None:
    rate = SHARD_BYTES * share
    shard: Any = Shard(rate)
    pack = [a_classified_point(number / 7, sequence=number) for number in range(5_000)]

    with ThreadPoolExecutor(1) as executor:
        streams = KinesisStreams(
            shard,
            dict.fromkeys(Classification, "stream"),
            executor=executor,
            record_format=RecordFormat.PLAIN,
            sleep=shard.sleep,
            clock=lambda: shard.now,
        )
        for _ in range(20):
            streams.put([Delivery(Classification.NORMAL, GROUP, pack)], time_left=lambda: 30.0)

    # What the shard had saved up before the first call does not count.
    assert shard.written - rate >= 0.9 * rate * shard.now
