"""A canary at 10 % with a defect put in on purpose: it goes back by itself, and no point is lost.

The defect is in a release of the layer; see `tests/faults/releases.py`. Devices send before, during and after. What
came of it is printed: `pytest -s` shows it.
"""

import secrets
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import msgspec
import pytest

from afluente.migration.adapters.dynamodb_trial import DynamoTrial
from afluente.migration.application.canary_commands import CanaryCommands, Plan
from afluente.migration.application.trial import ADDED_MS_BOUNDS, EventKind, Gates, Phase, TrialEvent
from tests.faults.releases import Defect, released
from tests.migration.canary_fleet import CanaryFleet, Measurement, Request
from tests.outbox import Document, Outbox
from tests.stack import LocalStack

pytestmark = pytest.mark.integration

SENDERS = 4
MAX_ROUNDS = 300
MAX_WAITING = 20

# A busy machine is no defect: no p95 is above the last bucket's bound.
PATIENT = Gates(max_added_p95_ms=ADDED_MS_BOUNDS[-1], min_seconds=0.0, min_points=200)
WITH_LATENCY = Gates(max_added_p95_ms=15.0)

WRONG_COMPARISON = Defect("domain/evaluation.py", "value > bounds.alert_max", "value >= bounds.alert_max")
DELAY = Defect(
    "migration/application/shadow_classifier.py",
    "            found = self._constraints.find(streams)",
    """\
            __import__("time").sleep(0.020)
            found = self._constraints.find(streams)""",
)
# Counted, not drawn: one in 50 that chance chooses may be none in all of a test.
ERRORS = Defect(
    "migration/application/shadow_classifier.py",
    "                by_constraints = classify_with(",
    """\
                self._classifier.batches = getattr(self._classifier, "batches", 24) + 1
                if self._classifier.batches % 50 == 0:
                    raise ArithmeticError("put in on purpose")
                by_constraints = classify_with(""",
)


class Case(NamedTuple):
    """A defect, the gates that it meets, and the text of the one that it breaks."""

    name: str
    defect: Defect
    gates: Gates
    message: str


CASES = [
    Case("a wrong comparison", WRONG_COMPARISON, PATIENT, "differences"),
    Case("20 ms of delay", DELAY, WITH_LATENCY, "added latency"),
    Case("2 % errors", ERRORS, PATIENT, "% errors"),
]


class Traffic:
    """Devices that send, several requests at a time, those of one device in their order."""

    def __init__(self, stack: LocalStack, outbox: Outbox, fleet: CanaryFleet) -> None:
        self._stack = stack
        self._outbox = outbox
        self._fleet = fleet
        self._expected: dict[str, dict[Measurement, str]] = {}

    def go(self) -> None:
        """Send a request of each device; each is accepted."""
        with ThreadPoolExecutor(SENDERS) as pool:
            list(pool.map(self._send, self._fleet.next_requests()))
        self._stack.eventually(lambda: self._stack.packs_under_way() <= MAX_WAITING, "the classifier keeps up")

    def go_until(self, trial: DynamoTrial, phase: Phase) -> TrialEvent:
        """Send until the canary is there; what led there."""
        for _ in range(MAX_ROUNDS):
            self.go()
            if trial.settings().phase is phase:
                return next(iter(trial.events()))
        return pytest.fail(f"the canary is not {phase} after {MAX_ROUNDS} rounds: {trial.settings()}")

    def go_until_no_source_is_in_the_canary(self) -> None:
        """Send until a whole round has been classified by thresholds."""
        before = -1
        for _ in range(MAX_ROUNDS):
            self._stack.drained()
            if before == (before := len(self.by_constraints())):
                return
            self.go()
        pytest.fail("some points are still classified by constraints")

    def sent(self) -> int:
        """The number of accepted points."""
        return sum(map(len, self._expected.values()))

    def by_constraints(self) -> list[Document]:
        """The points that were delivered as constraints classified them."""
        # The version of thresholds is a time.
        return [point for point in self._came() if point["config_version"] == 1]

    def misclassified(self) -> list[Document]:
        """The points that were delivered in a wrong class."""
        return [
            point
            for point in self._came()
            if point["classification"]
            != self._expected[f"iot/{point['source_id']}"][point["stream_id"], point["timestamp"]]
        ]

    def check_none_is_lost(self) -> None:
        """Check that each accepted point was delivered, and no other."""
        self._stack.drained()
        came = {(f"iot/{point['source_id']}", point["stream_id"], point["timestamp"]) for point in self._came()}
        sent = {(source, *measurement) for source, its in self._expected.items() for measurement in its}
        assert came == sent
        assert self._stack.dead_letters() == 0

    def _came(self) -> list[Document]:
        return self._outbox.lines_of(self._expected)

    def _send(self, request: Request) -> None:
        self._stack.send(request.points)
        self._expected.setdefault(request.source, {}).update(request.expected)


