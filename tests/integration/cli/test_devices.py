"""`afluente devices` and `afluente send mqtt` against a running stack."""

import json
import secrets
import stat
from pathlib import Path

import pytest

from cli.core.errors import ExitCode
from cli.core.state import StateDir
from cli.core.target import Target, TargetChoice, resolve
from cli.devices.connection import DeviceConnection, read_connection
from tests.integration.cli.conftest import Afluente

pytestmark = pytest.mark.integration


@pytest.fixture
def name() -> str:
    return f"oven-{secrets.token_hex(3)}"


@pytest.fixture
def target(state: StateDir) -> Target:
    return resolve(TargetChoice(state))


def test_a_device_is_made_listed_revoked_and_given_another_certificate(
    afluente: Afluente, name: str, tmp_path: Path
) -> None:
    made = afluente("devices", "create", name, "--domain", "iot", "--dir", tmp_path / name)

    assert (made.code, f"made {name}" in made.out) == (ExitCode.OK, True)
    assert (tmp_path / name / "private.key").read_text() not in made.out + made.err
    assert permissions(tmp_path / name) == 0o700
    assert permissions(tmp_path / name / "private.key") == 0o600
    connection = read_connection(tmp_path / name)
    assert (connection.client_id, connection.source_id, connection.topic) == (name, name, f"iot/{name}/{{stream_id}}")
    assert connection.basic_ingest_topic == f"$aws/rules/afluente_local_iot/iot/{name}/{{stream_id}}"
    assert states(afluente, name) == ["ACTIVE"]

    again = afluente("devices", "create", name, "--domain", "iot", "--dir", tmp_path / "again")
    assert (again.code, "there is a device" in again.err) == (ExitCode.FAILED, True)

    assert afluente("devices", "revoke", name).code == ExitCode.OK
    assert states(afluente, name) == ["REVOKED"]
    elsewhere = afluente("devices", "create", name, "--domain", "health", "--dir", tmp_path / "again")
    assert (elsewhere.code, "of the domain 'iot'" in elsewhere.err) == (ExitCode.FAILED, True)
    assert afluente("devices", "create", name, "--domain", "iot", "--dir", tmp_path / "again").code == ExitCode.OK
    assert sorted(states(afluente, name)) == ["ACTIVE", "REVOKED"]


@pytest.mark.parametrize(
    ("name", "domain", "message"),
    [
        ("no/source", "iot", "cannot be the name of a device"),
        ("a b", "iot", "cannot be the name of a device"),
        ("", "iot", "cannot be the name of a device"),
        ("x" * 129, "iot", "cannot be the name of a device"),
        ("oven", "weather", "no topic rule takes"),
    ],
)
def test_a_device_that_cannot_be_is_refused(
    afluente: Afluente, tmp_path: Path, name: str, domain: str, message: str
) -> None:
    done = afluente("devices", "create", name, "--domain", domain, "--dir", tmp_path / "device")

    assert (done.code, message in done.err) == (ExitCode.USAGE, True)
    assert not (tmp_path / "device").exists()


def test_a_legacy_device_is_shown_both_of_its_topics(afluente: Afluente, name: str, tmp_path: Path) -> None:
    made = afluente("devices", "create", name, "--legacy", "--dir", tmp_path / name)

    assert made.code == ExitCode.OK, made.err
    connection = read_connection(tmp_path / name)
    assert (connection.domain, connection.topic) == ("iot", f"iot/{name}/{{stream_id}}")
    assert connection.old_topic == "iot/sensors/{sensor_id}/readings"
    (listed,) = [line for line in afluente("devices", "list").out.splitlines() if name in line]
    assert "iot (legacy)" in listed


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ([], "a device has a domain"),
        (["--legacy", "--domain", "health"], "legacy devices are of the domain 'iot'"),
        (["--domain", "weather"], "there are finance, health, infrastructure, iot\n"),
    ],
)
def test_a_device_is_of_a_domain_that_there_is(
    afluente: Afluente, name: str, tmp_path: Path, options: list[str], message: str
) -> None:
    done = afluente("devices", "create", name, *options, "--dir", tmp_path / name)

    assert done.code == ExitCode.USAGE
    assert message in done.err
    assert not (tmp_path / name).exists()


