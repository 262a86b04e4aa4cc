"""Reports of CSV jobs."""

from typing import Any

import msgspec

from afluente.application.csv.faults import JobFailure, JobFault, RowFaultCode
from afluente.application.csv.files import FileVersion
from afluente.application.csv.jobs import JobStatus
from afluente.application.csv.progress import (
    FIRST_OF_EACH,
    PartProgress,
    RowErrors,
    ShownRow,
)
from afluente.application.csv.reports import report
from tests.factories import NOW, a_csv_job

FILE = FileVersion("inbox/iot/furnace-1/march.csv", "v1", "e", 1_000)


def as_json(**fields: Any) -> dict[str, Any]:
    reported: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(report(a_csv_job(**fields))))
    return reported


def errors(count: int, *lines: int) -> RowErrors:
    return RowErrors(count, tuple(ShownRow(line, "x", "m") for line in lines))


def test_a_queued_job_has_a_short_report() -> None:
    assert as_json(status=JobStatus.AWAITING_UPLOAD) == {
        "job_id": a_csv_job().job_id,
        "status": "awaiting_upload",
        "domain": "iot",
        "source_id": "furnace-1",
        "file": "march.csv",
        "created_at": NOW,
        "updated_at": NOW,
        "rows_read": 0,
        "points_queued": 0,
        "rows_rejected": 0,
        "bytes_done": 0,
        "streams": {},
        "errors": [],
    }


def test_a_job_is_as_far_as_its_slowest_part_and_the_parts_share_its_streams() -> None:
    parts = (
        PartProgress(
            bytes_done=900,
            rows_read=90,
            points_queued=180,
            rows_rejected=1,
            streams={"a": 90, "b": 90},
            first_timestamp=5.0,
            last_timestamp=50.0,
        ),
        PartProgress(bytes_done=800, rows_read=80, points_queued=80, streams={"c": 80}, first_timestamp=4.0),
        PartProgress(bytes_done=950, rows_read=95, rows_rejected=2),
    )

    reported = report(a_csv_job(version_of_file=FILE, parts=parts))

    assert (reported.bytes_done, reported.bytes_total, reported.rows_read) == (800, 1_000, 80)
    assert (reported.points_queued, reported.rows_rejected) == (260, 3)
    assert reported.streams == {"a": 90, "b": 90, "c": 80}
    assert (reported.first_timestamp, reported.last_timestamp) == (4.0, 50.0)


def test_errors_are_reported_the_most_frequent_first_with_their_first_rows() -> None:
    parts = (
        PartProgress(errors={RowFaultCode.RAGGED_ROW: errors(1, 7), RowFaultCode.NOT_A_NUMBER: errors(6, 2, 4, 6, 8)}),
        PartProgress(errors={RowFaultCode.NOT_A_NUMBER: errors(3, 3, 5, 9)}),
    )

    first, second = report(a_csv_job(parts=parts)).errors

    assert (first.code, first.count) == ("not_a_number", 9)
    assert [shown.line for shown in first.first] == [2, 3, 4, 5, 6][:FIRST_OF_EACH]
    assert (second.code, second.count, len(second.first)) == ("ragged_row", 1, 1)


def test_the_end_of_a_job_is_reported() -> None:
    reported = as_json(
        status=JobStatus.FAILED,
        started_at=NOW + 1,
        finished_at=NOW + 2,
        reason=JobFailure(JobFault.NOT_CSV, "it is a picture"),
        duplicate_of="89abcdef0123456701234567",
    )

    assert (reported["started_at"], reported["finished_at"]) == (NOW + 1, NOW + 2)
    assert reported["reason"] == {"code": "not_csv", "message": "it is a picture"}
    assert reported["duplicate_of"] == "89abcdef0123456701234567"


def test_a_report_has_the_url_of_rejected_rows() -> None:
    assert report(a_csv_job(), rejects_url="https://rejects").rejects_url == "https://rejects"
