"""The documents say what the code does: links lead somewhere, examples are of the form, no name is left out."""

import ast
import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pytest
import typer.main
import yaml
from typer.core import TyperGroup

from afluente.adapters.codecs import json_documents, json_points
from afluente.adapters.codecs.csv import options as csv_options
from afluente.adapters.codecs.csv.options import CSVIngestConfig
from afluente.adapters.http import answers as http_answers
from afluente.adapters.http import csv_forms
from afluente.adapters.http import csv_uploads as http_csv_uploads
from afluente.adapters.http import points as http_points
from afluente.adapters.http import requests as http_requests
from afluente.adapters.websocket import messages as websocket_messages
from afluente.application.constraints.documents import ANNOTATIONS, parse_document
from afluente.application.csv import listing as csv_listing
from afluente.application.csv import progress as csv_progress
from afluente.application.csv import uploads as csv_uploads
from afluente.application.csv.jobs import JobStatus
from afluente.application.csv.listing import JobQuery
from afluente.application.csv.progress import ShownRow
from afluente.application.csv.reports import ErrorReport, JobReport
from afluente.application.csv.uploads import MultipartUpload
from afluente.application.ingest.quarantine import QuarantinedRecord, QuarantineReason
from afluente.domain import datapoints
from afluente.domain.alarms import AlarmEvent
from afluente.domain.classification import ClassifiedDataPoint
from afluente.domain.constraints import RateConstraints, Severity, StreamConfig, ValueConstraints
from afluente.domain.evaluation import Classification, Reason
from afluente.domain.faults import FaultCode
from afluente.domain.stream_keys import MAX_PART_LENGTH
from afluente.migration.adapters import readings as iot
from afluente.runtime.core.observability import LogCode, Metric
from cli.core.errors import ExitCode
from cli.domains import templates
from cli.main import app

ROOT = Path(__file__).parents[2]
PAGES = [
    ROOT / "README.md",
    ROOT / "README.es.md",
    ROOT / "CHANGELOG.md",
    ROOT / "SECURITY.md",
    *sorted((ROOT / "docs").rglob("*.md")),
]
REFERENCE = ROOT / "docs" / "reference"
GLOSSARY = ROOT / "docs" / "glossary.md"

# Those that can be nothing but an address as *tú*; the pages say *usted*.
INFORMAL_SPANISH = (
    *("tú", "tu", "ti", "te", "contigo", "quieres", "puedes", "tienes", "necesitas", "ves", "haz", "hazlo", "dales"),
    *("guárdalo", "corrígelos", "ocúpate"),
)

every_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))


class Block(NamedTuple):
    """A code block: its language and its lines."""

    language: str
    text: str


class Heading(NamedTuple):
    """A heading: its depth and its text."""

    level: int
    text: str


@every_page
def test_links_lead_somewhere(page: Path) -> None:
    broken = [target for target in links_in(page) if not leads_somewhere(page, target)]

    assert broken == []


@every_page
def test_every_code_block_says_its_language(page: Path) -> None:
    assert {block.language for block in blocks_of(page)} <= {"console", "json", "python", "text", "toml", "yaml"}


@every_page
def test_json_and_yaml_are_well_formed(page: Path) -> None:
    for block in blocks_of(page, "json"):
        json.loads(block.text)
    for block in blocks_of(page, "yaml"):
        yaml.safe_load(block.text)


@every_page
def test_python_compiles(page: Path) -> None:
    for block in blocks_of(page, "python"):
        ast.parse(block.text)


@every_page
def test_constraints_can_be_applied(page: Path) -> None:
    documents = [document for document in map(yaml.safe_load, yaml_of(page)) if not is_domain_template(document)]
    in_json = [json.loads(block.text) for block in blocks_of(page, "json")]
    # A CSV job tells of its streams too.
    documents += [document for document in in_json if "streams" in document and "rows_read" not in document]
    for document in documents:
        entries, faulty = parse_document(document)
        assert entries
        assert faulty == []


@every_page
def test_templates_of_domains_are_sound(page: Path) -> None:
    for document in filter(is_domain_template, map(yaml.safe_load, yaml_of(page))):
        assert templates.parse(document, "example").constraints


def test_the_two_examples_of_a_constraints_file_say_the_same() -> None:
    page = REFERENCE / "constraints.md"

    from_yaml = parse_document(yaml.safe_load(blocks_of(page, "yaml")[0].text))

    assert from_yaml == parse_document(json.loads(blocks_of(page, "json")[0].text))