def test_nothing_is_left_of_a_device_whose_files_cannot_be_written(
    afluente: Afluente, target: Target, name: str, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    before = certificates(target)

    assert afluente("devices", "create", name, "--domain", "iot", "--dir", tmp_path / "file" / "in").code != ExitCode.OK

    assert states(afluente, name) == []
    assert certificates(target) == before


def test_a_device_that_is_not_there_cannot_be_revoked(afluente: Afluente) -> None:
    done = afluente("devices", "revoke", "nobody")

    assert (done.code, "there is no device 'nobody'" in done.err) == (ExitCode.FAILED, True)


@pytest.mark.parametrize("way", [[], ["--basic-ingest"]])
def test_a_table_is_published_by_a_device_that_is_made_for_it(
    afluente: Afluente, name: str, tmp_path: Path, way: list[str]
) -> None:
    table = tmp_path / "readings.csv"
    table.write_text("time,a,b\n" + "".join(f"{1_700_000_000 + row},{row},{row}\n" for row in range(100)))

    done = afluente("send", "mqtt", "--domain", "iot", "--source", name, "--batch", "30", "--json", *way, table)

    assert done.code == ExitCode.OK, done.err
    summary = json.loads(done.out)
    assert (summary["read"], summary["inserted"], summary["rejected"]) == (200, 200, 0)


def test_a_point_without_a_topic_is_reported_and_the_others_are_published(
    afluente: Afluente, name: str, tmp_path: Path
) -> None:
    lines = tmp_path / "points.ndjson"
    points = [{"stream_id": stream, "value": 1, "timestamp": 1_700_000_000} for stream in ("a", "a/b", "c")]
    lines.write_text("".join(f"{json.dumps(point)}\n" for point in points))

    done = afluente("send", "mqtt", "--domain", "iot", "--source", name, "--json", lines)

    summary = json.loads(done.out)
    assert (done.code, summary["inserted"], summary["rejected"]) == (ExitCode.REJECTED, 2, 1)
    assert "stream_id" in done.err


def test_a_device_publishes_for_no_other_source(afluente: Afluente, name: str, tmp_path: Path) -> None:
    afluente("devices", "create", name, "--domain", "iot", "--dir", tmp_path / name)
    lines = tmp_path / "points.ndjson"
    lines.write_text('{"stream_id": "a", "value": 1, "timestamp": 1700000000}\n')

    done = afluente("send", "mqtt", "--domain", "iot", "--source", "another", "--device", tmp_path / name, lines)
    assert (done.code, f"publishes for iot/{name}" in done.err) == (ExitCode.USAGE, True)

    # One whose folder was changed by hand meets the policy.
    forged = read_connection(tmp_path / name)
    write(tmp_path / name, forged, source_id="another")
    done = afluente("send", "mqtt", "--domain", "iot", "--source", "another", "--device", tmp_path / name, lines)
    assert (done.code, "NOT_AUTHORIZED" in done.err) == (ExitCode.FAILED, True)


def states(afluente: Afluente, name: str) -> list[str]:
    """The states of the certificates of a device."""
    found = json.loads(afluente("devices", "list", "--json").out)
    return [state for one in found if one["name"] == name for state in one["certificates"].values()]


def certificates(target: Target) -> set[str]:
    return {one["certificateId"] for one in target.client("iot").list_certificates()["certificates"]}


def permissions(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def write(folder: Path, connection: DeviceConnection, *, source_id: str) -> None:
    fields = {name: getattr(connection, name) for name in connection.__struct_fields__}
    (folder / "connection.json").write_text(json.dumps(fields | {"source_id": source_id}))
