"""A client that is generated from the OpenAPI document, as its users generate theirs, against the local stack."""

import importlib
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from io import BytesIO
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from apidoc import examples
from tests.stack import LocalStack

pytestmark = pytest.mark.integration

ROOT = Path(__file__).parents[2]
PACKAGE = "client_of_afluente"

_PATIENCE_SECONDS = 300.0
NOBODY = "afl_aaaaaaaa_nobody"


class Generated:
    """The client: its operations, and its models by their names in the document.

    Attributes:
        folder: that its package is in.
        to_close: closes its connections.
    """

    def __init__(self, package: ModuleType, folder: Path) -> None:
        self._package = package.__name__
        self.folder = folder
        self.models = importlib.import_module(f"{self._package}.models")
        self.types = importlib.import_module(f"{self._package}.types")
        self.to_close = ExitStack()

    def operation(self, tag: str, name: str) -> ModuleType:
        """The function that calls an operation."""
        return importlib.import_module(f"{self._package}.api.{tag}.{name}")

    def with_key(self, stack: LocalStack, key: str) -> Any:
        """A client that comes with a key."""
        client = importlib.import_module(self._package).AuthenticatedClient(
            base_url=stack.target.api_url,
            token=key,
            prefix="",
            auth_header_name="X-API-Key",
            httpx_args={"trust_env": False},
        )
        return self.to_close.enter_context(client)

    def points(self, domain: str, **changed: Any) -> Any:
        """The example of a domain, as a request."""
        return self.models.PointsRequest.from_dict(examples.POINTS[domain] | changed)


@pytest.fixture(scope="module")
def generated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Generated]:
    """The client, generated without a warning."""
    folder = tmp_path_factory.mktemp("client")
    tools = Path(sys.executable).parent
    subprocess.run(
        [
            str(tools / "openapi-python-client"),
            "generate",
            "--fail-on-warning",
            "--meta=none",
            f"--path={ROOT / 'docs' / 'reference' / 'openapi.json'}",
            f"--output-path={folder / PACKAGE}",
        ],
        check=True,
        timeout=_PATIENCE_SECONDS,
        # It calls ruff to put what it writes into form.
        env={**os.environ, "PATH": f"{tools}{os.pathsep}{os.environ['PATH']}"},
    )
    sys.path.insert(0, str(folder))
    try:
        generated = Generated(importlib.import_module(PACKAGE), folder)
        with generated.to_close:
            yield generated
    finally:
        sys.path.remove(str(folder))


@pytest.fixture
def client(generated: Generated, local_stack: LocalStack) -> Any:
    return generated.with_key(local_stack, local_stack.api_key)


@pytest.mark.parametrize("domain", examples.POINTS)
def test_points_of_each_domain_are_sent(generated: Generated, client: Any, source_id: str, domain: str) -> None:
    answer = generated.operation("points", "ingest_datapoints").sync_detailed(
        client=client, body=generated.points(domain, source_id=source_id)
    )

    assert answer.status_code == 202
    assert isinstance(answer.parsed, generated.models.Receipt)
    assert (answer.parsed.inserted, answer.parsed.rejected) == (2, [])
    assert answer.parsed.request_id == answer.headers["x-request-id"]


def test_faults_of_points_are_typed_errors(generated: Generated, client: Any, source_id: str) -> None:
    send = generated.operation("points", "ingest_datapoints").sync
    bad = {"stream_id": "a/b", "value": 1, "timestamp": time.time()}
    good = {"stream_id": "s", "value": 1, "timestamp": time.time()}

    mixed = send(client=client, body=generated.points("iot", source_id=source_id, datapoints=[good, bad]))
    refused = send(client=client, body=generated.points("iot", source_id=source_id, datapoints=[bad]))

    assert [(its.index, its.code, its.field) for its in mixed.rejected] == [(1, "forbidden_character", "stream_id")]
    assert isinstance(refused, generated.models.AllPointsRejectedProblem)
    assert refused.rejected[0].message.startswith("holds '/'")


def test_refusals_are_typed_errors(generated: Generated, local_stack: LocalStack, source_id: str) -> None:
    send = generated.operation("points", "ingest_datapoints").sync
    of_health = generated.with_key(local_stack, local_stack.create_key(domains=("health",)))
    of_nobody = generated.with_key(local_stack, NOBODY)
    of_all = generated.with_key(local_stack, local_stack.api_key)
    points = generated.points("iot", source_id=source_id)

    out_of_reach = send(client=of_health, body=points)
    unknown = send(client=of_nobody, body=points)
    not_of_the_form = send(client=of_all, body=generated.points("iot", source_id="a/b"))

    assert isinstance(out_of_reach, generated.models.ForbiddenProblem)
    assert out_of_reach.missing_scope == "domain:iot"
    assert isinstance(unknown, generated.models.UnauthorizedProblem)
    assert isinstance(not_of_the_form, generated.models.InvalidRequestProblem)
    assert [(fault.code, fault.field) for fault in not_of_the_form.errors] == [("forbidden_character", "source_id")]


