"""Settings of the functions."""

import pytest
from pydantic import ValidationError

from afluente.runtime.classifier import ClassifierSettings
from afluente.runtime.http_authorizer import HttpAuthorizerSettings
from afluente.runtime.http_ingest import HttpIngestSettings
from tests.unit.runtime.environments import CLASSIFIER, HTTP_AUTHORIZER, HTTP_INGEST


def test_settings_are_read_from_the_environment() -> None:
    settings = HttpIngestSettings.read(HTTP_INGEST | {"PATH": "/bin", "AFLUENTE_SOMETHING_ELSE": "1"})

    assert settings.domains == ("iot", "health")
    assert settings.shards == 64
    assert settings.quarantine_bucket == "quarantine"
    assert HttpAuthorizerSettings.read(HTTP_AUTHORIZER).access_table == "access"


def test_domains_may_be_given_as_names_already() -> None:
    settings = HttpIngestSettings(
        domains=("iot",), shards=1, datapoints_queue_url="https://queue", quarantine_bucket="quarantine"
    )

    assert settings.domains == ("iot",)


def test_some_settings_of_the_classifier_may_be_left_out() -> None:
    settings = ClassifierSettings.read(CLASSIFIER)
    others = {"AFLUENTE_CONSTRAINTS_TTL_SECONDS": "0.5", "AFLUENTE_RECORD_FORMAT": "gzip"}

    assert (settings.constraints_ttl_seconds, settings.record_format) == (60, "plain")
    settings = ClassifierSettings.read(CLASSIFIER | others)
    assert (settings.constraints_ttl_seconds, settings.record_format) == (0.5, "gzip")


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        pytest.param({}, False, id="has none"),
        pytest.param({"AFLUENTE_OLD_SQL_SECRET": "old"}, False, id="has left them behind"),
        pytest.param({"AFLUENTE_USE_AGNOSTIC_CONSTRAINTS": "false"}, False, id="has none, and no constraints either"),
        pytest.param(
            {"AFLUENTE_OLD_SQL_SECRET": "old", "AFLUENTE_USE_AGNOSTIC_CONSTRAINTS": "false"}, True, id="has some"
        ),
    ],
)
def test_legacy_tables_are_read_in_a_stage_that_has_them_and_has_not_left_them_behind(
    environment: dict[str, str], expected: bool
) -> None:
    assert ClassifierSettings.read(CLASSIFIER | environment).has_legacy_tables is expected


@pytest.mark.parametrize("missing", HTTP_INGEST)
def test_a_setting_that_is_missing_is_named(missing: str) -> None:
    with pytest.raises(ValidationError) as error:
        HttpIngestSettings.read({name: value for name, value in HTTP_INGEST.items() if name != missing})

    assert [f"AFLUENTE_{fault['loc'][0]}".upper() for fault in error.value.errors()] == [missing]


@pytest.mark.parametrize("shards", ["0", "1025", "many", ""])
def test_a_setting_out_of_its_range_is_named(shards: str) -> None:
    with pytest.raises(ValidationError) as error:
        HttpIngestSettings.read(HTTP_INGEST | {"AFLUENTE_SHARDS": shards})

    assert [fault["loc"] for fault in error.value.errors()] == [("shards",)]
