"""Own modules that a cold start of each function loads: its handler's imports, and those of its composition.

A module that a function loads by accident costs each of its cold starts, and ties the function to a room that it has no
part in. So each function has a list here. `*` stands for all of a room's modules; packages count by themselves.
"""

import json
import subprocess
import sys
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path

import pytest

from tests.unit.runtime.environments import ENVIRONMENTS

ROOT = Path(__file__).parents[3]
PATHS = [str(ROOT / "layers" / "core" / "python"), str(ROOT / "functions")]

EVERY_FUNCTION = (
    "afluente.application.errors afluente.application.redaction",
    "afluente.application.limits.stage_limits",
    "afluente.adapters.aws.calls afluente.adapters.aws.dynamodb",
    "afluente.runtime.entry_point",
    "afluente.runtime.core.clients afluente.runtime.core.emf afluente.runtime.core.observability",
    "afluente.runtime.core.settings",
)
INGEST = (
    "afluente.domain.datapoints afluente.domain.faults afluente.domain.stream_keys",
    "afluente.application.ingest.*",
    "afluente.adapters.codecs.packs",
    "afluente.adapters.aws.s3_quarantine afluente.adapters.aws.sqs_packs",
    "afluente.runtime.ingest afluente.runtime.core.jitter",
)
RATE_LIMITS = (
    "afluente.application.limits.*",
    "afluente.adapters.aws.dynamodb_limits",
    "afluente.runtime.limiting afluente.runtime.core.jitter",
)
AUTHENTICATION = (
    "afluente.application.access.api_keys afluente.application.access.authentication",
    "afluente.application.access.grants afluente.application.access.ports",
    "afluente.adapters.aws.dynamodb_api_keys afluente.adapters.aws.dynamodb_key_uses",
    "afluente.adapters.aws.secrets_manager",
    "afluente.runtime.authentication afluente.runtime.core.secrets",
)
HTTP = (
    "afluente.domain.datapoints afluente.domain.faults afluente.domain.stream_keys",
    "afluente.application.access.grants",
    "afluente.adapters.codecs.json_documents",
    "afluente.adapters.http.answers afluente.adapters.http.authorization afluente.adapters.http.client_address",
    "afluente.adapters.http.errors afluente.adapters.http.rate_limits afluente.adapters.http.requests",
    "afluente.adapters.http.routes afluente.adapters.aws.secrets_manager",
    "afluente.runtime.front afluente.runtime.http_request afluente.runtime.core.secrets afluente.runtime.serving",
)
CSV_JOBS = (
    "afluente.application.csv.*",
    "afluente.adapters.codecs.csv.options afluente.adapters.codecs.csv_jobs",
    "afluente.adapters.aws.dynamodb_csv_jobs",
    "afluente.runtime.csv_jobs",
)

