"""Templates of stages, as the tests of the infrastructure synthesise them."""

from tests.infrastructure.conftest import deployment_of, local, prod, stand_in_layers

__all__ = ["deployment_of", "local", "prod", "stand_in_layers"]