@pytest.fixture(scope="module")
def fleet(local_stack: LocalStack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[CanaryFleet]:
    """Devices of a stage that has a shadow classifier."""
    url = f"sqlite:///{tmp_path_factory.mktemp('legacy') / 'legacy.db'}"
    secret = f"old-sql-{secrets.token_hex(4)}"
    local_stack.client("secretsmanager").create_secret(Name=secret, SecretString=url)
    fleet = CanaryFleet(20)
    fleet.fill(url)
    fleet.constrain(local_stack)
    with local_stack.configured(
        "classifier",
        AFLUENTE_USE_AGNOSTIC_CONSTRAINTS="false",
        AFLUENTE_OLD_SQL_SECRET=secret,
        AFLUENTE_MIGRATION_TABLE=local_stack.target["MigrationTable"],
    ):
        yield fleet


class Canary(NamedTuple):
    """A canary, its commands, and the devices that send."""

    trial: DynamoTrial
    commands: CanaryCommands
    traffic: Traffic
    stack: LocalStack


@pytest.fixture
def canary(local_stack: LocalStack, outbox: Outbox, fleet: CanaryFleet) -> Iterator[Canary]:
    """A canary that is back at the end."""
    trial = DynamoTrial(local_stack.client("dynamodb"), local_stack.target["MigrationTable"])
    commands = CanaryCommands(trial, clock=time.time, by="tests")
    yield Canary(trial, commands, Traffic(local_stack, outbox, fleet), local_stack)
    commands.roll_back("the test is over")


def test_a_sound_canary_goes_through_every_step(canary: Canary) -> None:
    traffic = canary.traffic
    traffic.go()
    canary.commands.start(Plan(gates=PATIENT))

    traffic.go_until(canary.trial, Phase.COMPLETE)

    steps = [(event.kind, event.share) for event in canary.trial.events()][:4]
    assert steps[::-1] == [
        (EventKind.STARTED, 10),
        (EventKind.ADVANCED, 50),
        (EventKind.ADVANCED, 100),
        (EventKind.COMPLETED, 100),
    ]
    traffic.check_none_is_lost()
    assert traffic.misclassified() == []


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_defective_canary_goes_back_by_itself(case: Case, canary: Canary, fleet: CanaryFleet, tmp_path: Path) -> None:
    traffic = canary.traffic
    with released(canary.stack, "classifier", tmp_path, case.defect):
        traffic.go()
        # It stays at its first step until it is rolled back.
        started = canary.commands.start(Plan(gates=msgspec.structs.replace(case.gates, min_seconds=3600.0)))

        event = traffic.go_until(canary.trial, Phase.ROLLED_BACK)
        traffic.go_until_no_source_is_in_the_canary()

        traffic.check_none_is_lost()
    touched, misclassified = traffic.by_constraints(), traffic.misclassified()
    assert (event.kind, event.by, event.share_before, event.share) == (EventKind.ROLLED_BACK, "classifier", 10, 0)
    assert case.message in event.why
    assert {f"iot/{point['source_id']}" for point in touched} <= fleet.in_canary(10)
    # Wrong classes are delivered until the rollback; where constraints fail, the points by thresholds are.
    assert bool(misclassified) == (case.defect is WRONG_COMPARISON)
    assert all(point in touched for point in misclassified)
    first, last = (bound(point["processed_at"] for point in touched) for bound in (min, max))
    print(
        f"\n{case.name}: back {event.at - started.at:.1f} s after the start, {event.at - first:.2f} s after the "
        f"canary's first point; its last one {last - event.at:+.2f} s from then. {len(touched):,} of "
        f"{traffic.sent():,} points were classified by constraints, {len(misclassified)} wrongly, none was lost. "
        f"{event.why}"
    )
