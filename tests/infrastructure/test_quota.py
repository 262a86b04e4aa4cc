"""The account has to have room for what a stage reserves; where it has not, the answer says what to ask AWS for."""

import dataclasses
from typing import TYPE_CHECKING

import boto3
import pytest
from botocore.stub import Stubber

from infra.presets import dev, prod
from infra.quota import main, shortage
from infra.stage import Stage

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient

RESERVED = 439


@pytest.fixture
def client() -> "LambdaClient":
    return boto3.client(
        "lambda",
        region_name="us-east-1",
        aws_access_key_id="testing",
        aws_secret_access_key="testing",
    )


def answered(client: "LambdaClient", stage: Stage, *, limit: int, unreserved: int, own: int = 0) -> str | None:
    """The answer of the check for an account; `own` executions are reserved for each function of the stage."""
    with Stubber(client) as account:
        settings = {"ConcurrentExecutions": limit, "UnreservedConcurrentExecutions": unreserved}
        account.add_response("get_account_settings", {"AccountLimit": settings}, {})
        for name in stage.reservations:
            if own:
                account.add_response(
                    "get_function_concurrency", {"ReservedConcurrentExecutions": own}, {"FunctionName": name}
                )
            else:
                account.add_client_error("get_function_concurrency", "ResourceNotFoundException")
        return shortage(stage, client)


def test_an_account_with_the_default_quota_has_room_for_prod(client: "LambdaClient") -> None:
    assert answered(client, prod(), limit=1_000, unreserved=1_000) is None
    assert answered(client, prod(), limit=RESERVED + 100, unreserved=RESERVED + 100) is None


def test_an_account_without_room_is_told_what_to_ask_for(client: "LambdaClient") -> None:
    answer = answered(client, prod(), limit=1_000, unreserved=500)

    assert answer is not None
    assert "reserves 439 concurrent executions" in answer
    assert "others have reserved 500" in answer
    assert "--quota-code L-B99A9384 --desired-value 1039" in answer


def test_a_new_account_is_told_too(client: "LambdaClient") -> None:
    assert "--desired-value 539" in (answered(client, prod(), limit=10, unreserved=10) or "")


def test_what_a_deployed_stage_has_reserved_is_not_counted_twice(client: "LambdaClient") -> None:
    own = 70
    stage = dataclasses.replace(prod(), mqtt_concurrency=2)

    assert answered(client, stage, limit=1_000, unreserved=1_000 - 6 * own, own=own) is None


def test_a_stage_without_reservations_asks_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """`dev` is deployed to a new account, and its check takes no credentials."""
    monkeypatch.setattr("sys.argv", ["quota", dev().name])
    monkeypatch.setattr("boto3.client", pytest.fail)

    main()


def test_an_account_that_cannot_be_asked_says_what_to_allow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["quota", "prod"])
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nowhere")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nowhere")

    with pytest.raises(SystemExit, match="lambda:GetAccountSettings"):
        main()


def test_an_unknown_stage_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["quota", "nowhere"])

    with pytest.raises(SystemExit, match="'nowhere' is unknown"):
        main()
