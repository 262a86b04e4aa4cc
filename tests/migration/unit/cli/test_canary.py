"""`afluente migrate canary`: what the commands change, what they say, and with which code they end."""

import io
import json
import sys
import time
import zipfile
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from moto import mock_aws

from afluente.migration.adapters.dynamodb_trial import DynamoTrial
from afluente.migration.application.canary import event_of, review
from afluente.migration.application.trial import EventKind, Gates, Phase, TrialCounts, TrialSettings, added
from cli import main as command_line
from cli.core.errors import ExitCode
from tests.migration.unit.cli.migrating import Done

REGION = "eu-west-1"
FUNCTION, TABLE = "classifier", "migration"
SHADOW = {"AFLUENTE_USE_AGNOSTIC_CONSTRAINTS": "false", "AFLUENTE_OLD_SQL_SECRET": "old"}
FINE = TrialCounts(points=50, compared=50, invocations=20, added_ms=tuple(20 * its for its in added(1)))


class Canary:
    """A deployment that has a shadow classifier, and the commands over it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self._monkeypatch = monkeypatch
        self._capsys = capsys
        self._lambda = boto3.client("lambda", REGION)
        self.trial = DynamoTrial(boto3.client("dynamodb", REGION), TABLE)

    def configure(self, variables: dict[str, str]) -> None:
        self._lambda.update_function_configuration(FunctionName=FUNCTION, Environment={"Variables": variables})

    def count(self, counts: TrialCounts) -> None:
        """Count points of the canary as a classifier does."""
        settings = self.trial.settings()
        review(self.trial, settings, self.trial.add(counts, step=settings.step), now=time.time())

    def __call__(self, *arguments: str) -> Done:
        """Run `afluente migrate canary` with the arguments."""
        words = ["afluente", "migrate", "canary", *arguments, "--stage", "dev", "--region", REGION]
        self._monkeypatch.setattr(sys, "argv", words)
        self._capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            command_line.main()
        shown = self._capsys.readouterr()
        return Done(int(ended.value.code or 0), shown.out, shown.err)


@pytest.fixture
def canary(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Canary]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    outputs = {"HttpApiUrl": "http://none", "MigrationTable": TABLE, "ClassifierFunction": FUNCTION}
    monkeypatch.setattr("cli.core.aws.outputs_of", lambda *_: outputs)
    with mock_aws():
        boto3.client("dynamodb", REGION).create_table(
            TableName=TABLE,
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}, {"AttributeName": "entry", "KeyType": "RANGE"}],
            AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in ("id", "entry")],
            BillingMode="PAY_PER_REQUEST",
        )
        role = boto3.client("iam", REGION).create_role(RoleName="role", AssumeRolePolicyDocument="{}")
        boto3.client("lambda", REGION).create_function(
            FunctionName=FUNCTION,
            Runtime="python3.13",
            Role=role["Role"]["Arn"],
            Handler="classifier.handler.lambda_handler",
            Code={"ZipFile": an_archive()},
            Environment={"Variables": SHADOW},
        )
        yield Canary(monkeypatch, capsys)


def an_archive() -> bytes:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("handler.py", "")
    return archive.getvalue()


# --- start -----------------------------------------------------------------------------------------------------------


def test_sources_are_named_as_the_legacy_tables_write_them(canary: Canary) -> None:
    canary("start", "--include", "6F1E0C52, 0B6F", "--exclude", "C")

    settings = canary.trial.settings()
    assert (settings.include, settings.exclude) == (frozenset({"6f1e0c52", "0b6f"}), frozenset("c"))


def test_a_canary_starts_by_the_options_of_its_plan(canary: Canary) -> None:
    options = "--steps 5,50 --min-minutes 1.5 --min-points 7 --max-errors 2 --max-added-ms 10 --max-differences 3"

    started = canary("start", *options.split(), "--include", "a", "--include", "b", "--exclude", "c")

    assert (started.code, started.out) == (ExitCode.OK, "started: 5 % of the sources go the new way\n")
    settings = canary.trial.settings()
    assert (settings.phase, settings.share, settings.steps) == (Phase.RUNNING, 5, (5, 50))
    assert (settings.include, settings.exclude) == (frozenset("ab"), frozenset("c"))
    assert settings.gates == Gates(
        max_error_rate=0.02, max_added_p95_ms=10, max_differences=3, min_seconds=90, min_points=7
    )


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({}, "classifies the new way alone"),
        ({**SHADOW, "AFLUENTE_USE_AGNOSTIC_CONSTRAINTS": "true"}, "use_agnostic_constraints is not false"),
        ({"AFLUENTE_USE_AGNOSTIC_CONSTRAINTS": "false"}, "old_sql_secret is not set"),
    ],
)
def test_without_a_shadow_classifier_no_canary_starts(canary: Canary, variables: dict[str, str], message: str) -> None:
    canary.configure(variables)

    started = canary("start")

    assert started.code == ExitCode.FAILED
    assert message in " ".join(started.err.split())
    assert "stages/dev.toml" in started.err
    assert canary.trial.settings() == TrialSettings()


def test_where_shadow_has_found_differences_no_canary_starts(canary: Canary) -> None:
    before = TrialSettings()
    settings = before.in_next_step(time.time(), shadow=True)
    event = event_of(
        EventKind.SHADOW_ON, before, settings, counts=TrialCounts(), now=time.time(), by="cli", why="shadow"
    )
    canary.trial.save(settings, event)
    canary.count(TrialCounts(compared=9, differences=2))

    assert canary("start").code == ExitCode.REJECTED
    assert canary("start", "--despite-differences").code == ExitCode.OK


@pytest.mark.parametrize(
    "options", [["--steps", "50,10"], ["--steps", "ten"], ["--include", "iot/a"], ["--min-points", "-1"]]
)
def test_a_plan_that_cannot_be_meant_is_wrong_usage(canary: Canary, options: list[str]) -> None:
    assert canary("start", *options).code == ExitCode.USAGE
    assert canary.trial.settings() == TrialSettings()


def test_one_canary_goes_at_a_time(canary: Canary) -> None:
    canary("start")

    again = canary("start")

    assert again.code == ExitCode.FAILED
    assert "a canary is running at 10 %" in again.err


# --- commands --------------------------------------------------------------------------------------------------------


def test_a_canary_is_held_resumed_and_rolled_back(canary: Canary) -> None:
    canary("start")

    phases = []
    for command in ("hold", "resume", "rollback"):
        assert canary(command).code == ExitCode.OK
        phases.append(canary.trial.settings().phase)

    assert phases == [Phase.HELD, Phase.RUNNING, Phase.ROLLED_BACK]
    again = canary("rollback")
    assert (again.code, again.out) == (ExitCode.OK, "")
    assert "already" in again.err


def test_what_is_not_named_stays(canary: Canary) -> None:
    canary("start", "--include", "a", "--exclude", "b", "--min-points", "7")

    assert canary("set", "--share", "50", "--include", "").code == ExitCode.OK

    settings = canary.trial.settings()
    assert (settings.share, settings.include, settings.exclude) == (50, frozenset[str](), frozenset("b"))
    assert settings.gates == Gates(min_points=7)


def test_where_there_is_no_canary_nothing_is_set(canary: Canary) -> None:
    assert canary("set", "--share", "50").code == ExitCode.FAILED


def test_commands_answer_programs_too(canary: Canary) -> None:
    document = canary("start", "--json").document

    assert (document["kind"], document["share"], document["by"], document["points"]) == ("started", 10, "cli", 0)
    assert document["added_p95_ms"] is None


# --- status ----------------------------------------------------------------------------------------------------------


def test_before_a_canary_no_source_is_classified_by_constraints(canary: Canary) -> None:
    shown = canary("status")

    assert (shown.code, shown.out.splitlines()) == (
        ExitCode.OK,
        ["idle: every source goes the old way", "shadow is off"],
    )


def test_a_status_has_every_gate_with_its_figures_and_what_is_missing(canary: Canary) -> None:
    canary("start", "--min-points", "100", "--include", "a")
    canary.count(FINE)

    shown = canary("status")

    assert shown.code == ExitCode.OK
    assert "running at 10 % of 10, 50, 100, step 1 for" in shown.out
    assert "included: a" in shown.out
    assert "50 points the new way of 100" in shown.out
    assert "added latency p95 1 ms in 20 invocations, 5 ms at most" in shown.out
    assert "waits for: time, traffic" in shown.out
    document = canary("status", "--json").document
    assert (document["phase"], document["share"], document["points"], document["verdict"]) == (
        "running",
        10,
        50,
        "wait",
    )
    assert document["waits_for"] == ["time", "traffic"]
    assert [gate["standing"] for gate in document["gates"]] == ["passed", "passed", "passed", "waiting", "waiting"]


def test_a_status_shows_the_next_step(canary: Canary) -> None:
    canary("start", "--steps", "100", "--min-points", "1", "--min-minutes", "0")
    settings = canary.trial.settings()
    canary.trial.add(FINE, step=settings.step)
    assert "the next points of the canary take it on" in canary("status").out

    canary.trial.add(TrialCounts(differences=1), step=settings.step)
    assert "the next points of the canary take it back" in canary("status").out


def test_a_status_of_a_canary_that_stays_shows_how_to_go_on(canary: Canary) -> None:
    canary("start", "--steps", "100", "--min-points", "1", "--min-minutes", "0")
    canary("hold")
    assert "held: 'resume' lets the next step come" in canary("status").out
    canary("resume")
    canary.count(FINE)

    shown = canary("status").out
    assert "complete: set use_agnostic_constraints = true" in shown
    assert "traffic" not in shown


@pytest.mark.parametrize(
    ("counts", "code"),
    [(FINE, ExitCode.OK), (TrialCounts(points=9, compared=9, differences=1), ExitCode.REJECTED)],
)
def test_a_watched_status_ends_with_the_outcome_of_the_canary(
    canary: Canary, counts: TrialCounts, code: ExitCode
) -> None:
    canary("start", "--steps", "100", "--min-points", "1", "--min-minutes", "0")
    canary.count(counts)

    watched = canary("status", "--watch", "0.1")
    as_json = canary("status", "--watch", "0.1", "--json")

    assert watched.code == as_json.code == code
    phase = "complete" if code == ExitCode.OK else "rolled_back"
    assert as_json.document["phase"] == phase
    assert phase.replace("_", " ") in watched.err


def test_a_watched_status_shows_each_change(canary: Canary, monkeypatch: pytest.MonkeyPatch) -> None:
    canary("start", "--steps", "10,100", "--min-points", "1", "--min-minutes", "0")
    monkeypatch.setattr("cli.migration.interrupts.Interrupts.wait", lambda *_: canary.count(FINE))

    lines = [json.loads(line) for line in canary("status", "--watch", "1", "--json").out.splitlines()]

    assert [(line["phase"], line["share"]) for line in lines] == [("running", 10), ("running", 100), ("complete", 100)]


# --- history ---------------------------------------------------------------------------------------------------------


def test_before_anything_happened_there_is_no_history(canary: Canary) -> None:
    shown = canary("history")

    assert (shown.code, shown.out) == (ExitCode.OK, "")
    assert canary("history", "--json").document == []


def test_the_history_shows_each_change_with_its_figures(canary: Canary) -> None:
    canary("start")
    canary.count(TrialCounts(points=12, compared=12, differences=1, invocations=1, added_ms=added(1)))

    shown = canary("history")
    events: list[dict[str, Any]] = canary("history", "--json").document

    assert "rolled back" in shown.out
    assert "10 → 0 %" in shown.out
    assert "1 differences, 0 at most" in shown.out
    assert [(event["kind"], event["by"], event["points"]) for event in events] == [
        ("rolled_back", "classifier", 12),
        ("started", "cli", 0),
    ]
    assert len(canary("history", "--limit", "1", "--json").document) == 1
