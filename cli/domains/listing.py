"""Domains that are open: by the file of a stage, and as the stage is deployed."""

from typing import NamedTuple

import msgspec

from cli.core.target import TargetChoice
from cli.domains import stage_file
from cli.domains.deployment import find_deployment, stage_of


class OpenDomain(msgspec.Struct, frozen=True):
    """A domain that is open in the file of a stage, in its deployment, or in both."""

    domain: str
    stage: bool
    deployed: bool


class OpenDomains(NamedTuple):
    """The domains of a stage.

    Attributes:
        stage: name of the stage.
        domains: those that are open.
        is_deployed: whether there is a deployment.
    """

    stage: str
    domains: tuple[OpenDomain, ...]
    is_deployed: bool

    @property
    def differ(self) -> bool:
        """True if the deployment has other domains than the file."""
        return self.is_deployed and any(one.stage != one.deployed for one in self.domains)


def list_domains(choice: TargetChoice) -> OpenDomains:
    """The domains that are open in a stage."""
    stage, deployment = stage_of(choice), find_deployment(choice)
    in_file, deployed = stage_file.open_domains(stage), deployment.open_domains() if deployment else ()
    names = dict.fromkeys([*in_file, *deployed])
    domains = tuple(OpenDomain(name, name in in_file, name in deployed) for name in names)
    return OpenDomains(stage, domains, deployment is not None)
