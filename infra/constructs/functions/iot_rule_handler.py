"""The function that accepts MQTT messages from their inbox."""

from aws_cdk import Duration
from constructs import Construct

from infra.constructs.data_stores import DataStores
from infra.constructs.functions.capabilities import accept_points, limit_rates, look_up_sensors
from infra.constructs.functions.service_function import RECEIVE, ServiceFunction
from infra.constructs.layers import Layers
from infra.stage import Stage


class IotRuleHandler(ServiceFunction):
    """Consumes the inbox of MQTT messages; it is there with MQTT off too, for the messages that are in the inbox."""

    def __init__(self, scope: Construct, id_: str, *, stage: Stage, data: DataStores, layers: Layers) -> None:
        super().__init__(
            scope,
            id_,
            stage=stage,
            package="iot_rule_handler",
            layers=layers.common,
            # As long as the classifier: the queues of both have the same visibility timeout.
            timeout=Duration.seconds(stage.classifier_timeout_seconds),
            key=data.encryption.key,
        )
        accept_points(self, stage, data)
        limit_rates(self, stage, data)
        self.configure({"AFLUENTE_MQTT_MESSAGE_POINTS": str(stage.mqtt_message_points)})
        # With legacy MQTT off too: some legacy messages may be in the inbox.
        look_up_sensors(self, data)
        self.consume(
            "Inbox",
            data.mqtt_inbox.queue,
            RECEIVE,
            # Messages of one device in one batch are sorted.
            batch_size=stage.mqtt_batch_messages,
            max_batching_window=Duration.seconds(stage.mqtt_window_seconds),
            max_concurrency=stage.mqtt_concurrency,
        )
