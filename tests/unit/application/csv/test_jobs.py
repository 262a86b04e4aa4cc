"""CSV jobs: how they end, and the identity of their content."""

from typing import Any

import msgspec
import pytest

from afluente.application.csv.files import FileVersion
from afluente.application.csv.jobs import JobStatus
from tests.factories import NOW, a_csv_job

JOB_ID = "0123456789abcdef01234567"


def a_file(key: str = "inbox/iot/furnace-1/2023/march.csv", version_id: str = "v1") -> FileVersion:
    return FileVersion(key, version_id, '"e"', 100)


def test_an_ended_job_has_its_final_status_and_time_and_other_changes() -> None:
    ended = a_csv_job(JOB_ID).ended(JobStatus.FAILED, NOW + 1, rejects_key="rejects/x.csv")

    assert (ended.status, ended.rejects_key, ended.finished_at) == (JobStatus.FAILED, "rejects/x.csv", NOW + 1)


@pytest.mark.parametrize(
    ("fields", "owner"),
    [
        ({"tenant": "acme"}, "acme"),
        ({"source_id": "acme-furnace-1"}, "iot/acme"),
        ({"source_id": "acme-furnace-2", "tenant": "_"}, "iot/acme"),
        ({"source_id": "acme:furnace", "domain": "health"}, "health/acme"),
        ({"source_id": "press"}, "iot/press"),
    ],
)
def test_the_owner_of_a_job_is_its_tenant_or_the_sources_whose_ids_begin_alike(
    fields: dict[str, Any], owner: str
) -> None:
    assert msgspec.structs.replace(a_csv_job("1"), **fields).owner == owner


def test_the_same_content_is_recognised_under_whatever_name() -> None:
    one = a_csv_job("1", version_of_file=a_file(), options={"delimiter": ";", "skip_rows": 1})
    other = a_csv_job("2", version_of_file=a_file("inbox/iot/furnace-1/b.csv", "v9"), file="b.csv", created_at=0.0)

    assert one.content_id == msgspec.structs.replace(other, options={"skip_rows": 1, "delimiter": ";"}).content_id


@pytest.mark.parametrize(
    "changed",
    [
        {"version_of_file": FileVersion("inbox/iot/furnace-1/a.csv", "v1", '"f"', 100)},
        {"version_of_file": FileVersion("inbox/iot/furnace-1/a.csv", "v1", '"e"', 101)},
        {"source_id": "furnace-2"},
        {"domain": "health"},
        {"options": {"skip_rows": 1}},
    ],
)
def test_other_content_another_source_or_other_options_are_something_else(changed: dict[str, Any]) -> None:
    job = a_csv_job(version_of_file=a_file())

    assert msgspec.structs.replace(job, **changed).content_id != job.content_id


def test_content_that_is_not_known_or_may_come_twice_has_no_id() -> None:
    assert a_csv_job().content_id is None
    assert a_csv_job(version_of_file=a_file(), options={"allow_duplicate": True}).content_id is None
