"""The two templates of a stage, with the references between them and within them made readable."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from infra.stage import Stage

Resource = dict[str, Any]

# The property that holds the name of a resource, by the last part of its type.
_NAME = {
    "Queue": "QueueName",
    "Table": "TableName",
    "Stream": "Name",
    "EventBus": "Name",
    "LogGroup": "LogGroupName",
    "Function": "FunctionName",
    "LayerVersion": "LayerName",
    "Topic": "TopicName",
    "Api": "Name",
    "TopicRule": "RuleName",
}


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement of a policy of a role."""

    effect: str
    actions: set[str]
    resources: set[str]
    condition: dict[str, dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Deployment:
    stage: Stage
    assembly: Path
    data: dict[str, Any]
    service: dict[str, Any]

    @classmethod
    def read(cls, stage: Stage, assembly: Path) -> "Deployment":
        data, service = (
            json.loads((assembly / f"{stage.prefix}-{name}.template.json").read_text()) for name in ("data", "service")
        )
        return cls(stage, assembly, data, service)

    def resources(self, type_: str) -> dict[str, Resource]:
        """The properties of the resources of a type in either stack, by logical id."""
        return {
            id_: resource["Properties"]
            for template in (self.data, self.service)
            for id_, resource in template["Resources"].items()
            if resource["Type"] == type_
        }

    def trigger(self, package: str) -> Resource:
        """The event source mapping of a function that consumes one queue."""
        name = self.function(package)["FunctionName"]
        return self.one("AWS::Lambda::EventSourceMapping", FunctionName=name)

    def trigger_from(self, queue: str) -> Resource:
        """The event source mapping of a queue."""
        return self.one("AWS::Lambda::EventSourceMapping", EventSourceArn=queue)

    def one(self, type_: str, **properties: object) -> Resource:
        """The one resource of a type that has these properties."""
        [found] = [
            resource
            for resource in self.resources(type_).values()
            if properties.items() <= self.plain(resource).items()
        ]
        return found

    def function(self, package: str) -> Resource:
        return self.one("AWS::Lambda::Function", Handler=f"{package}.handler.lambda_handler")

    def grants(self, package: str) -> set[tuple[str, str]]:
        """The actions and resources that the role of a function allows."""
        return self.grants_of(self.function(package)["Role"]["Fn::GetAtt"][0])

    def grants_of(self, role: str) -> set[tuple[str, str]]:
        """The actions and resources that the role of this logical id allows."""
        return {
            (action, resource)
            for policy in self.resources("AWS::IAM::Policy").values()
            if {"Ref": role} in policy["Roles"]
            for statement in policy["PolicyDocument"]["Statement"]
            for action in as_list(statement["Action"])
            for resource in as_list(self.plain(statement["Resource"]))
        }

    def statements_of(self, role: str) -> list["Statement"]:
        """The statements of the role of this logical id."""
        return [
            Statement(
                effect=one["Effect"],
                actions=set(as_list(one["Action"])),
                resources=set(as_list(one["Resource"])),
                condition=one.get("Condition", {}),
            )
            for policy in self.resources("AWS::IAM::Policy").values()
            if {"Ref": role} in policy["Roles"]
            for one in self.plain(policy["PolicyDocument"]["Statement"])
        ]

    def function_of(self, role: str) -> str:
        """The name of the function that has the role of this logical id."""
        [name] = [
            str(function["FunctionName"])
            for function in self.resources("AWS::Lambda::Function").values()
            if function["Role"] == {"Fn::GetAtt": [role, "Arn"]}
        ]
        return name

    def plain(self, value: object) -> Any:
        """The value with each reference replaced by the name of what it refers to."""
        match value:
            case {"Ref": str(id_)} | {"Fn::GetAtt": [str(id_), "Arn" | "ApiEndpoint" | "QueueName" | "DomainName"]}:
                return self._name(id_)
            case {"Fn::ImportValue": str(export)}:
                return self.plain(self._exports()[export])
            case {"Fn::Join": [str(separator), [*parts]]}:
                return separator.join(self.plain(part) for part in parts)
            case dict():
                return {key: self.plain(part) for key, part in value.items()}
            case list():
                return [self.plain(part) for part in value]
            case _:
                return value

    def _name(self, id_: str) -> str:
        resource = self.data["Resources"].get(id_) or self.service["Resources"].get(id_)
        if resource is None:
            return f"<{id_}>"
        if resource["Type"] == "AWS::S3::Bucket":
            # CloudFormation names it; what is left without the hash says which one it is.
            return f"<{id_[:-8]}>"
        name = _NAME.get(resource["Type"].split("::")[-1])
        return str(resource["Properties"][name]) if name else f"<{resource['Type'].split('::', 1)[1]}>"

    def _exports(self) -> dict[str, object]:
        return {
            output["Export"]["Name"]: output["Value"] for output in self.data["Outputs"].values() if "Export" in output
        }


def as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
