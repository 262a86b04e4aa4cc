"""Clients of AWS: made when first used, and once."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

from afluente.runtime.core.clients import client


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-south-2")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")


def test_a_client_is_of_its_service_in_the_region_of_the_environment() -> None:
    meta = client("sqs").meta

    assert (meta.service_model.service_name, meta.region_name) == ("sqs", "eu-south-2")


def test_threads_that_come_together_get_one_client() -> None:
    threads = 8
    lazy = client("kinesis")
    together = Barrier(threads)

    def first_use(_: int) -> int:
        together.wait()
        return id(lazy.meta)

    with ThreadPoolExecutor(threads) as executor:
        assert len(set(executor.map(first_use, range(threads)))) == 1
