"""The audit fails for a known vulnerability, and never passes where the service does not answer."""

import json
import threading
from collections.abc import Iterator
from datetime import date
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from infra.audit import ACCEPTED, CLEAN, FOUND, NOT_AUDITED, Accepted, AuditError, main, problems, read_accepted
from infra.paths import ROOT

ADVISORY = "GHSA-462w-v97r-4m45"
TODAY = date(2026, 11, 27)
REASON = "only what we wrote ourselves is ever given to it"

PROJECT = """\
[project]
name = "victim"
version = "0.1.0"
requires-python = ">=3.11"
dependencies = ["jinja2==2.10"]
"""
LOCK = """\
version = 1
revision = 3
requires-python = ">=3.11"

[[package]]
name = "jinja2"
version = "2.10"
source = { registry = "https://pypi.org/simple" }
wheels = [
    { url = "https://files.pythonhosted.org/Jinja2-2.10-py2.py3-none-any.whl", hash = "sha256:HASH", size = 1 },
]

[[package]]
name = "victim"
version = "0.1.0"
source = { virtual = "." }
dependencies = [{ name = "jinja2" }]

[package.metadata]
requires-dist = [{ name = "jinja2", specifier = "==2.10" }]
""".replace("HASH", "0" * 64)


class Osv(BaseHTTPRequestHandler):
    """As much of https://api.osv.dev as is asked for: one package has a vulnerability."""

    def do_POST(self) -> None:
        queries = json.loads(self.rfile.read(int(self.headers["content-length"])))["queries"]
        known = {"vulns": [{"id": ADVISORY, "modified": "2026-01-01T00:00:00Z"}]}
        self._answer({"results": [known if query["package"]["name"] == "jinja2" else {} for query in queries]})

    def do_GET(self) -> None:
        versions = ["2.10", "3.1.6"]
        self._answer(
            {
                "id": ADVISORY,
                "modified": "2026-01-01T00:00:00Z",
                "published": "2019-04-10T00:00:00Z",
                "schema_version": "1.6.0",
                "aliases": ["CVE-2019-10906"],
                "summary": "sandbox escape",
                "affected": [{"package": {"name": "jinja2", "ecosystem": "PyPI"}, "versions": versions}],
            }
        )

    def log_message(self, *_: Any) -> None:
        pass

    def _answer(self, document: dict[str, Any]) -> None:
        body = json.dumps(document).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture
def osv(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with ThreadingHTTPServer(("127.0.0.1", 0), Osv) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


@pytest.fixture
def victim(tmp_path: Path) -> Path:
    (tmp_path / "pyproject.toml").write_text(PROJECT)
    (tmp_path / "uv.lock").write_text(LOCK)
    return tmp_path


def audit(project: Path, url: str, *more: str, accepted: Path | None = None) -> int:
    named = accepted or project / "audit.toml"
    return main(["--project", str(project), "--service-url", url, "--accepted", str(named), *more])


def test_a_pin_with_a_known_vulnerability_fails(victim: Path, osv: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert audit(victim, osv) == FOUND

    shown = capsys.readouterr().out
    assert "jinja2 2.10: CVE-2019-10906, GHSA-462w-v97r-4m45: sandbox escape" in shown
    assert "1 packages of uv.lock audited: 1 problems, 0 accepted" in shown


def test_what_is_accepted_with_a_reason_passes_until_its_day_is_over(victim: Path, osv: str) -> None:
    file = victim / "audit.toml"
    for until, code in (("2999-12-31", CLEAN), ("2020-01-01", FOUND)):
        file.write_text(f'[[accepted]]\nid = "CVE-2019-10906"\nreason = "{REASON}"\nuntil = {until}\n')
        assert audit(victim, osv) == code


def test_all_packages_of_this_project_are_asked_for(osv: str, capsys: pytest.CaptureFixture[str]) -> None:
    audit(ROOT, osv)

    count = int(capsys.readouterr().out.rsplit("\n", 2)[-2].split()[0])
    assert count > 100


def test_nothing_passes_for_audited_where_the_service_does_not_answer(
    victim: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    nobody = "http://127.0.0.1:1/"
    monkeypatch.setenv("UV_HTTP_RETRIES", "0")

    assert audit(victim, nobody) == NOT_AUDITED
    assert "NOT AUDITED" in capsys.readouterr().err
    assert audit(victim, nobody, "--where-nobody-answers", "warn") == CLEAN
    shown = capsys.readouterr()
    assert "NOT AUDITED: the vulnerabilities of the packages in uv.lock are NOT KNOWN" in shown.err
    assert "audited:" not in shown.out


def test_a_vulnerability_is_found_where_an_unreachable_service_would_only_be_warned_of(victim: Path, osv: str) -> None:
    assert audit(victim, osv, "--where-nobody-answers", "warn") == FOUND


def test_an_acceptance_of_no_vulnerability_is_a_problem() -> None:
    accepted = [Accepted(id="GHSA-gone", reason=REASON, until=date(2999, 1, 1))]

    (problem,) = problems({"vulnerabilities": []}, accepted, TODAY)

    assert "GHSA-gone" in problem
    assert "take it out" in problem


def test_a_package_that_its_index_warns_of_is_a_problem() -> None:
    (problem,) = problems(
        {"vulnerabilities": [], "adverse_statuses": [{"name": "x", "status": "quarantined"}]}, [], TODAY
    )

    assert "quarantined" in problem


@pytest.mark.parametrize(
    "text",
    [
        "[[accepted]]\nid = 'GHSA-1'\nuntil = 2027-01-01\n",
        "[[accepted]]\nid = 'GHSA-1'\nreason = 'because'\nuntil = 2027-01-01\n",
        "[[accepted]]\nid = 'GHSA-1'\nreason = 'nobody ever calls that function'\n",
        "[[ignored]]\nid = 'GHSA-1'\n",
        "no toml",
    ],
)
def test_an_acceptance_without_a_reason_or_an_end_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "audit.toml").write_text(text)

    with pytest.raises(AuditError, match=r"audit\.toml"):
        read_accepted(tmp_path / "audit.toml")


def test_the_file_of_this_project_can_be_read() -> None:
    assert ACCEPTED.exists()
    read_accepted(ACCEPTED)
    assert read_accepted(ACCEPTED.with_name("none.toml")) == []


def test_the_checks_of_a_change_audit_and_list_what_is_deployed() -> None:
    run = (ROOT / ".ci" / "run").read_text(encoding="utf-8")

    assert "\nmake audit AUDIT='--where-nobody-answers warn'\n" in run
    assert "\nmake sbom STAGE=prod\n" in run
