"""`afluente csv` against a running stack."""

import json
import secrets
from pathlib import Path

import pytest

from cli.core.errors import ExitCode
from tests.integration.cli.conftest import Afluente

pytestmark = pytest.mark.integration

TABLE = """Date;Time;CO(GT);PT08;;
10/03/2004;18.00.00;2,6;1360;;
20/03/2004;19.00.00;err;1292;;
21/03/2004;20.00.00;2,2;1402;;
"""


@pytest.fixture
def source() -> str:
    return f"air-{secrets.token_hex(3)}"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "air quality.csv"
    file.write_text(TABLE, encoding="latin-1")
    return file


def test_a_file_is_inspected_sent_looked_at_and_what_was_rejected_fetched(
    afluente: Afluente, file: Path, tmp_path: Path, source: str
) -> None:
    options, rejects = tmp_path / "options.json", tmp_path / "rejects.csv"
    assert afluente("csv", "inspect", file, "--save", options).code == ExitCode.OK

    sent = afluente("csv", "send", file, "--domain", "iot", "--source", source, "--options", options, "--json")

    assert sent.code == ExitCode.REJECTED
    job = json.loads(sent.out)
    assert (job["status"], job["rows_read"], job["points_queued"], job["rows_rejected"]) == ("complete", 3, 5, 1)
    shown = afluente("csv", "job", job["job_id"])
    assert (shown.code, "'err' is not a number" in shown.out) == (ExitCode.OK, True)
    assert afluente("csv", "rejects", job["job_id"], "--output", rejects).code == ExitCode.OK
    assert rejects.read_text().splitlines()[1].endswith(";20/03/2004;19.00.00;err;1292;;")
    listed = json.loads(afluente("csv", "jobs", "--source", source, "--json").out)
    assert [listed_job["job_id"] for listed_job in listed] == [job["job_id"]]


def test_the_corrected_rejects_can_be_sent_as_they_are(
    afluente: Afluente, file: Path, tmp_path: Path, source: str
) -> None:
    where = ("--domain", "iot", "--source", source)
    job_id = json.loads(afluente("csv", "send", file, *where, "--json").out)["job_id"]
    corrected = tmp_path / "corrected.csv"
    afluente("csv", "rejects", job_id, "--output", corrected)
    corrected.write_text(corrected.read_text().replace(";err;", ";2,4;"))

    again = afluente("csv", "send", corrected, *where, "--json")

    job = json.loads(again.out)
    assert (again.code, job["status"], job["points_queued"]) == (ExitCode.OK, "complete", 2)
    assert set(job["streams"]) == {f"{source}:CO(GT)", f"{source}:PT08"}


def test_a_job_that_has_ended_cannot_be_cancelled(afluente: Afluente, file: Path, source: str) -> None:
    sent = afluente("csv", "send", file, "--domain", "iot", "--source", source, "--json")

    cancelled = afluente("csv", "cancel", json.loads(sent.out)["job_id"])

    assert cancelled.code == ExitCode.FAILED
    assert "complete" in cancelled.err


def test_a_file_that_can_be_read_in_two_ways_is_refused_before_and_after(
    afluente: Afluente, tmp_path: Path, source: str
) -> None:
    file = tmp_path / "days.csv"
    file.write_text("date,v\n01/02/2024,1\n")

    inspected = afluente("csv", "inspect", file)
    sent = afluente("csv", "send", file, "--domain", "iot", "--source", source)

    assert (inspected.code, sent.code) == (ExitCode.FAILED, ExitCode.FAILED)
    for shown in (inspected.err, sent.out + sent.err):
        assert "1 February 2024" in shown
        assert "2 January 2024" in shown
