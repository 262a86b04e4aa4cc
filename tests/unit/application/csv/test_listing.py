"""Lists of CSV jobs: complete, in order, and of what a caller may see."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from afluente.adapters.memory.csv import MemoryCsvJobs
from afluente.application.access.grants import Grant
from afluente.application.csv.jobs import CsvJob, JobStatus
from afluente.application.csv.listing import JobPage, JobQuery, newest_jobs
from tests.factories import DOMAINS, NOW, a_csv_job, a_grant

EVERYTHING = a_grant()


def a_store(jobs: Sequence[CsvJob]) -> MemoryCsvJobs:
    store = MemoryCsvJobs()
    for job in jobs:
        store.create(job)
    return store


def pages(store: MemoryCsvJobs, query: JobQuery, grant: Grant = EVERYTHING) -> list[JobPage]:
    found: list[JobPage] = []
    while True:
        found.append(newest_jobs(store, query, domains=DOMAINS, grant=grant))
        if found[-1].before is None:
            return found
        query = JobQuery(query.domain, query.source_id, query.status, query.limit, found[-1].before)


def ids(found: Sequence[JobPage]) -> list[str]:
    return [job.job_id for page in found for job in page.jobs]


QUERIES = st.builds(
    JobQuery,
    domain=st.none() | st.sampled_from(DOMAINS),
    source_id=st.none() | st.sampled_from("ab"),
    status=st.none() | st.sampled_from(JobStatus),
    limit=st.integers(1, 7),
)
GRANTS = st.builds(
    Grant,
    key_id=st.just("k"),
    domains=st.sampled_from([("*",), ("iot",), ("iot", "health")]),
    sources=st.sampled_from([("*",), ("a",)]),
)
MADE = st.lists(
    st.tuples(st.sampled_from([*DOMAINS, "_"]), st.sampled_from("ab"), st.sampled_from(JobStatus)), max_size=30
)


@given(MADE, QUERIES, GRANTS)
def test_the_pages_together_have_every_job_that_is_asked_for_once_and_in_order(
    made: list[tuple[str, str, JobStatus]], query: JobQuery, grant: Grant
) -> None:
    jobs = [
        a_csv_job(f"job-{age:02}", domain=domain, source_id=source_id, status=status, created_at=NOW - age)
        for age, (domain, source_id, status) in enumerate(made)
    ]

    found = pages(a_store(jobs), query, grant)

    assert ids(found) == [
        job.job_id
        for job in jobs
        if query.domain in {None, job.domain}
        and query.source_id in {None, job.source_id}
        and query.status in {None, job.status}
        and {"*", job.domain} & set(grant.domains)
        and {"*", job.source_id} & set(grant.sources)
    ]
    assert all(len(page.jobs) <= query.limit for page in found)


def test_the_page_with_the_last_job_has_no_cursor() -> None:
    store = a_store([a_csv_job(f"job-{age}", created_at=NOW - age) for age in range(4)])

    assert [len(page.jobs) for page in pages(store, JobQuery(limit=2))] == [2, 2]
    assert [len(page.jobs) for page in pages(store, JobQuery(limit=3))] == [3, 1]
    assert pages(MemoryCsvJobs(), JobQuery()) == [JobPage((), None)]


def test_jobs_far_behind_those_of_others_are_found() -> None:
    others = [a_csv_job(f"other-{age}", created_at=NOW - age) for age in range(2_500)]
    store = a_store([*others, a_csv_job("own", source_id="own", created_at=NOW - 5_000)])

    found = pages(store, JobQuery(limit=1), a_grant(sources=("own",)))

    assert ids(found) == ["own"]
    assert 1 < len(found) < 10


def test_a_page_leaks_no_time_of_jobs_of_others() -> None:
    others = [a_csv_job(f"other-{age}", created_at=NOW + 0.123 - age) for age in range(2_500)]
    own = [a_csv_job(f"own-{age}", source_id="own", created_at=NOW + 0.7 - age) for age in (3, 2_000)]
    store = a_store([*others, *own])

    found = pages(store, JobQuery(), a_grant(sources=("own",)))

    assert ids(found) == ["own-3", "own-2000"]
    cursors = {page.before for page in found if page.before is not None}
    assert cursors
    assert not cursors & {job.created_at for job in others}


def test_jobs_behind_a_second_with_more_jobs_of_others_than_a_page_looks_at_are_found() -> None:
    others = [a_csv_job(f"other-{n}", created_at=NOW + n / 10_000) for n in range(2_500)]
    store = a_store([*others, a_csv_job("own", source_id="own", created_at=NOW - 5)])

    assert ids(pages(store, JobQuery(), a_grant(sources=("own",)))) == ["own"]


@pytest.mark.parametrize(
    ("query", "missing"),
    [
        (JobQuery(), None),
        (JobQuery(domain="iot"), None),
        (JobQuery(source_id="boiler-1"), None),
        (JobQuery(domain="health"), "domain:health"),
        (JobQuery(source_id="furnace-1"), "source:furnace-1"),
        (JobQuery(domain="iot", source_id="furnace-1"), "source:furnace-1"),
    ],
)
def test_what_is_asked_for_by_name_must_be_within_the_grant(query: JobQuery, missing: str | None) -> None:
    assert query.missing(a_grant(domains=("iot",), sources=("boiler-*",))) == missing
