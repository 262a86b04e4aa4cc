"""The stores of a stage: queues, tables, streams, buckets, and the bus of its alarms."""

from constructs import Construct

from infra.constructs.alarm_bus import AlarmBus
from infra.constructs.csv_inbox import CsvInbox
from infra.constructs.encryption import Encryption
from infra.constructs.key_pepper import KeyPepper
from infra.constructs.quarantine import Quarantine
from infra.constructs.queue import CsvInboxQueue, CsvJobsQueue, DatapointsQueue, MqttInboxQueue
from infra.constructs.streams import ClassStreams
from infra.constructs.tables import Tables
from infra.stage import Stage


class DataStores:
    """The constructs of the data stack, which those of the service stack work on."""

    def __init__(self, scope: Construct, *, stage: Stage) -> None:
        self.encryption = Encryption(scope, "Encryption", stage=stage)
        key = self.encryption.key
        self.datapoints = DatapointsQueue(scope, "Datapoints", stage=stage, key=key)
        # There with MQTT off too: the messages in it are still accepted.
        self.mqtt_inbox = MqttInboxQueue(scope, "MqttInbox", stage=stage, key=key)
        # There with CSV files off too: jobs under way are still finished.
        self.csv_inbox = CsvInboxQueue(scope, "CsvInbox", stage=stage, key=key)
        self.csv_jobs = CsvJobsQueue(scope, "CsvJobs", stage=stage, key=key)
        self.csv_files = CsvInbox(scope, "CsvFiles", stage=stage, queue=self.csv_inbox.queue, key=key)
        self.tables = Tables(scope, "Tables", stage=stage, key=key)
        self.key_pepper = KeyPepper(scope, "KeyPepper", stage=stage, key=key)
        self.streams = ClassStreams(scope, "Streams", stage=stage, key=key)
        self.quarantine = Quarantine(scope, "Quarantine", stage=stage, key=key)
        self.alarms = AlarmBus(scope, "Alarms", stage=stage, key=key)