def test_a_csv_file_is_sent_and_its_job_looked_at(
    generated: Generated, client: Any, local_stack: LocalStack, source_id: str
) -> None:
    content = b"time;temperature\n2026-02-13 10:00;71,2\n2026-02-13 10:01;71,3\n2026-02-13 10:02;hot\n"
    form = generated.models.CsvForm(
        file=generated.types.File(BytesIO(content), file_name="march.csv", mime_type="text/csv"),
        domain="iot",
        source_id=source_id,
        delimiter=";",
    )

    begun = generated.operation("csv_files", "create_csv_job").sync(client=client, body=form)
    look = generated.operation("csv_files", "get_csv_job").sync

    def complete() -> Any:
        job = look(begun.job_id, client=client)
        return job if job.status == generated.models.JobStatus.COMPLETE else None

    job = local_stack.eventually(complete, "the job is complete")
    listed = generated.operation("csv_files", "list_csv_jobs").sync(client=client, source_id=source_id)
    ended = generated.operation("csv_files", "cancel_csv_job").sync(begun.job_id, client=client)
    missing = look("0" * 24, client=client)

    assert (job.points_queued, job.rows_rejected) == (2, 1)
    assert [(error.code, error.first[0].column) for error in job.errors] == [("not_a_number", "temperature")]
    assert [its.job_id for its in listed.jobs] == [begun.job_id]
    assert isinstance(ended, generated.models.JobHasEndedProblem)
    assert isinstance(missing, generated.models.NotFoundProblem)


def test_constraints_are_written_read_and_rolled_back(generated: Generated, client: Any, source_id: str) -> None:
    call = partial(generated.operation, "constraints")
    where = ("iot", source_id, "oven-1:temperature")
    body = generated.models.ConstraintsBody.from_dict(examples.CONSTRAINTS["iot"])
    other = generated.models.ConstraintsBody.from_dict({"value_constraints": {"max_value": 5}})

    created = call("put_constraints").sync_detailed(*where, client=client, body=body)
    etag = created.headers["etag"]
    known = call("get_constraints").sync_detailed(*where, client=client, if_none_match=etag)
    changed = call("put_constraints").sync_detailed(*where, client=client, body=other, if_match=etag)
    stale = call("put_constraints").sync(*where, client=client, body=body, if_match=etag)
    history = call("get_constraints_history").sync(*where, client=client)
    back = call("roll_back_constraints").sync(
        *where, client=client, body=generated.models.Version(version=created.parsed.version)
    )
    listed = call("list_constraints").sync(client=client, domain="iot", source_id=source_id)
    deleted = call("delete_constraints").sync_detailed(*where, client=client)

    assert (created.status_code, known.status_code, changed.status_code, deleted.status_code) == (201, 304, 200, 204)
    assert etag == f'"{created.parsed.version}"'
    assert isinstance(stale, generated.models.PreconditionFailedProblem)
    assert stale.current_version == changed.parsed.version
    assert [change.kind for change in history.changes] == ["put", "put"]
    assert back.value_constraints.to_dict() == examples.CONSTRAINTS["iot"]["value_constraints"]
    assert [its.key for its in listed.constraints] == ["/".join(where)]


def test_constraints_that_cannot_hold_are_typed_errors(generated: Generated, client: Any, source_id: str) -> None:
    impossible = generated.models.ConstraintsBody.from_dict({"value_constraints": {"min_value": 2, "max_value": 1}})

    refused = generated.operation("constraints", "put_constraints").sync(
        "iot", source_id, "s", client=client, body=impossible
    )

    assert isinstance(refused, generated.models.InvalidRequestProblem)
    assert [(fault.code, fault.field) for fault in refused.errors] == [("impossible", "value_constraints.min_value")]


def test_many_constraints_are_written_at_once(generated: Generated, client: Any, source_id: str) -> None:
    document = {"streams": [{"key": f"iot/{source_id}/{name}", "cooldown_seconds": 1} for name in ("a", "b")]}
    apply = generated.operation("constraints", "apply_constraints")

    applied = apply.sync(client=client, body=generated.models.ConstraintsDocumentType0.from_dict(document))

    assert [(its.key, its.result) for its in applied.results] == [
        (f"iot/{source_id}/a", "created"),
        (f"iot/{source_id}/b", "created"),
    ]


def test_alarms_are_listed(generated: Generated, client: Any, source_id: str) -> None:
    page = generated.operation("alarms", "list_alarms").sync(client=client, domain="iot", source_id=source_id)

    assert isinstance(page, generated.models.AlarmList)
    assert page.alarms == []


def test_the_program_of_the_guide_does_what_the_guide_describes(generated: Generated, local_stack: LocalStack) -> None:
    guide = (ROOT / "docs" / "how-to" / "generate-a-client.md").read_text(encoding="utf-8")
    (program,) = re.findall(r"^```python\n(.*?)^```$", guide, re.MULTILINE | re.DOTALL)
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={
            **os.environ,
            "API": local_stack.target.api_url,
            "AFLUENTE_API_KEY": local_stack.create_key(domains=("iot",)),
            "PYTHONPATH": str(generated.folder),
            "NO_PROXY": "*",
        },
        capture_output=True,
        text=True,
        check=True,
        timeout=_PATIENCE_SECONDS,
    )

    assert done.stdout.splitlines() == ["1 queued", '201 "1"']


def test_the_service_hands_out_the_document_that_the_client_is_of(generated: Generated, client: Any) -> None:
    document = generated.operation("service", "get_openapi").sync(client=client)
    page = generated.operation("service", "get_docs").sync(client=client)
    health = generated.operation("service", "health").sync(client=client)

    assert document["info"]["version"] == health.version
    assert "SwaggerUIBundle" in page
