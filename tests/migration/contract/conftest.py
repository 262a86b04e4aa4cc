"""The local AWSs of the contract suites."""

from tests.contract.conftest import aws, backend, environment, executor, ministack, ministack_endpoint, moto

__all__ = ["aws", "backend", "environment", "executor", "ministack", "ministack_endpoint", "moto"]
