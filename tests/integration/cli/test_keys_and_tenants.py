"""`afluente keys` and `afluente tenants` against a running stack, as the operators use them."""

import json
import secrets
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from afluente.adapters.aws.dynamodb_api_keys import DynamoApiKeys
from afluente.application.access.api_keys import ApiKey
from afluente.application.access.tenants import Tenant
from cli.access.stores import keys_of, tenants_of
from cli.core.errors import ExitCode
from cli.core.state import StateDir
from cli.core.target import Target, TargetChoice, resolve
from cli.devices import devices
from tests.integration.cli.conftest import Afluente

pytestmark = pytest.mark.integration


@pytest.fixture
def target(state: StateDir) -> Target:
    return resolve(TargetChoice(state))


@pytest.fixture
def tenant(target: Target) -> Iterator[str]:
    """A tenant that has its own sources of iot, deleted after the test."""
    revoke_legacy_devices(target)
    name = f"acme-{secrets.token_hex(3)}"
    tenants_of(target).put(Tenant(name=name, domains=("iot",), sources=(f"{name}-*",), created_at=time.time()))
    yield name
    tenants_of(target).remove(name)


def revoke_legacy_devices(target: Target) -> None:
    """Those of other tests publish for every sensor of iot, which keeps it from having tenants."""
    for name in devices.active_legacy_devices(target):
        devices.revoke(target, name)


def created(afluente: Afluente, *options: str) -> dict[str, Any]:
    done = afluente("keys", "create", "tests", *options, "--json")
    assert done.code == 0, done.err
    described: dict[str, Any] = json.loads(done.out)
    return described


# --- keys ------------------------------------------------------------------------------------------------------------


def test_a_key_has_the_scope_and_the_limits_of_its_options(afluente: Afluente) -> None:
    options = (
        "--action",
        "ingest",
        "--action",
        "jobs",
        "--domain",
        "iot",
        "--source",
        "a-*",
        "--points-per-second",
        "5",
    )

    key = created(afluente, *options, "--requests-burst", "0", "--expires", "1d")
    shown = afluente("keys", "show", key["key_id"])

    assert (key["actions"], key["domains"], key["sources"]) == (["ingest", "jobs"], ["iot"], ["a-*"])
    assert key["limits"] == {"requests_burst": 0, "points_per_second": 5.0}
    assert key["expires_at"] - key["created_at"] == pytest.approx(86_400, abs=60)
    assert "the operators" in shown.out
    assert "requests_burst 0, points_per_second 5" in shown.out
    assert json.loads(afluente("keys", "show", key["key_id"], "--json").out) == {
        name: value for name, value in key.items() if name != "key"
    }


def test_a_key_is_for_everything_unless_it_is_made_for_less(afluente: Afluente) -> None:
    key = created(afluente)

    assert key["actions"] == ["ingest", "jobs", "constraints", "alarms"]
    assert (key["tenant"], key["domains"], key["sources"], key["limits"]) == (None, ["*"], ["*"], None)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--domain", "space"], "the domain 'space' is not open; open are finance"),
        (["--action", "fly"], "'fly' is not one of"),
        (["--tenant", "nobody"], "there is no tenant 'nobody'"),
        (["--source", "a/b"], "--source 'a/b' holds '/'"),
        (["--source", ""], "must have 1 to 128 characters"),
        (["--points-per-day", "-1"], "Invalid value for '--points-per-day'"),
    ],
)
def test_a_key_that_cannot_be_is_refused_with_the_reason(afluente: Afluente, options: list[str], message: str) -> None:
    done = afluente("keys", "create", "tests", *options)

    assert done.code in {ExitCode.FAILED, ExitCode.USAGE}
    assert message in done.err
    assert done.out == ""


def test_a_key_is_found_by_its_beginning_and_is_never_shown(afluente: Afluente) -> None:
    key = created(afluente)
    text = key["key"]

    for given in (key["key_id"], f"afl_{key['key_id']}", text, text[:30]):
        done = afluente("keys", "show", given)
        assert (done.code, key["key_id"] in done.out) == (0, True)
        assert text[13:30] not in done.out + done.err
    assert "first 12 characters are enough" in afluente("keys", "show", text).err


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("aaaaaaaa", "there is no key aaaaaaaa"),
        ("afl_aaaaaaaa", "there is no key aaaaaaaa"),
        ("S3CRET-that-is-no-id", "what was given is no id of a key"),
    ],
)
@pytest.mark.parametrize("command", ["show", "rotate", "revoke"])
def test_an_unknown_key_is_reported_without_what_might_be_a_secret(
    afluente: Afluente, command: str, given: str, message: str
) -> None:
    done = afluente("keys", command, given)

    assert (done.code, message in done.err) == (ExitCode.FAILED, True)
    assert "S3CRET" not in done.err


