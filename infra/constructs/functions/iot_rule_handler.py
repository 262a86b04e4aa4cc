"""The function that accepts MQTT messages from their inbox."""

from aws_cdk import Duration
from constructs import Construct

from infra.constructs.data_stores import DataStores
from infra.constructs.functions.capabilities import accept_points, limit_rates, look_up_sensors
from infra.constructs.functions.service_function import RECEIVE, WHOLE_PROCESSOR_MB, ServiceFunction
from infra.constructs.layers import Layers
from infra.stage import Stage

# Messages of one device in one batch are sorted: those of a second, or a thousand.
_BATCH_SIZE = 1_000
_BATCHING_WINDOW = Duration.seconds(1)


class IotRuleHandler(ServiceFunction):
    """Consumes the inbox of MQTT messages; it is there with MQTT off too, for the messages that are in the inbox."""

    def __init__(self, scope: Construct, id_: str, *, stage: Stage, data: DataStores, layers: Layers) -> None:
        super().__init__(
            scope,
            id_,
            stage=stage,
            package="iot_rule_handler",
            layers=layers.common,
            memory_mb=WHOLE_PROCESSOR_MB,
            # As long as the classifier: the queues of both have the same visibility timeout.
            timeout=Duration.seconds(stage.classifier_timeout_seconds),
            key=data.encryption.key,
        )
        accept_points(self, stage, data)
        limit_rates(self, stage, data)
        # With legacy MQTT off too: some legacy messages may be in the inbox.
        look_up_sensors(self, data)
        self.consume(
            "Inbox",
            data.mqtt_inbox.queue,
            RECEIVE,
            batch_size=_BATCH_SIZE,
            max_batching_window=_BATCHING_WINDOW,
            max_concurrency=stage.mqtt_concurrency,
        )
