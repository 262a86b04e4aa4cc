"""Adding a domain: changes are shown first and made once, and nothing is overwritten unasked."""

import copy
import json
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from afluente.adapters.memory.constraints import MemoryConstraints
from afluente.application.constraints.documents import parse_document
from cli import main as command_line
from cli.core.errors import ExitCode
from cli.domains import adding, files, templates
from cli.domains.templates import Domain
from cli.main import app
from tests.unit.cli.domains.test_templates import GOOD


@pytest.fixture(autouse=True)
def _own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AFLUENTE_STAGES_DIR", str(tmp_path / "stages"))
    monkeypatch.setenv("AFLUENTE_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setattr("cli.core.aws.outputs_of", lambda *_: {})


@pytest.fixture
def energy() -> Domain:
    return templates.parse(GOOD, "energy")


class Run:
    """Runs a command in a stage that nothing is deployed of."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self._monkeypatch = monkeypatch
        self._capsys = capsys

    def __call__(self, *arguments: str, code: ExitCode = ExitCode.OK) -> str:
        self._monkeypatch.setattr(sys, "argv", ["afluente", "domains", *arguments])
        with pytest.raises(SystemExit) as ended:
            command_line.main()
        captured = self._capsys.readouterr()
        assert ended.value.code == code, captured.err
        return captured.out + captured.err


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    assert app.info.name == "afluente"
    return Run(monkeypatch, capsys)


def test_adding_a_domain_again_changes_nothing(energy: Domain, tmp_path: Path) -> None:
    catalogue = MemoryConstraints()
    first = adding.plan(energy, "dev", catalogue, tmp_path / "energy")
    adding.write_constraints(energy, catalogue)
    adding.open_in_stage("energy", "dev")
    adding.write_files(energy, tmp_path / "energy", first)

    again = adding.plan(energy, "dev", catalogue, tmp_path / "energy")

    assert (first.opens, first.created, first.overwrites) == (True, ("energy", "energy#voltage"), False)
    assert again.changes_nothing
    assert again.unchanged == ("energy", "energy#voltage")


def test_another_template_says_field_by_field_what_would_change(energy: Domain, tmp_path: Path) -> None:
    catalogue = MemoryConstraints()
    adding.write_constraints(energy, catalogue)
    adding.write_files(energy, tmp_path, adding.plan(energy, "dev", catalogue, tmp_path))
    document = copy.deepcopy(GOOD)
    document["constraints"][1]["value_constraints"] = {"warning_max": 250.5, "alert_max": 260}
    document["constraints"][1]["rate_constraints"] = {}
    document["examples"][0]["value"] = 255

    plan = adding.plan(templates.parse(document, "energy"), "dev", catalogue, tmp_path)

    assert plan.overwrites
    [change] = plan.changed
    assert change.scope == "energy#voltage"
    assert sorted(change.differences) == [
        "rate_constraints.abs_delta 10 → none",
        "value_constraints.alert_max none → 260",
        "value_constraints.warning_max 253 → 250.5",
    ]
    assert plan.changed_files == ("constraints.yaml", "points.json", "README.md")


def test_the_folder_of_a_domain_says_the_same_as_its_template(energy: Domain, tmp_path: Path) -> None:
    written = files.files_of(energy, tmp_path)

    assert parse_document(yaml.safe_load(written["constraints.yaml"])) == (list(energy.constraints), [])
    assert json.loads(written["points.json"])["domain"] == "energy"
    assert [point["becomes"] for point in json.loads(written["points.json"])["points"]] == ["warning", "normal"]
    assert "| voltage |  | warning_max 253 | abs_delta 10 |" in written["README.md"]
    compile(written["client.py"], "client.py", "exec")


@pytest.mark.parametrize("name", templates.shipped_names())
def test_the_call_by_hand_is_a_request_of_the_domain(name: str, tmp_path: Path) -> None:
    domain = templates.load(templates.find(name), "water")
    guide = files.files_of(domain, tmp_path)["README.md"]

    body = guide.split("-d '")[1].split("'\n```")[0].replace("'$(date +%s)'", "1795492666")

    request = json.loads(body)
    assert (request["domain"], request["datapoints"][0]["timestamp"]) == ("water", 1795492666)


def test_a_stage_in_an_account_is_to_be_deployed_next(run: Run, tmp_path: Path) -> None:
    output = run("add", "water", "--template", "iot", "--stage", "dev")

    assert "make diff STAGE=dev" in output
    assert "make deploy STAGE=dev" in output
    assert "afluente constraints apply domains/water/constraints.yaml --stage dev" in output
    assert '"water"' in (tmp_path / "stages" / "dev.toml").read_text()
    assert sorted(path.name for path in (tmp_path / "domains" / "water").iterdir()) == sorted(
        ["README.md", "client.py", "constraints.yaml", "points.json"]
    )
    assert "dev.toml already" in run("add", "water", "--template", "iot", "--stage", "dev")


def test_what_somebody_changed_is_written_over_on_demand_alone(run: Run, tmp_path: Path) -> None:
    run("add", "water", "--template", "iot", "--stage", "dev")
    client = tmp_path / "domains" / "water" / "client.py"
    client.write_text("mine")

    refused = run("add", "water", "--template", "iot", "--stage", "dev", code=ExitCode.FAILED)
    assert "client.py (changed)" in refused
    assert client.read_text() == "mine"

    run("add", "water", "--template", "iot", "--stage", "dev", "--replace")
    assert client.read_text() != "mine"


def test_a_trial_changes_nothing(run: Run, tmp_path: Path) -> None:
    output = run("add", "water", "--template", "iot", "--dry-run")

    assert "nothing was changed" in output
    assert "once the local stack is up" in output
    assert list(tmp_path.iterdir()) == []


def test_a_plan_can_be_read_by_a_program(run: Run) -> None:
    plan = json.loads(run("add", "water", "--template", "iot", "--stage", "dev", "--dry-run", "--json"))

    assert (plan["domain"], plan["stage"], plan["opens"], plan["deployment"]) == ("water", "dev", True, False)


def test_all_faults_of_a_file_are_reported_and_nothing_changes(run: Run, tmp_path: Path) -> None:
    document: dict[str, Any] = copy.deepcopy(GOOD) | {"colour": "green"}
    document["examples"][0]["becomes"] = "alert"
    (tmp_path / "energy.yaml").write_text(yaml.safe_dump(document))

    output = run("add", "energy", "--template", "energy.yaml", "--stage", "dev", code=ExitCode.FAILED)

    assert "colour" in output
    assert "is warning by the constraints (warning_zone: warning_max), not alert" in output
    assert "energy.yaml has 2 fault(s); nothing was changed" in output
    assert not (tmp_path / "stages").exists()


@pytest.mark.parametrize("name", ["Water", "water/1", ""])
def test_a_name_that_no_domain_can_have_is_refused(run: Run, name: str) -> None:
    run("add", name, "--template", "iot", "--stage", "dev", code=ExitCode.USAGE)


def test_a_domain_that_the_stage_cannot_have_is_refused_before_anything_is_changed(run: Run, tmp_path: Path) -> None:
    run("add", "smart-grid", "--template", "iot", "--stage", "dev")
    before = (tmp_path / "stages" / "dev.toml").read_text()

    for more in ([], ["--dry-run"]):
        output = run("add", "smart_grid", "--template", "iot", "--stage", "dev", *more, code=ExitCode.USAGE)
        assert "'smart-grid' is too like 'smart_grid'" in output
        # Not even what would change, of which the constraints are the first to be written.
        assert "constraints  " not in output

    assert (tmp_path / "stages" / "dev.toml").read_text() == before
    assert not (tmp_path / "domains" / "smart_grid").exists()


def test_a_domain_is_closed_and_the_last_one_is_not(run: Run, tmp_path: Path) -> None:
    run("add", "water", "--template", "iot", "--stage", "dev")

    assert "would close 'water'" in run("remove", "water", "--stage", "dev", "--dry-run")
    assert "its points and constraints stay" in run("remove", "water", "--stage", "dev")
    assert "water" not in run("list", "--stage", "dev")
    assert "is not open" in run("remove", "water", "--stage", "dev", code=ExitCode.FAILED)
    (tmp_path / "stages" / "dev.toml").write_text('domains = ["iot"]')
    assert "is the only domain" in run("remove", "iot", "--stage", "dev", code=ExitCode.USAGE)


def test_what_is_open_is_listed(run: Run) -> None:
    run("add", "water", "--template", "iot", "--stage", "dev")

    listed = json.loads(run("list", "--stage", "dev", "--json"))

    assert [one["domain"] for one in listed] == ["iot", "infrastructure", "finance", "health", "water"]
    assert {one["deployed"] for one in listed} == {False}


def test_templates_are_listed_and_shown(run: Run) -> None:
    assert all(name in run("show") for name in templates.shipped_names())
    assert yaml.safe_load(run("show", "health"))["source"] == "patient"
    assert "there is no template 'x'" in run("show", "x", code=ExitCode.USAGE)


def test_to_close_iot_is_to_close_the_old_ways_too(run: Run) -> None:
    assert "legacy IoT service" in run("remove", "iot", "--stage", "dev")