def test_a_key_is_rotated_with_an_overlap(afluente: Afluente) -> None:
    old = created(afluente, "--action", "jobs", "--source", "a-*", "--points-burst", "7", "--expires", "10d")

    new = json.loads(afluente("keys", "rotate", old["key_id"], "--overlap", "2h", "--json").out)

    same = ("name", "tenant", "actions", "domains", "sources", "limits")
    assert {name: new[name] for name in same} == {name: old[name] for name in same}
    # As long a life as the old one was to have.
    assert new["expires_at"] - new["created_at"] == pytest.approx(10 * 86_400, abs=60)
    ending = json.loads(afluente("keys", "show", old["key_id"], "--json").out)
    assert ending == new["replaces"]
    assert (ending["valid"], ending["replaced_by"]) == (True, new["key_id"])
    assert ending["expires_at"] - new["created_at"] == pytest.approx(7200, abs=60)
    assert f"valid; {new['key_id']} takes its place" in afluente("keys", "list").out


def test_a_rotated_key_is_shown_alone_on_standard_output(afluente: Afluente) -> None:
    old = created(afluente)

    done = afluente("keys", "rotate", old["key_id"], "--expires", "3d")

    assert done.out.startswith("afl_")
    assert done.out.count("\n") == 1
    assert f"{old['key_id']} ends " in done.err
    new = json.loads(afluente("keys", "show", done.out.strip(), "--json").out)
    assert new["expires_at"] - new["created_at"] == pytest.approx(3 * 86_400, abs=60)


def test_a_key_is_rotated_once_unless_its_successor_is_lost(afluente: Afluente) -> None:
    old = created(afluente)
    new = json.loads(afluente("keys", "rotate", old["key_id"], "--json").out)

    again = afluente("keys", "rotate", old["key_id"])
    assert (again.code, f"{new['key_id']} is to take the place" in again.err) == (ExitCode.USAGE, True)

    afluente("keys", "revoke", new["key_id"])
    assert afluente("keys", "rotate", old["key_id"]).code == 0


def test_a_revoked_key_is_not_rotated(afluente: Afluente) -> None:
    old = created(afluente)
    revoked = afluente("keys", "revoke", old["key_id"])
    assert "for 60 s more at the most" in revoked.out

    done = afluente("keys", "rotate", old["key_id"])

    assert (done.code, f"{old['key_id']} is revoked" in done.err) == (ExitCode.USAGE, True)
    assert afluente("keys", "rotate", old["key_id"], "--overlap", "soon").code == ExitCode.USAGE


@pytest.mark.parametrize("command", ["rotate", "revoke"])
def test_a_key_that_somebody_else_changes_at_the_same_time_is_left_as_they_left_it(
    afluente: Afluente, target: Target, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    old = created(afluente)
    before = {key.key_id for key in keys_of(target).list()}
    find = DynamoApiKeys.find

    def find_and_be_overtaken(self: DynamoApiKeys, key_id: str) -> ApiKey | None:
        found = find(self, key_id)
        if found is not None:
            self.put(msgspec.structs.replace(found, name="changed"), replacing=found)
        return found

    with monkeypatch.context() as patch:
        patch.setattr(DynamoApiKeys, "find", find_and_be_overtaken)
        done = afluente("keys", command, old["key_id"])

    assert (done.code, "somebody else has changed" in done.err) == (ExitCode.FAILED, True)
    left = keys_of(target).find(old["key_id"])
    assert left is not None
    assert (left.name, left.revoked_at, left.replaced_by) == ("changed", None, None)
    # What was made for it, and shown to nobody, opens nothing.
    made = [key for key in keys_of(target).list() if key.key_id not in before]
    assert all(key.revoked_at is not None for key in made)


# --- tenants ---------------------------------------------------------------------------------------------------------


def test_a_key_of_a_tenant_reaches_sources_within_its_boundary_and_not_beyond(afluente: Afluente, tenant: str) -> None:
    whole = created(afluente, "--tenant", tenant)
    part = created(afluente, "--tenant", tenant, "--source", f"{tenant}-hall-?")
    beyond = afluente("keys", "create", "x", "--tenant", tenant, "--source", "zeta-*")
    elsewhere = afluente("keys", "create", "x", "--tenant", tenant, "--domain", "health")

    assert (whole["tenant"], whole["domains"], whole["sources"]) == (tenant, ["iot"], [f"{tenant}-*"])
    assert part["sources"] == [f"{tenant}-hall-?"]
    assert "the scope source:zeta-* reaches beyond the boundary of the tenant" in beyond.err
    assert "the scope domain:health reaches beyond" in elsewhere.err
    rotated = json.loads(afluente("keys", "rotate", part["key_id"], "--json").out)
    assert (rotated["tenant"], rotated["sources"]) == (tenant, part["sources"])


def test_a_key_of_the_operators_is_pointed_out_where_there_are_tenants(afluente: Afluente, tenant: str) -> None:
    assert tenant
    assert "it is the operators'" in afluente("keys", "create", "x").err


def test_a_tenant_is_listed_and_shown_with_its_keys_and_those_that_cross_its_boundary(
    afluente: Afluente, tenant: str
) -> None:
    own = created(afluente, "--tenant", tenant)
    narrow, other = created(afluente, "--source", f"{tenant}-1"), created(afluente, "--source", "zeta-*")

    shown = json.loads(afluente("tenants", "show", tenant, "--json").out)

    assert (shown["domains"], shown["sources"], shown["keys"]) == (["iot"], [f"{tenant}-*"], [own["key_id"]])
    assert narrow["key_id"] in shown["operators_keys"]
    assert not {other["key_id"], own["key_id"]} & set(shown["operators_keys"])
    shown_to_people = afluente("tenants", "show", tenant).out
    assert f"its key {own['key_id']}" in shown_to_people
    assert f"the operators' key {narrow['key_id']}" in shown_to_people
    assert tenant in afluente("tenants", "list").out
    assert tenant in {found["name"] for found in json.loads(afluente("tenants", "list", "--json").out)}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["{name}", "--domain", "iot"], "there is a tenant '{name}' already"),
        (["another", "--domain", "iot", "--source", "{name}-1"], "would be reached by '{name}' too"),
        (["another", "--domain", "iot"], "iot/{name}-* would be reached by '{name}' too"),
        (["another", "--domain", "space"], "'space' is not open"),
        (["Another One", "--domain", "health"], "must be a lower-case letter"),
        (["another", "--domain", "health", "--source", "a?b*"], "must be an id, the beginning of ids"),
    ],
)
def test_a_tenant_that_cannot_be_is_refused(
    afluente: Afluente, tenant: str, arguments: list[str], message: str
) -> None:
    done = afluente("tenants", "create", *(argument.format(name=tenant) for argument in arguments))

    assert done.code in {ExitCode.FAILED, ExitCode.USAGE}
    assert message.format(name=tenant) in done.err
    assert "another" not in {found["name"] for found in json.loads(afluente("tenants", "list", "--json").out)}


