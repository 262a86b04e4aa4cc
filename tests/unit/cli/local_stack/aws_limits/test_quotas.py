"""The table of quotas, and the choice among them on the command line."""

from pathlib import Path

import pytest

from cli.core.errors import CommandError
from cli.core.local_stack import AwsLimits
from cli.core.state import CHECKOUT
from cli.local_stack.aws_limits.quotas import QUOTAS, SHARD_WRITE_RECORDS, Kept, Quota
from cli.local_stack.aws_limits.settings import Values, choice_of


def test_every_quota_has_a_key_of_its_own() -> None:
    assert len({quota.key for quota in QUOTAS}) == len(QUOTAS)


@pytest.mark.parametrize("quota", QUOTAS, ids=lambda quota: quota.key)
def test_every_quota_names_its_page_in_the_documentation_of_aws(quota: Quota) -> None:
    assert quota.source.startswith("https://docs.aws.amazon.com/")


@pytest.mark.parametrize("quota", [quota for quota in QUOTAS if quota.kept is Kept.NOT], ids=lambda quota: quota.key)
def test_a_quota_that_is_not_kept_names_a_test_that_stands_in(quota: Quota) -> None:
    path, _, name = quota.stand_in.partition("::")
    assert f"def {name}(" in Path(CHECKOUT, path).read_text(encoding="utf-8")


def test_a_stack_without_a_choice_keeps_what_it_has() -> None:
    assert choice_of(None, ()) is None


@pytest.mark.parametrize(
    ("on", "changes", "expected"),
    [
        (True, (), AwsLimits()),
        (False, (), AwsLimits(on=False)),
        (None, ["kinesis.get-records=2.5"], AwsLimits(changed={"kinesis.get-records": 2.5})),
    ],
)
def test_the_choice_is_that_of_the_options(on: bool | None, changes: list[str], expected: AwsLimits) -> None:
    assert choice_of(on, changes) == expected


@pytest.mark.parametrize("text", ["kinesis.get-records", "kinesis.get-records=0", "kinesis.get-records=five", "x=1"])
def test_a_change_that_is_none_is_refused_with_the_keys_there_are(text: str) -> None:
    with pytest.raises(CommandError) as refused:
        choice_of(None, [text])
    assert "kinesis.get-records" in str(refused.value.hint)


def test_a_plain_emulator_has_no_limit_to_change() -> None:
    with pytest.raises(CommandError):
        choice_of(False, ["kinesis.get-records=1"])


def test_a_changed_value_takes_the_place_of_that_of_aws() -> None:
    assert Values(AwsLimits()).count(SHARD_WRITE_RECORDS) == 1_000
    assert Values(AwsLimits(changed={"kinesis.shard-write-records": 500})).rate(SHARD_WRITE_RECORDS) == 500


@pytest.mark.parametrize(
    ("limits", "text"),
    [
        (AwsLimits(), "on"),
        (AwsLimits(changed={"b": 2, "a": 1.5}), "on, with a=1.5, b=2"),
        (AwsLimits(on=False), "off: a plain emulator (--no-aws-limits)"),
    ],
)
def test_the_choice_is_rendered_in_a_line(limits: AwsLimits, text: str) -> None:
    assert str(limits) == text