def test_the_example_of_a_point_and_of_an_alarm_event_can_be_read() -> None:
    point, event, _pattern = (json.loads(block.text) for block in blocks_of(REFERENCE / "classification.md", "json"))

    msgspec.convert(point, ClassifiedDataPoint)
    msgspec.convert(event["detail"], AlarmEvent)


def test_the_reference_of_http_has_every_field_and_every_code() -> None:
    of_constraints = {FaultCode.IMPOSSIBLE}
    names = {*json_points.JsonPoint.__struct_fields__, *http_points.PointsBody.__struct_fields__}

    assert_names(REFERENCE / "http.md", names | http_answers.TITLES.keys())
    assert_names(REFERENCE / "http.md", set(FaultCode) - of_constraints)


@pytest.mark.parametrize("page", ["http.md", "mqtt.md"])
def test_the_reference_has_every_name_of_every_field_of_an_old_reading(page: str) -> None:
    names = (iot.DEVICE, iot.TIME, iot.SENSOR_ID, iot.SENSOR_UUID, iot.SENSOR_TYPE, ("value", "sequence"))

    assert_names(REFERENCE / page, {name for its in names for name in its})


def test_the_reference_of_http_has_the_limits() -> None:
    numbers = (
        http_points.MAX_POINTS,
        http_requests.MAX_BODY_BYTES,
        json_documents.MAX_DEPTH,
        datapoints.MAX_METADATA_BYTES,
        datapoints.MAX_METADATA_DEPTH,
        datapoints.MAX_SEQUENCE,
        MAX_PART_LENGTH,
    )
    text = text_of(REFERENCE / "http.md")

    assert [number for number in numbers if f"{number:,}" not in text] == []
    assert f"{datapoints.MAX_FUTURE_SECONDS:.0f} s" in text


def test_the_reference_of_http_has_every_member_of_csv_jobs_and_every_option() -> None:
    of_uploads = {*MultipartUpload.__struct_fields__, "method", "url", "expires_at"} - {"upload_id"}
    told = {*JobReport.__struct_fields__, *ErrorReport.__struct_fields__, *ShownRow.__struct_fields__}
    page = REFERENCE / "http.md"

    assert_names(page, {*CSVIngestConfig.model_fields, *JobQuery.__struct_fields__, "file", "size", "options", "next"})
    assert_names(page, told - {"job_id", "domain", "source_id", "file"})
    assert_names(page, set(JobStatus) | of_uploads - {"url"})


def test_the_reference_of_http_has_the_limits_of_csv_files() -> None:
    numbers = (
        csv_forms.MAX_CSV_BODY_BYTES,
        http_csv_uploads.MAX_FILE_NAME_BYTES,
        csv_options.MAX_OPTIONS_BYTES,
        csv_uploads.MAX_PUT_BYTES,
        csv_progress.MAX_NAMED_STREAMS,
        csv_listing.MAX_PAGE,
    )
    text = text_of(REFERENCE / "http.md")

    assert [number for number in numbers if f"{number:,}" not in text] == []


def test_the_example_of_a_csv_job_can_be_read() -> None:
    blocks = [json.loads(block.text) for block in blocks_of(REFERENCE / "http.md", "json")]
    jobs = [msgspec.convert(block, JobReport) for block in blocks if "rows_read" in block]

    assert [job.status for job in jobs] == [JobStatus.QUEUED, JobStatus.COMPLETE]


def test_the_reference_of_websocket_has_every_field_of_every_message() -> None:
    messages = (
        json_points.JsonPoint,
        websocket_messages.Authentication,
        websocket_messages.Authenticated,
        websocket_messages.Acknowledgement,
        websocket_messages.ErrorMessage,
        websocket_messages.Wait,
    )
    tagged = (*messages[2:], websocket_messages.Pong)
    tags = {str(tag) for message in tagged if (tag := message.__struct_config__.tag)}

    page = REFERENCE / "websocket.md"
    assert_names(page, {"action", "datapoints", "type", *tags})
    assert_names(page, {field for message in messages for field in message.__struct_fields__})


def test_the_reference_of_websocket_has_the_limits() -> None:
    numbers = (
        websocket_messages.MAX_POINTS,
        json_documents.MAX_DEPTH,
        datapoints.MAX_METADATA_BYTES,
        datapoints.MAX_METADATA_DEPTH,
        datapoints.MAX_SEQUENCE,
        MAX_PART_LENGTH,
    )
    page = REFERENCE / "websocket.md"
    text = text_of(page)
    codes = set(re.findall(r"\* (\d{4}) `", text))

    assert [number for number in numbers if f"{number:,}" not in text] == []
    assert f"{datapoints.MAX_FUTURE_SECONDS:.0f} s" in text
    assert f'"retry_after": {websocket_messages.RETRY_AFTER_SECONDS}' in text
    assert {str(websocket_messages.INVALID), str(websocket_messages.REFUSED), str(websocket_messages.TOO_BIG)} <= codes


