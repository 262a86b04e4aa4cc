"""Message groups of parts of CSV jobs."""

from afluente.adapters.aws.sqs_csv_jobs import message_group
from tests.factories import a_csv_job


def test_jobs_of_a_source_follow_each_other_and_further_parts_do_not_wait() -> None:
    one, other = a_csv_job("1"), a_csv_job("2")

    assert message_group(one, 0) == message_group(other, 0)
    assert message_group(one, 0) != message_group(a_csv_job("1", source_id="furnace-2"), 0)
    assert len({message_group(one, 0), message_group(one, 1), message_group(one, 2), message_group(other, 1)}) == 4
