"""The rules that templates are held to, and acknowledgements, with a reason each, of constructs that break them."""

import json
from dataclasses import dataclass
from pathlib import Path

from aws_cdk import Acknowledgment, App, Stack, Validations
from cdk_nag import AwsSolutionsChecks
from constructs import Construct

CONTEXT: dict[str, object] = {
    # Warnings of constructs count as findings,
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
    """Accept that the construct breaks a rule (`AwsSolutions-...`, with its finding in brackets if any)."""
    Validations.of(construct).acknowledge(Acknowledgment(id=f"AwsSolutions::{rule}", reason=reason))


def as_reported(construct: Construct, value: str) -> str:
    """Render a value as findings do, with references as `<name>`."""
    match Stack.of(construct).resolve(value):
        case {"Fn::Join": ["", [*parts]]}:
            return "".join(part if isinstance(part, str) else f"<{part['Ref']}>" for part in parts)
        case known:
            return str(known)


def findings(assembly: Path) -> list[Finding]:
    """All findings in the report of a synthesised assembly, of every severity."""
    report = json.loads((assembly / _REPORT).read_text(encoding="utf-8"))
    return [
        Finding(violation["ruleName"], construct["constructPath"], violation["description"])
        for plugin in report["pluginReports"]
        for violation in plugin["violations"]
        for construct in violation["violatingConstructs"]
    ]