def test_the_examples_of_what_the_websocket_says_can_be_read_and_are_all_there() -> None:
    blocks = [json.loads(block.text) for block in blocks_of(REFERENCE / "websocket.md", "json")]
    kinds = websocket_messages.Authenticated | websocket_messages.ErrorMessage | websocket_messages.Wait
    said = [msgspec.convert(block, kinds | websocket_messages.Pong) for block in blocks if "type" in block]

    assert {type(message).__name__ for message in said} == {"Authenticated", "ErrorMessage", "Wait", "Pong"}


def test_the_examples_of_what_is_said_to_the_websocket_are_of_the_form() -> None:
    blocks = [block.text for block in blocks_of(REFERENCE / "websocket.md", "json")]
    answers = ("type", "status", "connectionId")
    sent = [text for text in blocks if not any(f'"{name}"' in text for name in answers)]
    messages = [websocket_messages.read_message(text) for text in sent]

    assert {type(message).__name__ for message in messages} == {"Authentication", "Points", "Ping"}


def test_the_reference_of_classification_has_every_field_class_and_reason() -> None:
    fields = {*ClassifiedDataPoint.__struct_fields__, *AlarmEvent.__struct_fields__}

    assert_names(REFERENCE / "classification.md", {*fields, *Classification, *Reason, *Severity})


def test_the_reference_of_constraints_has_every_field_and_every_fault() -> None:
    # These follow from the key.
    config = set(StreamConfig.__struct_fields__) - {"stream_id", "source_id"}
    bounds = {*ValueConstraints.__struct_fields__, *RateConstraints.__struct_fields__}
    faults = {FaultCode.IMPOSSIBLE, FaultCode.UNKNOWN_FIELD, FaultCode.CONTRADICTION, FaultCode.NOT_FINITE}

    assert_names(REFERENCE / "constraints.md", {"key", "domain", *config, *bounds, *ANNOTATIONS, *faults})


def test_the_defaults_of_constraints_are_those_of_the_reference() -> None:
    rows = {name: others for name, *others in tables_in(REFERENCE / "constraints.md")}
    config = StreamConfig()

    assert rows["`consecutive_violations_required`"][1] == str(config.consecutive_violations_required)
    assert rows["`cooldown_seconds`"][1] == str(config.cooldown_seconds)


def test_the_reference_of_metrics_has_every_metric_and_every_log_code() -> None:
    assert_names(REFERENCE / "metrics.md", {*Metric, *LogCode})


def test_the_guide_to_quarantine_has_every_field_and_every_reason() -> None:
    guide = ROOT / "docs" / "how-to" / "look-into-quarantine.md"
    # Left out of a record, having one value only.
    fields = set(QuarantinedRecord.__struct_fields__) - {"schema"}

    assert_names(guide, fields | set(QuarantineReason))


def test_the_reference_of_the_command_line_has_every_command_and_every_option() -> None:
    text = text_of(REFERENCE / "cli.md")
    commands = dict(commands_of(typer.main.get_command(app)))
    options = {name for command in commands.values() for option in command.params for name in option.opts}

    assert [path for path in commands if f"`afluente {path}" not in text] == []
    assert [name for name in sorted(options) if name.startswith("--") and name not in text] == []


def test_the_reference_of_the_command_line_has_every_exit_code() -> None:
    rows = {first for first, *_ in tables_in(REFERENCE / "cli.md")}

    assert {str(int(code)) for code in ExitCode} <= rows


@pytest.mark.parametrize(
    "spanish", [page for page in PAGES if page.suffixes[:1] == [".es"]], ids=lambda page: page.name
)
def test_a_page_in_spanish_has_the_sections_the_code_and_the_links_of_the_english_one(spanish: Path) -> None:
    english = spanish.with_name(spanish.name.replace(".es", ""))

    assert [heading.level for heading in headings_of(english)] == [heading.level for heading in headings_of(spanish)]
    assert blocks_of(english) == blocks_of(spanish)
    assert pages_linked_from(english) == pages_linked_from(spanish)


@pytest.mark.parametrize("page", [page for page in PAGES if page.name != "glossary.md"], ids=lambda page: page.name)
def test_a_page_has_the_words_of_the_glossary(page: Path) -> None:
    language = "es" if page.suffixes[:1] == [".es"] else "en"
    forbidden = [*forbidden_words(language), *(INFORMAL_SPANISH if language == "es" else ())]
    text = re.sub(r"`[^`]*`|\]\([^)]*\)", " ", prose_of(page))

    assert [word for word in forbidden if re.search(rf"\b{word}s?\b", text, re.IGNORECASE)] == []


