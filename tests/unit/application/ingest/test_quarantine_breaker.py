"""A quarantine that fails or is slow holds up nobody."""

import pytest

from afluente.adapters.memory.ingest import MemoryQuarantine
from afluente.application.errors import UnavailableError
from afluente.application.ingest.quarantine import QuarantinedRecord
from afluente.application.ingest.quarantine_breaker import RECOVERY_SECONDS, SLOW_SECONDS, QuarantineBreaker
from tests.factories import Clock, a_quarantined_record


class Bucket(MemoryQuarantine):
    """A quarantine that takes its time, or fails."""

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self.clock = clock
        self.seconds = 0.0
        self.is_away = False
        self.tries = 0

    def put(self, record: QuarantinedRecord) -> None:
        self.tries += 1
        self.clock.now += self.seconds
        if self.is_away:
            raise UnavailableError("S3: SlowDown")
        super().put(record)


@pytest.fixture
def bucket() -> Bucket:
    return Bucket(Clock())


def test_records_are_put_while_it_answers_in_time(bucket: Bucket) -> None:
    breaker = QuarantineBreaker(bucket, clock=bucket.clock)

    for _ in range(3):
        breaker.put(a_quarantined_record())

    assert bucket.tries == 3


def test_after_a_failure_no_record_is_tried_for_a_while(bucket: Bucket) -> None:
    breaker = QuarantineBreaker(bucket, clock=bucket.clock)
    bucket.is_away = True
    for _ in range(100):
        with pytest.raises(UnavailableError):
            breaker.put(a_quarantined_record())
    assert bucket.tries == 1

    bucket.is_away = False
    bucket.clock.now += RECOVERY_SECONDS
    breaker.put(a_quarantined_record())
    assert len(bucket.records) == 1


def test_after_a_slow_record_the_others_wait(bucket: Bucket) -> None:
    breaker = QuarantineBreaker(bucket, clock=bucket.clock)
    bucket.seconds = SLOW_SECONDS

    breaker.put(a_quarantined_record())
    with pytest.raises(UnavailableError, match="slow"):
        breaker.put(a_quarantined_record())

    assert bucket.tries == 1
