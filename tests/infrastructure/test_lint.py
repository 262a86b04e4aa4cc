"""Templates are held to the schemas of CloudFormation, and to all rules of cfn-lint that have no reason beside them."""

import json
from pathlib import Path

import pytest

from infra.lint import IGNORED_RULES, lint


def test_a_template_that_cloudformation_refuses_is_found(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    template = tmp_path / "queue.template.json"
    queue = {"Type": "AWS::SQS::Queue", "Properties": {"VisibilityTimeout": 43_201}}
    template.write_text(json.dumps({"Resources": {"Queue": queue}}))

    assert lint([template], {"us-east-1"}) != 0
    assert "43201 is greater than the maximum of 43200" in capfd.readouterr().out


def test_a_rule_is_ignored_with_a_reason_and_never_one_for_errors() -> None:
    for rule, reason in IGNORED_RULES.items():
        assert rule.startswith(("W", "I"))
        assert len(reason) > 20