def test_the_glossary_forbids_words_in_both_languages() -> None:
    assert {"etapa", "flujo", "archivo"} <= set(forbidden_words("es"))
    assert {"old service", "way out", "ground"} <= set(forbidden_words("en"))


@pytest.mark.parametrize("page", ["architecture.md", "development.md"])
def test_modules_that_are_named_exist(page: str) -> None:
    roots = (ROOT, ROOT / "layers" / "core" / "python" / "afluente")
    named = re.findall(r"`([a-z_]+(?:/[a-z_]+)+(?:\.py|/))`", text_of(ROOT / "docs" / page))

    assert named
    assert [path for path in named if not any((root / path).exists() for root in roots)] == []


def test_the_list_of_targets_is_that_of_the_makefile() -> None:
    targets = re.findall(r"^([a-z0-9-]+):.*?## (.*)$", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    listed = "".join(f"{name:16}{purpose}\n" for name, purpose in targets)

    assert Block("text", listed) in blocks_of(ROOT / "docs" / "development.md")


def assert_names(page: Path, names: Iterable[str]) -> None:
    """Each name stands in the page as code."""
    text = text_of(page)

    assert [name for name in sorted(names) if f"`{name}`" not in text] == []


def text_of(page: Path) -> str:
    """A page without its line breaks."""
    return " ".join(page.read_text(encoding="utf-8").split())


def forbidden_words(language: str) -> list[str]:
    """The words after each *not* in the glossary's parentheses, of what is said in a language."""
    words = []
    for item in re.split(r"^\* ", GLOSSARY.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]:
        remarks = re.match(r"[^(:]*\(([^)]*)\):", " ".join(item.split()))
        for remark in remarks[1].split("; ") if remarks else []:
            _, _, others = remark.partition("not ")
            if remark.startswith("es ") == (language == "es"):
                words += re.findall(r"\*([^*]+)\*", others)
    return words


def blocks_of(page: Path, language: str | None = None) -> list[Block]:
    """The code blocks of a page, also those within lists."""
    fences = re.findall(r"^( *)```(\w*)\n(.*?)^\1```$", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    blocks = [Block(said, text) for _, said, text in fences]
    return [block for block in blocks if language in {None, block.language}]


def yaml_of(page: Path) -> list[str]:
    return [block.text for block in blocks_of(page, "yaml")]


def is_domain_template(document: object) -> bool:
    """True if a document is a template of a domain, not a file of constraints."""
    return isinstance(document, dict) and "examples" in document


def prose_of(page: Path) -> str:
    """A page without its code blocks."""
    return re.sub(r"^( *)```.*?^\1```$", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)


def headings_of(page: Path) -> list[Heading]:
    return [Heading(len(marks), text) for marks, text in re.findall(r"^(#+) (.+)$", prose_of(page), re.MULTILINE)]


def links_in(page: Path) -> list[str]:
    """The targets of a page's links, except those that leave the project."""
    targets = re.findall(r"\]\(([^)\s]+)\)", prose_of(page))
    return [target for target in targets if "://" not in target]


def pages_linked_from(page: Path) -> set[str]:
    """The other pages that a page links to, in either language."""
    own = page.name.replace(".es", "")
    targets = {target.replace(".es.md", ".md") for target in links_in(page) if not target.startswith("#")}
    return targets - {own}


def leads_somewhere(page: Path, target: str) -> bool:
    name, _, anchor = target.partition("#")
    file = (page.parent / name).resolve() if name else page
    if not file.exists():
        return False
    if file.is_dir():
        return not anchor
    return not anchor or anchor in {anchor_of(heading) for heading in headings_of(file)}


def anchor_of(heading: Heading) -> str:
    """As GitHub makes it of the text of a heading."""
    return re.sub(r"[^\w\- ]", "", heading.text.lower()).replace(" ", "-")


def tables_in(page: Path) -> Iterator[list[str]]:
    """The rows of all tables of a page, each as its cells."""
    for line in prose_of(page).splitlines():
        if line.startswith("|"):
            yield [cell.strip() for cell in line.strip("|").split("|")]


def commands_of(command: Any, *path: str) -> Iterator[tuple[str, Any]]:
    """The commands below a command, each with the words that call it; Typer does not export their type."""
    if not isinstance(command, TyperGroup):
        yield " ".join(path), command
        return
    for name, below in command.commands.items():
        yield from commands_of(below, *path, name)
