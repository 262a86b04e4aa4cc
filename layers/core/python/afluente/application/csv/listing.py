"""CSV jobs of many sources, the newest first, in pages."""

import math
from collections.abc import Collection, Sequence

import msgspec

from afluente.application.access.grants import EVERYTHING, Action, Grant
from afluente.application.csv.files import NO_DOMAIN
from afluente.application.csv.jobs import CsvJob, JobStatus
from afluente.application.csv.ports import CsvJobStore

MAX_PAGE = 100
"""Jobs of a page."""

_MAX_LOOKS = 10


class JobQuery(msgspec.Struct, frozen=True):
    """A query for jobs.

    Attributes:
        domain, source_id, status: of the jobs; None for any.
        limit: number of jobs, 1 to `MAX_PAGE`.
        before: matches jobs created before this time, in Unix seconds; None for any.
    """

    domain: str | None = None
    source_id: str | None = None
    status: JobStatus | None = None
    limit: int = 20
    before: float | None = None

    def missing(self, grant: Grant) -> str | None:
        """The scope that a grant lacks for the domain and source that the query names; None if it lacks none."""
        asked = msgspec.structs.replace(
            grant,
            domains=(EVERYTHING,) if self.domain is None else grant.domains,
            sources=(EVERYTHING,) if self.source_id is None else grant.sources,
        )
        return asked.missing(Action.JOBS, self.domain or "", self.source_id or "")

    def matches(self, job: CsvJob) -> bool:
        """Tell whether a job is of the source and status of the query."""
        return self.source_id in {None, job.source_id} and self.status in {None, job.status}


class JobPage(msgspec.Struct, frozen=True):
    """A page of jobs, the newest first.

    Attributes:
        jobs: possibly fewer than the limit.
        before: `before` of the query for the next page; None after the last one.
    """

    jobs: tuple[CsvJob, ...]
    before: float | None


def newest_jobs(store: CsvJobStore, query: JobQuery, *, domains: Collection[str], grant: Grant) -> JobPage:
    """A page of the jobs that a caller may see.

    Args:
        store: of the jobs.
        query: for them.
        domains: the domains that are open.
        grant: of the caller.

    Raises:
        UnavailableError: the store does not answer.
    """
    names = [query.domain] if query.domain is not None else [*domains, NO_DOMAIN]
    visible = [name for name in names if JobQuery(domain=name).missing(grant) is None]
    found: list[CsvJob] = []
    before = query.before
    size = query.limit + 1
    for _ in range(_MAX_LOOKS):
        jobs = _newest(store, visible, before, size)
        for place, job in enumerate(jobs, start=1):
            before = job.created_at
            if query.matches(job) and grant.missing(Action.JOBS, job.domain, job.source_id) is None:
                found.append(job)
            if len(found) == query.limit:
                is_last = place == len(jobs) < size
                return JobPage(tuple(found), None if is_last else before)
        if len(jobs) < size:
            return JobPage(tuple(found), None)
        # Most belong to others: look at more at a time.
        size = MAX_PAGE
    return JobPage(tuple(found), _next_before(jobs[-1].created_at, found, query.before))


def _next_before(looked_until: float, found: Sequence[CsvJob], before: float | None) -> float:
    """The cursor after a page whose last job may be another tenant's: rounded up, so that it leaks none of their times.

    Jobs within the rounded second are looked at twice, but none of the caller's own is listed twice.
    """
    begins = min(float(math.ceil(looked_until)), found[-1].created_at if found else math.inf)
    # If a second has more jobs than a page looks at, rounding would repeat the page for ever.
    return begins if before is None or begins < before else looked_until


def _newest(store: CsvJobStore, domains: Sequence[str], before: float | None, limit: int) -> list[CsvJob]:
    """The newest jobs of several domains: as many of each as of all, so that none is missing between them."""
    jobs = [job for domain in domains for job in store.newest(domain, before=before, limit=limit)]
    return sorted(jobs, key=lambda job: (-job.created_at, job.job_id))[:limit]