CLOSURES = {
    "http_authorizer": (
        *EVERY_FUNCTION,
        *AUTHENTICATION,
        "afluente.application.access.key_guard afluente.application.limits.rules",
        "afluente.adapters.http.authorization afluente.adapters.http.client_address",
        "afluente.runtime.front afluente.runtime.http_authorizer http_authorizer.handler",
    ),
    "http_ingest": (
        *EVERY_FUNCTION,
        *HTTP,
        *INGEST,
        *RATE_LIMITS,
        *CSV_JOBS,
        "afluente.adapters.codecs.json_points afluente.adapters.http.points",
        "afluente.adapters.http.csv_forms afluente.adapters.http.csv_jobs afluente.adapters.http.csv_uploads",
        "afluente.adapters.aws.s3_csv_uploads",
        "afluente.runtime.http_ingest http_ingest.handler",
        "http_ingest.csv_routes http_ingest.default_route http_ingest.legacy_route http_ingest.points_route",
    ),
    "http_admin": (
        *EVERY_FUNCTION,
        *HTTP,
        *RATE_LIMITS,
        "afluente.domain.alarms afluente.domain.constraints",
        "afluente.application.alarms.history afluente.application.alarms.ports",
        "afluente.application.constraints.*",
        "afluente.adapters.http.alarms afluente.adapters.http.conditions afluente.adapters.http.constraints",
        "afluente.adapters.http.constraint_bodies afluente.adapters.http.constraint_queries",
        "afluente.adapters.aws.cloudwatch_alarm_log afluente.adapters.aws.dynamodb_constraints",
        "afluente.adapters.aws.side_by_side",
        "afluente.runtime.http_admin http_admin.handler",
        "http_admin.alarms_routes http_admin.constraints_routes http_admin.documentation_routes",
    ),
    "iot_rule_handler": (
        *EVERY_FUNCTION,
        *INGEST,
        *RATE_LIMITS,
        "afluente.adapters.codecs.json_documents afluente.adapters.codecs.json_points afluente.adapters.codecs.senml",
        "afluente.adapters.mqtt.counting afluente.adapters.mqtt.messages afluente.adapters.aws.sqs_records",
        "afluente.runtime.records afluente.runtime.iot_rule_handler iot_rule_handler.*",
        # Legacy devices: the migration wing.
        "afluente.migration.domain.legacy_service afluente.migration.domain.thresholds",
        "afluente.migration.application.sensors afluente.application.read_through_cache",
        "afluente.migration.adapters.dynamodb_sensors afluente.migration.adapters.messages",
        "afluente.migration.adapters.legacy_readings afluente.migration.adapters.readings",
        "afluente.migration.adapters.sender_words afluente.runtime.migration.sensors",
    ),
    "ws_ingest": (
        *EVERY_FUNCTION,
        *INGEST,
        *RATE_LIMITS,
        *AUTHENTICATION,
        "afluente.application.websocket.*",
        "afluente.adapters.codecs.json_documents afluente.adapters.codecs.json_points",
        "afluente.adapters.websocket.messages afluente.adapters.http.client_address",
        "afluente.adapters.aws.api_gateway_connections afluente.adapters.aws.dynamodb_connections",
        "afluente.adapters.aws.sqs_records",
        "afluente.runtime.records afluente.runtime.ws_ingest ws_ingest.*",
    ),
    "classifier": (
        *EVERY_FUNCTION,
        "afluente.domain.*",
        "afluente.application.classification.* afluente.application.alarms.ports",
        "afluente.application.constraints.history afluente.application.constraints.lookup",
        "afluente.application.constraints.ports afluente.application.constraints.scopes",
        "afluente.application.ingest.* afluente.application.backoff afluente.application.read_through_cache",
        "afluente.adapters.codecs.kinesis_records afluente.adapters.codecs.packs afluente.adapters.codecs.states",
        "afluente.adapters.codecs.columns afluente.adapters.codecs.packed_windows",
        "afluente.adapters.codecs.plain_states afluente.adapters.codecs.stored_streams",
        "afluente.adapters.aws.dynamodb_constraints afluente.adapters.aws.dynamodb_pack_tries",
        "afluente.adapters.aws.dynamodb_slots afluente.adapters.aws.dynamodb_state*",
        "afluente.adapters.aws.side_by_side",
        "afluente.adapters.aws.eventbridge afluente.adapters.aws.kinesis",
        "afluente.adapters.aws.s3_quarantine afluente.adapters.aws.sqs_packs afluente.adapters.aws.sqs_records",
        "afluente.runtime.bulk_slots afluente.runtime.classifier afluente.runtime.core.jitter afluente.runtime.records",
        "classifier.*",
    ),
    "csv_trigger": (
        *EVERY_FUNCTION,
        *INGEST,
        *CSV_JOBS,
        *RATE_LIMITS,
        "afluente.application.access.api_keys afluente.application.access.grants",
        "afluente.application.access.ports afluente.adapters.aws.dynamodb_api_keys",
        "afluente.adapters.aws.s3_csv_options afluente.adapters.aws.s3_events",
        "afluente.adapters.aws.sqs_csv_jobs afluente.adapters.aws.sqs_records",
        "afluente.adapters.codecs.json_documents afluente.application.backoff",
        "afluente.adapters.aws.dynamodb_slots afluente.adapters.aws.sqs_bulk_packs afluente.runtime.bulk_slots",
        "afluente.runtime.records afluente.runtime.csv_trigger csv_trigger.*",
    ),
}

_PROGRAM = """
import json, sys
from importlib import import_module
handler = import_module(f"{sys.argv[1]}.handler")
imported = set(sys.modules)
handler.compose(json.loads(sys.argv[2]))
is_package = {name: hasattr(module, "__path__") for name, module in sys.modules.items()}
composed = set(sys.modules) - imported
print(json.dumps({"imported": sorted(imported), "composed": sorted(composed), "is_package": is_package}))
"""

every_function = pytest.mark.parametrize("function", CLOSURES)


class Loaded:
    """The modules that a function loads in a clean interpreter."""

    def __init__(self, function: str) -> None:
        done = subprocess.run(
            [sys.executable, "-c", _PROGRAM, function, json.dumps(ENVIRONMENTS[function])],
            env={"PYTHONPATH": ":".join(PATHS), "AWS_DEFAULT_REGION": "us-east-1"},
            capture_output=True,
            text=True,
            check=True,
        )
        found = json.loads(done.stdout)
        self.all: set[str] = {*found["imported"], *found["composed"]}
        self.own = {name for name in self.all if name.split(".")[0] in {"afluente", function}}
        self.by_composing = self.own & set(found["composed"])
        self.modules = {name for name in self.own if not found["is_package"][name]}


@cache
def loaded_by(function: str) -> Loaded:
    return Loaded(function)


@every_function
def test_a_function_loads_the_modules_of_its_list(function: str) -> None:
    patterns = {pattern for line in CLOSURES[function] for pattern in line.split()}
    modules = loaded_by(function).modules

    assert {name for name in modules if not any(fnmatchcase(name, pattern) for pattern in patterns)} == set()
    assert {pattern for pattern in patterns if not any(fnmatchcase(name, pattern) for name in modules)} == set()


@every_function
def test_what_a_function_is_composed_of_is_loaded_before_its_first_event(function: str) -> None:
    assert loaded_by(function).by_composing == set()


def test_the_authorizer_loads_few_modules() -> None:
    assert len(loaded_by("http_authorizer").own) < 40


@every_function
def test_no_function_loads_the_memory_twins(function: str) -> None:
    assert {name for name in loaded_by(function).own if "memory" in name} == set()


@every_function
def test_the_mqtt_function_alone_loads_the_migration_before_somebody_needs_it(function: str) -> None:
    migration = {name for name in loaded_by(function).own if "migration" in name.split(".")}

    assert bool(migration) == (function == "iot_rule_handler")


@every_function
def test_large_libraries_are_loaded_when_they_are_needed(function: str) -> None:
    assert {"boto3", "numpy", "pandas", "pg8000", "pymssql", "sqlalchemy"} & loaded_by(function).all == set()
