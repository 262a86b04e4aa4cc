"""No template breaks a rule without a written reason, and a new fault does not pass unseen."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from aws_cdk.aws_s3 import Bucket
from aws_cdk.aws_sqs import Queue

from infra.assembly import add_stacks, new_app, write
from infra.checks import FindingsError, findings
from infra.layer_build import LayerFolders
from infra.presets import PRESETS, dev
from tests.infrastructure.deployment import Deployment


@pytest.mark.parametrize("preset", PRESETS)
def test_nothing_is_found_that_is_not_acknowledged(deployment_of: Callable[[str], Deployment], preset: str) -> None:
    assert findings(deployment_of(preset).assembly) == []


def test_a_new_fault_stops_the_synthesis(tmp_path: Path, layers: LayerFolders) -> None:
    app = new_app(tmp_path)
    data, _ = add_stacks(app, dev(), layers)
    Bucket(data, "Open")
    Queue(data.stores.datapoints, "NoDeadLetters")

    with pytest.raises(FindingsError) as stopped:
        write(app)

    found = {(finding.construct, finding.rule) for finding in stopped.value.findings}
    assert found == {
        ("afluente-dev-data/Open/Resource", "AwsSolutions-S1"),
        ("afluente-dev-data/Open/Resource", "AwsSolutions-S10"),
        ("afluente-dev-data/Datapoints/NoDeadLetters/Resource", "AwsSolutions-SQS3"),
        ("afluente-dev-data/Datapoints/NoDeadLetters/Resource", "AwsSolutions-SQS4"),
    }
    assert "afluente-dev-data/Open/Resource: AwsSolutions-S1: " in str(stopped.value)


def test_what_is_acknowledged_is_this(prod: Deployment, local: Deployment) -> None:
    everywhere = {
        ("data/Quarantine/Bucket", "AwsSolutions-S1"),
        ("data/CsvFiles/Bucket", "AwsSolutions-S1"),
        ("data/KeyPepper/Secret", "AwsSolutions-SMG4"),
        ("service/HttpIngest/Role", "AwsSolutions-IAM5"),
        ("service/IotRuleHandler/Role", "AwsSolutions-IAM5"),
        ("service/CsvTrigger/Role", "AwsSolutions-IAM5"),
        ("service/WsIngest/Role", "AwsSolutions-IAM5"),
        ("service/Classifier/Role", "AwsSolutions-IAM5"),
        ("service/HttpIngest/Function", "AwsSolutions-L1"),
        ("service/HttpAdmin/Function", "AwsSolutions-L1"),
        ("service/HttpAuthorizer/Function", "AwsSolutions-L1"),
        ("service/IotRuleHandler/Function", "AwsSolutions-L1"),
        ("service/CsvTrigger/Function", "AwsSolutions-L1"),
        ("service/WsIngest/Function", "AwsSolutions-L1"),
        ("service/Classifier/Function", "AwsSolutions-L1"),
        ("service/Http/Health", "AwsSolutions-APIG4"),
        ("service/Http/GetOpenapi", "AwsSolutions-APIG4"),
        ("service/Http/GetAsyncapi", "AwsSolutions-APIG4"),
        ("service/Http/GetDocs", "AwsSolutions-APIG4"),
        ("service/Http/Default", "AwsSolutions-APIG4"),
        ("service/WebSocket/Route-connect", "AwsSolutions-APIG4"),
        ("service/WebSocket/Route-disconnect", "AwsSolutions-APIG4"),
        ("service/WebSocket/Route-default", "AwsSolutions-APIG4"),
        ("service/Unanswered/Queue", "AwsSolutions-SQS3"),
    }
    unrecoverable = {
        (f"data/Tables/{table}", "AwsSolutions-DDB3")
        for table in (
            "StreamConstraints",
            "ConstraintHistory",
            "StreamLatest",
            "Access",
            "KeyUses",
            "Limits",
            "WsConnections",
            "CsvJobs",
            "CsvSlots",
            "Migration",
        )
    }

    with_a_key_of_its_own = {
        (f"data/Streams/{stream}", "AwsSolutions-KDS3") for stream in ("Alert", "Warning", "Anomaly", "Normal")
    }

    assert acknowledged(prod) == everywhere | with_a_key_of_its_own
    assert acknowledged(local) == everywhere | unrecoverable


def acknowledged(deployment: Deployment) -> set[tuple[str, str]]:
    """Construct and rule of each acknowledgement, from the metadata that the synthesis leaves behind."""
    prefix = f"/{deployment.stage.prefix}-"
    return {
        (construct.removeprefix(prefix), rule.removeprefix("AwsSolutions::").split("[")[0])
        for file in deployment.assembly.glob("*.metadata.json")
        for construct, entries in json.loads(file.read_text()).items()
        for entry in entries
        if entry["type"] == "aws:cdk:acknowledged-rules"
        for rule in entry["data"]
    }
