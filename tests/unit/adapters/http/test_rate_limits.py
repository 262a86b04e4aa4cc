"""Header fields of rate limits, as the draft has them, and the problem of a throttled request."""

import msgspec
import pytest

from afluente.adapters.http.rate_limits import rate_limit_headers, rate_limited
from afluente.application.limits.decisions import Demand, Standing, Throttled
from afluente.application.limits.explanation import explain
from afluente.application.limits.rules import Rule, Subject, rules_by_dimension
from afluente.application.limits.stage_limits import Limits

LIMITS = Limits(
    requests_per_second=2.5, requests_burst=10, points_per_second=1_000, points_burst=20_000, points_per_day=5_000_000
)


def rule(index: int) -> Rule:
    found = rules_by_dimension(LIMITS)[index]
    assert found is not None
    return found


def over(index: int, *, retry_after: int | None = 7) -> Throttled:
    standings = (Standing(Subject.IP, rule(0), 3, 2), Standing(Subject.KEY, rule(index), 0, 7))
    demand = Demand(Subject.KEY, "abc", LIMITS, 1, 400)
    return Throttled(demand=demand, rule=rule(index), needed=400, retry_after=retry_after, standings=standings)


def test_the_fields_say_each_limit_as_a_quota_and_what_is_left_of_it() -> None:
    standings = [
        Standing(Subject.IP, rule(0), 3, 2),
        Standing(Subject.KEY, rule(1), 19_600, 1),
        Standing(Subject.SOURCE, rule(2), 12, 3_600),
    ]

    assert rate_limit_headers(standings) == {
        "ratelimit-policy": (
            '"ip-requests";q=10;w=4, "key-points";q=20000;w=20;qu="points", '
            '"source-points-per-day";q=5000000;w=86400;qu="points"'
        ),
        "ratelimit": '"ip-requests";r=3;t=2, "key-points";r=19600;t=1, "source-points-per-day";r=12;t=3600',
    }


def test_of_many_sources_the_one_with_the_least_left_is_shown() -> None:
    standings = [Standing(Subject.SOURCE, rule(0), left, 10 - left) for left in (9, 2, 7)]

    assert rate_limit_headers(standings) == {
        "ratelimit-policy": '"source-requests";q=10;w=4',
        "ratelimit": '"source-requests";r=2;t=8',
    }


def test_without_limits_there_are_no_headers() -> None:
    assert rate_limit_headers([]) == {}


def test_a_request_that_cannot_be_counted_in_time_is_told_to_retry_in_a_second() -> None:
    contended = over(1, retry_after=1)

    error = rate_limited(msgspec.structs.replace(contended, is_contended=True))

    assert (error.status, error.code, error.headers["retry-after"]) == (429, "rate_limited", "1")
    assert error.detail.startswith("too many count the limit of the key abc at once: send it again in 1 s")


def test_a_throttled_request_has_the_limit_and_when_to_retry() -> None:
    error = rate_limited(over(1))

    assert (error.status, error.code) == (429, "rate_limited")
    assert error.headers["retry-after"] == "7"
    assert error.headers["ratelimit"].endswith('"key-points";r=0;t=7')
    assert error.extra == {
        "limit": {
            "subject": "key",
            "name": "abc",
            "dimension": "points",
            "limit": 20_000,
            "per_second": 1_000,
            "needed": 400,
            "retry_after": 7,
        },
        "violated-policies": ["key-points"],
    }
    assert error.detail == (
        "the key abc may send 1,000 points a second and 20,000 at once: send it again in 7 s, which is safe; "
        "nothing of the request is taken"
    )


def test_a_request_that_is_never_allowed_is_too_large_and_not_to_be_retried() -> None:
    error = rate_limited(over(1, retry_after=None))

    assert (error.status, error.code) == (413, "over_the_burst")
    assert "retry-after" not in error.headers
    assert error.detail.endswith("and this is 400: send it in parts of 20,000 at the most")


@pytest.mark.parametrize(
    ("index", "told"),
    [(0, "may send 2.5 requests a second and 10 at once"), (2, "may send 5,000,000 points a day (UTC)")],
)
def test_a_limit_is_explained_in_its_own_terms(index: int, told: str) -> None:
    assert told in explain(over(index))
    assert ("per_second" in dict(rate_limited(over(index)).extra["limit"])) == (index == 0)  # type: ignore[call-overload]
