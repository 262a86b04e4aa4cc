"""A stage is a preset with the values of its file in their place; invalid values are refused with a hint."""

import dataclasses
from pathlib import Path

import pytest
from msgspec.structs import replace

from afluente.adapters.http.points import MAX_POINTS
from infra.presets import PRESETS, StageError, dev, load_stage, local, prod
from infra.stage import Stage


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_needs_no_file(tmp_path: Path, name: str) -> None:
    assert load_stage(name, tmp_path) == PRESETS[name]()


def test_a_file_changes_single_values_of_its_preset(tmp_path: Path) -> None:
    (tmp_path / "dev.toml").write_text('operations_email = "operations@example.org"\nshards = 8\ndomains = ["water"]')

    assert load_stage("dev", tmp_path) == dataclasses.replace(
        dev(), operations_email="operations@example.org", shards=8, domains=("water",)
    )


def test_a_file_changes_single_limits_of_its_preset(tmp_path: Path) -> None:
    (tmp_path / "dev.toml").write_text("[limits.key]\npoints_per_day = 5")

    limits = load_stage("dev", tmp_path).limits

    assert limits == replace(dev().limits, key=replace(dev().limits.key, points_per_day=5))


def test_a_file_changes_single_reservations_of_its_preset(tmp_path: Path) -> None:
    (tmp_path / "prod.toml").write_text("[reserved_concurrency]\nclassifier = 0\nws_ingest = 7")

    reserved = load_stage("prod", tmp_path).reserved_concurrency

    assert reserved == dataclasses.replace(prod().reserved_concurrency, classifier=0, ws_ingest=7)


def test_a_stage_reserves_for_the_functions_that_it_has() -> None:
    assert sum(prod().reservations.values()) == 439
    assert "afluente-prod-ws-ingest" not in dataclasses.replace(prod(), enable_websocket_ingest=False).reservations
    assert dev().reservations == local().reservations == {}


def test_the_largest_request_is_within_the_bursts_of_every_preset() -> None:
    for preset in PRESETS.values():
        limits = preset().limits
        assert all(of.points_burst >= MAX_POINTS or not of.points_per_second for of in (limits.key, limits.source))


def test_a_stage_of_ones_own_starts_from_a_preset(tmp_path: Path) -> None:
    (tmp_path / "staging.toml").write_text('preset = "prod"\nregion = "eu-central-1"')

    staging = load_stage("staging", tmp_path)

    assert staging == dataclasses.replace(prod(), name="staging", region="eu-central-1")
    assert staging.prefix == "afluente-staging"


def test_a_name_without_preset_and_file_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(StageError) as refused:
        load_stage("staging", tmp_path)

    assert "'staging' is unknown" in str(refused.value)
    assert f'{tmp_path / "staging.toml"} with `preset = "dev"`' in str(refused.value)


@pytest.mark.parametrize(
    ("line", "field"),
    [
        ("shard = 8", "shard"),
        ("shards = 0", "shards"),
        ("shards = 'many'", "shards"),
        ("domains = []", "domains"),
        ("domains = ['Water']", "domains"),
        ("region = 'Frankfurt'", "region"),
        ("account = '1'", "account"),
        ("architecture = 'sparc'", "architecture"),
        ("log_retention_days = 8", "log_retention_days"),
        ("stream_retention_hours = 1", "stream_retention_hours"),
        ("operations_email = 'nobody'", "operations_email"),
        ("queue_visibility_seconds = 179", "queue_visibility_seconds = 180"),
        ("csv_visibility_seconds = 250", "csv_visibility_seconds = 1440"),
        ("csv_timeout_seconds = 290", "csv_timeout_seconds"),
        ("csv_concurrency = 1", "csv_concurrency"),
        ("csv_tenant_concurrency = 0", "csv_tenant_concurrency"),
        ("csv_split_megabytes = 0", "csv_split_megabytes"),
        ("csv_parts = 17", "csv_parts"),
        ("[reserved_concurrency]\nclassifier = 1", "reserved_concurrency.classifier"),
        ("[reserved_concurrency]\niot_rule_handler = 1", "reserved_concurrency.iot_rule_handler"),
        ("[reserved_concurrency]\ncsv_trigger = 11", "reserved_concurrency.csv_trigger"),
        ("[reserved_concurrency]\nhttp_admin = 11", "reserved_concurrency.http_admin"),
        ("limits_fail = 'maybe'", "limits_fail"),
        ("limits = 5", "limits"),
        ("[limits.key]\nrequests_per_second = -1", "limits.key.requests_per_second"),
        ("[limits.keys]\nrequests_per_second = 1", "limits.keys"),
        ("[limits.key]\nrequests = 1", "limits.key.requests"),
    ],
)
def test_an_invalid_value_is_refused_by_its_name(tmp_path: Path, line: str, field: str) -> None:
    (tmp_path / "dev.toml").write_text(line)

    with pytest.raises(StageError, match=rf"{field}\b"):
        load_stage("dev", tmp_path)


def test_a_file_that_is_no_toml_is_named(tmp_path: Path) -> None:
    (tmp_path / "dev.toml").write_text("shards: 8")

    with pytest.raises(StageError, match=r"dev\.toml is no TOML"):
        load_stage("dev", tmp_path)


@pytest.mark.parametrize(
    ("machine", "architecture"), [("x86_64", "x86_64"), ("AMD64", "x86_64"), ("arm64", "arm64"), ("aarch64", "arm64")]
)
def test_the_local_stage_is_for_the_machine_at_hand(
    monkeypatch: pytest.MonkeyPatch, machine: str, architecture: str
) -> None:
    monkeypatch.setattr("platform.machine", lambda: machine)

    assert local().architecture == architecture


def test_a_stage_cannot_be_changed() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        dev().shards = 1  # type: ignore[misc]


def test_the_names_of_resources_stay_within_their_limits() -> None:
    with pytest.raises(ValueError, match="name"):
        Stage(name="a-name-that-is-far-too-long", architecture="arm64")


@pytest.mark.parametrize("domains", [("smart-grid", "smart_grid"), ("water", "water")])
def test_domains_whose_topic_rules_would_have_one_name_are_refused(domains: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="too like"):
        Stage(name="dev", architecture="arm64", domains=domains)
