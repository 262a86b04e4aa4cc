"""Queries for CSV jobs."""

import math
import re
from collections.abc import Mapping

from afluente.adapters.http.errors import invalid_request
from afluente.application.csv.files import NO_DOMAIN
from afluente.application.csv.jobs import JobStatus
from afluente.application.csv.listing import MAX_PAGE, JobQuery
from afluente.domain.faults import Fault, FaultCode
from afluente.domain.stream_keys import domain_faults, part_faults

JOB_ID_PATTERN = "[0-9a-f]{24}"
"""The form of the id of a job."""

EARLIEST, LATEST = 1.0, 1e12
"""The first and the last time for which jobs are listed, in Unix seconds."""

_JOB_ID = re.compile(JOB_ID_PATTERN)
_LIMIT = re.compile(r"[0-9]{1,9}")


def is_job_id(text: str) -> bool:
    """True for a text that may be the id of a job."""
    return _JOB_ID.fullmatch(text) is not None


def decode_query(parameters: Mapping[str, str]) -> JobQuery:
    """Decode a query for jobs.

    Raises:
        RequestError: 400, with every parameter that is wrong.
    """
    faults: list[Fault] = []
    query = JobQuery(
        domain=_domain(parameters.get("domain"), faults),
        source_id=_source(parameters.get("source_id"), faults),
        status=_status(parameters.get("status"), faults),
        limit=_limit(parameters.get("limit"), faults),
        before=_before(parameters.get("before"), faults),
    )
    for name in sorted(parameters.keys() - set(JobQuery.__struct_fields__)):
        message = f"is no parameter; parameters are {', '.join(JobQuery.__struct_fields__)}"
        faults.append(Fault(FaultCode.UNKNOWN_FIELD, name, message))
    if faults:
        raise invalid_request(faults)
    return query


def _domain(text: str | None, faults: list[Fault]) -> str | None:
    if text not in {None, NO_DOMAIN}:
        faults += domain_faults(text)
    return text


def _source(text: str | None, faults: list[Fault]) -> str | None:
    if text is not None:
        faults += part_faults("source_id", text)
    return text


def _status(text: str | None, faults: list[Fault]) -> JobStatus | None:
    if text is None:
        return None
    if text not in set(JobStatus):
        faults.append(Fault(FaultCode.OUT_OF_RANGE, "status", f"must be one of {', '.join(JobStatus)}"))
        return None
    return JobStatus(text)


def _limit(text: str | None, faults: list[Fault]) -> int:
    if text is None:
        return JobQuery().limit
    limit = int(text) if _LIMIT.fullmatch(text) else 0
    if not 1 <= limit <= MAX_PAGE:
        faults.append(Fault(FaultCode.OUT_OF_RANGE, "limit", f"must be an integer from 1 to {MAX_PAGE}"))
    return limit


def _before(text: str | None, faults: list[Fault]) -> float | None:
    if text is None:
        return None
    try:
        before = float(text)
    except ValueError:
        before = math.nan
    if not EARLIEST <= before <= LATEST:
        message = "must be a time in Unix seconds, as `next` of an answer has it"
        faults.append(Fault(FaultCode.OUT_OF_RANGE, "before", message))
    return before