def test_keys_of_the_operators_that_cross_the_boundary_of_a_new_tenant_are_shown(
    afluente: Afluente, target: Target
) -> None:
    key = created(afluente, "--source", "quux-*")
    try:
        made = afluente("tenants", "create", "quux", "--domain", "health", "--source", "quux-1")
    finally:
        tenants_of(target).remove("quux")

    assert f"{key['key_id']} (tests) of the operators crosses its boundary" in made.err


def test_a_tenant_is_made_and_is_removed_when_it_has_no_keys_and_no_devices_any_more(
    afluente: Afluente, target: Target, tmp_path: Path
) -> None:
    revoke_legacy_devices(target)
    tenant = f"acme-{secrets.token_hex(3)}"
    made = afluente("tenants", "create", tenant, "--domain", "iot", "--source", f"{tenant}-*")
    assert (made.code, made.out) == (0, f"made {tenant}: its boundary is iot / {tenant}-*\n")
    key = created(afluente, "--tenant", tenant)
    device = (
        "devices",
        "create",
        f"{tenant}-oven",
        "--domain",
        "iot",
        "--tenant",
        tenant,
        "--dir",
        tmp_path / "device",
    )
    assert afluente(*device).code == 0

    with_key = afluente("tenants", "remove", tenant)
    afluente("keys", "revoke", key["key_id"])
    with_device = afluente("tenants", "remove", tenant)
    afluente("devices", "revoke", f"{tenant}-oven")

    assert (with_key.code, key["key_id"] in with_key.err) == (ExitCode.FAILED, True)
    assert (with_device.code, f"{tenant}-oven" in with_device.err) == (ExitCode.FAILED, True)
    assert afluente("tenants", "remove", tenant).out == f"removed {tenant}; its points stay\n"
    assert afluente("tenants", "show", tenant).code == ExitCode.FAILED


def test_a_legacy_device_keeps_a_part_of_its_domain_from_being_a_tenants(
    afluente: Afluente, target: Target, tmp_path: Path
) -> None:
    name = f"old-{secrets.token_hex(3)}"
    assert afluente("devices", "create", name, "--legacy", "--dir", tmp_path / name).code == 0

    refused = afluente("tenants", "create", "quux", "--domain", "iot", "--source", "quux-*")
    elsewhere = afluente("tenants", "create", "quux", "--domain", "health", "--source", "quux-*")
    tenants_of(target).remove("quux")
    revoke_legacy_devices(target)
    afterwards = afluente("tenants", "create", "quux", "--domain", "iot", "--source", "quux-*")
    tenants_of(target).remove("quux")

    assert (refused.code, name in refused.err) == (ExitCode.FAILED, True)
    assert (elsewhere.code, afterwards.code) == (0, 0)


def test_a_customer_may_drop_files_into_its_own_folders_alone(afluente: Afluente, target: Target, tenant: str) -> None:
    document = json.loads(afluente("tenants", "policy", tenant, "--json").out)

    [statement] = document["Statement"]
    assert (statement["Effect"], statement["Action"]) == ("Allow", ["s3:PutObject", "s3:AbortMultipartUpload"])
    assert statement["Resource"] == [f"arn:aws:s3:::{target['CsvBucket']}/inbox/iot/{tenant}-*/*"]
    assert f"/inbox/iot/{tenant}-*/*" in afluente("tenants", "policy", tenant).out
