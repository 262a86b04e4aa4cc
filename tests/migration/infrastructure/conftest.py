"""Templates of stages, as the tests of the infrastructure synthesise them."""

from tests.infrastructure.conftest import deployed, deployment_of, local, prod, shared

__all__ = ["deployed", "deployment_of", "local", "prod", "shared"]
