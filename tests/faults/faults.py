"""Faults of a call of a function to AWS."""

import itertools
import threading
import time
from collections.abc import Callable

from tests.faults.proxy import Answer, Call, ConnectionLostError, Fault, Forward

RETRY_ATTEMPTS = 3
"""The attempts of one call of a client."""

_PATIENCE_SECONDS = 20.0


def refused(status: int, code: str) -> Fault:
    """AWS answers with an error, and does nothing."""
    return lambda _call, _forward: Answer.of({"__type": code, "message": "injected"}, status)


def unreachable(_call: Call, _forward: Forward) -> Answer:
    """The connection breaks before AWS has the call."""
    raise ConnectionLostError


def answer_lost(call: Call, forward: Forward) -> Answer:
    """AWS does the call, and the connection breaks before the answer is there."""
    forward(call)
    raise ConnectionLostError


def delayed(seconds: float) -> Fault:
    """AWS answers late."""

    def fault(call: Call, forward: Forward) -> Answer:
        time.sleep(seconds)
        return forward(call)

    return fault


def in_turn(*faults: Fault) -> Fault:
    """Each call meets the next of the faults."""
    cycle = itertools.cycle(faults)

    def fault(call: Call, forward: Forward) -> Answer:
        return next(cycle)(call, forward)

    return fault


def away() -> Fault:
    """A service that is away, in one after the other of the ways in which one can be."""
    return in_turn(refused(500, "InternalServerError"), refused(400, "ThrottlingException"), unreachable)


def throttled(is_accepted: Callable[[int], bool]) -> Fault:
    """PutRecords accepts some of the records, by their place in the call, and refuses the others."""
    return _in_part("Records", "FailedRecordCount", "ProvisionedThroughputExceededException", is_accepted)


def unpublished(is_accepted: Callable[[int], bool]) -> Fault:
    """PutEvents accepts some of the events, by their place in the call, and refuses the others."""
    return _in_part("Entries", "FailedEntryCount", "InternalFailure", is_accepted)


def not_queued(call: Call, _forward: Forward) -> Answer:
    """SendMessageBatch answers, but has queued none of the messages."""
    failed = [{"Id": entry["Id"], "Code": "InternalError", "SenderFault": False} for entry in call.document["Entries"]]
    return Answer.of({"Failed": failed, "Successful": []})


def part_unprocessed(call: Call, forward: Forward) -> Answer:
    """BatchGetItem reads one of the items of each table, and leaves the others to another call."""
    first, others = {}, {}
    for table, request in call.document["RequestItems"].items():
        first[table] = {**request, "Keys": request["Keys"][:1]}
        if request["Keys"][1:]:
            others[table] = {**request, "Keys": request["Keys"][1:]}
    answer = forward(_with(call, {"RequestItems": first}))
    return Answer.of({**answer.document, "UnprocessedKeys": others})


def killed(kill: Callable[[], None], *, after: bool) -> Fault:
    """The function is killed at the call, before AWS does it or `after`."""

    def fault(call: Call, forward: Forward) -> Answer:
        if after:
            forward(call)
        kill()
        raise ConnectionLostError

    return fault


class KilledBetween:
    """The function is killed when the first of several calls that it makes side by side is done, and no other is.

    Args:
        calls: how many calls it makes.
        kill: kills it.
    """

    def __init__(self, calls: int, kill: Callable[[], None]) -> None:
        self._all_came = threading.Barrier(calls, timeout=_PATIENCE_SECONDS)
        self._done = threading.Barrier(calls, action=kill, timeout=_PATIENCE_SECONDS)

    def __call__(self, call: Call, forward: Forward) -> Answer:
        if self._all_came.wait() == 0:
            forward(call)
        self._done.wait()
        raise ConnectionLostError


class Held:
    """The call waits at its door until it is let go, as if its caller slept; then AWS does it."""

    def __init__(self) -> None:
        self._came = threading.Event()
        self._let_go = threading.Event()

    def __call__(self, call: Call, forward: Forward) -> Answer:
        self._came.set()
        assert self._let_go.wait(_PATIENCE_SECONDS)
        return forward(call)

    def wait(self) -> None:
        """Wait until the call is there."""
        assert self._came.wait(_PATIENCE_SECONDS)

    def let_go(self) -> None:
        """Let the call go on."""
        self._let_go.set()


def _in_part(entries: str, failed: str, code: str, is_accepted: Callable[[int], bool]) -> Fault:
    """A call of many entries, of which AWS accepts some; the answer has all of them in their order."""
    refusal = {"ErrorCode": code, "ErrorMessage": "injected"}

    def fault(call: Call, forward: Forward) -> Answer:
        places = range(len(call.document[entries]))
        accepted = [call.document[entries][place] for place in places if is_accepted(place)]
        outcomes = iter(forward(_with(call, {entries: accepted})).document[entries] if accepted else ())
        answers = [next(outcomes) if is_accepted(place) else refusal for place in places]
        return Answer.of({failed: len(answers) - len(accepted), entries: answers})

    return fault


def _with(call: Call, changes: dict[str, object]) -> Call:
    """The call with other arguments."""
    document = {**call.document, **changes}
    return call._replace(document=document, body=Answer.of(document).body)
