"""Puts the stacks of an assembly into the emulator, as a deployment puts them into an account."""

import json
import time
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from cli.core.aws import Connection, describe_stack
from cli.core.errors import CommandError
from cli.local_stack.assembly import Asset, StackTemplate

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_cloudformation.type_defs import StackTypeDef
    from mypy_boto3_s3 import S3Client

ACCOUNT = "000000000000"
"""The account the emulator plays."""

_TEMPLATES = "afluente-local-templates"
_POLL_SECONDS = 0.05
_DEPLOY_SECONDS = 300.0
_UPDATABLE = frozenset({"CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE"})


def upload(connection: Connection, assets: Iterable[Asset], region: str) -> None:
    """Put the assets where the templates look for them."""
    s3: S3Client = connection.client("s3", s3={"addressing_style": "path"})
    made: set[str] = set()
    for asset in assets:
        bucket = asset.bucket.replace("${AWS::AccountId}", ACCOUNT).replace("${AWS::Region}", region)
        if bucket not in made:
            s3.create_bucket(Bucket=bucket)
            made.add(bucket)
        s3.put_object(Bucket=bucket, Key=asset.key, Body=asset.content)


def deploy(connection: Connection, stack: StackTemplate) -> None:
    """Create the stack, or update it if its template is another; what an interrupted deployment left is put right.

    Raises:
        CommandError: the stack could not be deployed; it names the resource and CloudFormation's reason.
    """
    cloudformation: CloudFormationClient = connection.client("cloudformation")
    present = _settled(connection, stack.name)
    if present is not None and present["StackStatus"] not in _UPDATABLE:
        # A stack whose creation did not finish holds nothing yet that anyone could miss.
        cloudformation.delete_stack(StackName=stack.name)
        present = _settled(connection, stack.name)
    if present is None:
        arguments = _arguments(connection, stack)
        cloudformation.create_stack(**arguments)
    elif _template_of(cloudformation, stack.name) != stack.template:
        arguments = _arguments(connection, stack)
        cloudformation.update_stack(**arguments)
    else:
        return
    _raise_unless_deployed(connection, stack.name)


def physical_ids(connection: Connection, stack_name: str) -> Mapping[str, str]:
    """The names of the resources of a stack by their logical ids."""
    cloudformation: CloudFormationClient = connection.client("cloudformation")
    pages = cloudformation.get_paginator("list_stack_resources").paginate(StackName=stack_name)
    return {
        summary["LogicalResourceId"]: summary["PhysicalResourceId"]
        for page in pages
        for summary in page["StackResourceSummaries"]
        if "PhysicalResourceId" in summary
    }


def _arguments(connection: Connection, stack: StackTemplate) -> dict[str, Any]:
    # By URL: a template of two stacks' size does not fit a request (51,200 bytes).
    s3: S3Client = connection.client("s3", s3={"addressing_style": "path"})
    s3.create_bucket(Bucket=_TEMPLATES)
    key = f"{stack.name}.json"
    s3.put_object(Bucket=_TEMPLATES, Key=key, Body=json.dumps(stack.template).encode())
    url = f"{connection.endpoint}/{_TEMPLATES}/{key}"
    return {"StackName": stack.name, "TemplateURL": url, "Capabilities": ["CAPABILITY_NAMED_IAM"]}


def _template_of(cloudformation: "CloudFormationClient", name: str) -> Any:
    body: Any = cloudformation.get_template(StackName=name, TemplateStage="Original")["TemplateBody"]
    return json.loads(body) if isinstance(body, str) else body


def _settled(connection: Connection, name: str) -> "StackTypeDef | None":
    """The stack once nothing is going on with it any more; None where there is none."""
    deadline = time.monotonic() + _DEPLOY_SECONDS
    while time.monotonic() < deadline:
        present = describe_stack(connection, name)
        if present is None or not present["StackStatus"].endswith("_IN_PROGRESS"):
            return present
        time.sleep(_POLL_SECONDS)
    raise CommandError(
        f"stack {name} is still being changed after {_DEPLOY_SECONDS:.0f} s",
        hint="'afluente logs emulator' may say why; 'afluente down' and 'afluente up' start afresh",
    )


def _raise_unless_deployed(connection: Connection, name: str) -> None:
    present = _settled(connection, name)
    if present is not None and present["StackStatus"] in {"CREATE_COMPLETE", "UPDATE_COMPLETE"}:
        return
    reasons = "\n".join(_failures(connection, name))
    status = present["StackStatus"] if present else "no longer there"
    raise CommandError(
        f"stack {name} could not be deployed ({status}):\n{reasons}",
        hint="'afluente logs emulator' shows more; 'afluente down' and 'afluente up' start afresh",
    )


def _failures(connection: Connection, name: str) -> list[str]:
    """CloudFormation's reasons for the resources that failed, first failure first."""
    cloudformation: CloudFormationClient = connection.client("cloudformation")
    events = cloudformation.describe_stack_events(StackName=name)["StackEvents"]
    return [
        f"  {event.get('LogicalResourceId')} ({event.get('ResourceType')}): {event.get('ResourceStatusReason')}"
        for event in reversed(events)
        if event.get("ResourceStatus", "").endswith("_FAILED") and event.get("ResourceStatusReason")
    ]
