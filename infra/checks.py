"""The rules that templates are held against, and the reasons for what is not as a rule wants it."""

import json
from dataclasses import dataclass
from pathlib import Path

from aws_cdk import Acknowledgment, App, Stack, Validations
from cdk_nag import AwsSolutionsChecks
from constructs import Construct

CONTEXT: dict[str, object] = {
    # What a construct warns of counts as much as what a rule finds,
    "@aws-cdk/core:annotationsInValidationReport": True,
    # and so do the rules that the CDK brings itself.
    "@aws-cdk/core:validateAgainstDefaultRules": True,
    # Findings are read from the report after the synthesis: the CDK itself would stop at errors and let warnings pass.
    "@aws-cdk/core:failSynthOnValidationErrors": False,
}
_REPORT = "validation-report.json"


@dataclass(frozen=True, slots=True)
class Finding:
    """A rule that a construct breaks without an acknowledgement."""

    rule: str
    construct: str
    description: str


class FindingsError(RuntimeError):
    """The templates break rules that nobody has acknowledged."""

    def __init__(self, found: list[Finding]) -> None:
        super().__init__(
            "\n".join(f"{finding.construct}: {finding.rule}: {finding.description}" for finding in found)
            + "\nMend each, or acknowledge it with its reason where the construct is made (infra/checks.py)."
        )
        self.findings = found


def check(app: App) -> None:
    """Hold the app against the AWS Solutions rules of cdk-nag at its synthesis."""
    Validations.of(app).add_plugins(AwsSolutionsChecks())


def acknowledge(construct: Construct, rule: str, reason: str) -> None:
    """Let the construct be as it is against the rule (`AwsSolutions-...`, with its finding in brackets if any)."""
    Validations.of(construct).acknowledge(Acknowledgment(id=f"AwsSolutions::{rule}", reason=reason))


def as_reported(construct: Construct, value: str) -> str:
    """A value as a finding has it: what is known only when the stack is deployed stands in it as `<name>`."""
    match Stack.of(construct).resolve(value):
        case {"Fn::Join": ["", [*parts]]}:
            return "".join(part if isinstance(part, str) else f"<{part['Ref']}>" for part in parts)
        case known:
            return str(known)


def findings(assembly: Path) -> list[Finding]:
    """What the report of the synthesised assembly says, of every severity."""
    report = json.loads((assembly / _REPORT).read_text(encoding="utf-8"))
    return [
        Finding(violation["ruleName"], construct["constructPath"], violation["description"])
        for plugin in report["pluginReports"]
        for violation in plugin["violations"]
        for construct in violation["violatingConstructs"]
    ]
