"""Deployed functions whose calls to AWS go through a proxy that tests make fail."""

import itertools
from collections.abc import Iterator
from typing import Protocol

import pytest

from tests.faults.proxy import FaultProxy
from tests.faults.run import Run
from tests.outbox import AlarmTap, Outbox
from tests.stack import LocalStack

VISIBILITY_SECONDS = 4
"""More than a busy machine takes for a pack: one that is with a classifier is not to be given to another."""


class NewRun(Protocol):
    """Makes runs of sources that no other test has."""

    def __call__(self, streams: int = 1) -> Run: ...


@pytest.fixture(scope="module")
def classifier_calls(local_stack: LocalStack) -> Iterator[FaultProxy]:
    """The calls of the classifier; packs with which it dies are retried after some seconds."""
    with (
        local_stack.visibility_timeout(VISIBILITY_SECONDS),
        FaultProxy(local_stack.port) as proxy,
        # A slow machine is no fault: what is held or refused for seconds is not to end by the timeout.
        local_stack.configured("classifier", timeout=60, AWS_ENDPOINT_URL=proxy.endpoint),
    ):
        yield proxy
        local_stack.drained()


@pytest.fixture(scope="module")
def ingest_calls(local_stack: LocalStack) -> Iterator[FaultProxy]:
    """The calls of `http_ingest`."""
    with (
        FaultProxy(local_stack.port) as proxy,
        local_stack.configured("http_ingest", AWS_ENDPOINT_URL=proxy.endpoint),
    ):
        yield proxy


@pytest.fixture(scope="module")
def ws_calls(local_stack: LocalStack) -> Iterator[FaultProxy]:
    """The calls of `ws_ingest`."""
    with (
        FaultProxy(local_stack.port) as proxy,
        local_stack.configured("ws_ingest", AWS_ENDPOINT_URL=proxy.endpoint),
    ):
        yield proxy


@pytest.fixture
def new_run(local_stack: LocalStack, outbox: Outbox, alarms: AlarmTap, source_id: str) -> NewRun:
    """A factory of runs for a test."""
    count = itertools.count()

    def make(streams: int = 1) -> Run:
        return Run(local_stack, outbox, alarms, f"{source_id}-{next(count)}", streams)

    return make
