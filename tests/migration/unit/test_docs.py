"""The documents of the migration name what the code has."""

import msgspec

from afluente.domain.constraints import RATE_NAMES
from afluente.migration.application import plan, rollback, verify
from afluente.migration.application.dual_write import SUSPICIOUS
from afluente.migration.application.pages import PAGE
from afluente.migration.application.records import MAX_NAMED, Prospect, SyncPass
from afluente.migration.application.rollback import Reverted
from afluente.migration.application.verify import Finding
from afluente.migration.domain.mapping import _SEVERITIES, BOUNDS, METADATA
from cli.core.errors import ExitCode
from cli.migration.stores import WRITERS
from tests.unit.test_docs import REFERENCE, assert_names, tables_in, text_of

PAGE_OF_MIGRATION = REFERENCE / "migration.md"


def test_the_reference_of_migration_has_every_column_that_is_mapped_and_what_it_becomes() -> None:
    assert_names(PAGE_OF_MIGRATION, {*BOUNDS, *BOUNDS.values(), *RATE_NAMES, *_SEVERITIES, f"metadata.{METADATA}"})


def test_the_reference_of_migration_has_every_word_of_the_reports() -> None:
    words = {*plan.COLUMNS, *verify.COLUMNS, *rollback.COLUMNS, *Prospect, *Finding, *Reverted}

    assert_names(PAGE_OF_MIGRATION, words)


def test_the_reference_of_migration_has_every_count_of_a_pass() -> None:
    counts = msgspec.to_builtins(SyncPass(started_at=0))

    assert_names(PAGE_OF_MIGRATION, counts.keys() - {"started_at", "finished_at"})


def test_the_reference_of_migration_has_the_limits() -> None:
    text = text_of(PAGE_OF_MIGRATION)

    assert f"in pages of {PAGE}" in text
    assert f"{WRITERS} at a time" in text
    assert f"more than {SUSPICIOUS} sensors" in text
    assert f"the first {MAX_NAMED} sentences" in text


def test_the_reference_of_migration_has_every_exit_code_but_no_other() -> None:
    rows = {first for first, *others in tables_in(PAGE_OF_MIGRATION) if first.isdigit() and len(others) == len("prvsr")}

    assert rows == {str(int(code)) for code in ExitCode}
