"""The data stack: it changes seldom, and a stage may keep it when all else is deleted."""

from constructs import Construct

from infra.constructs.data_stores import DataStores
from infra.stacks.stage_stack import StageStack
from infra.stage import Stage


class DataStack(StageStack):
    """Queues, tables, streams, buckets and alarm bus of a stage."""

    def __init__(self, scope: Construct, *, stage: Stage) -> None:
        super().__init__(scope, "data", stage=stage, description=f"afluente {stage.name}: queues, tables and streams")
        self.stores = DataStores(self, stage=stage)
