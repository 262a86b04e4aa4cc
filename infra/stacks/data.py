"""What holds data: it changes seldom, and a stage may keep it when all else is deleted."""

from constructs import Construct

from infra.constructs.alarm_bus import AlarmBus
from infra.constructs.csv_inbox import CsvInbox
from infra.constructs.encryption import Encryption
from infra.constructs.key_pepper import KeyPepper
from infra.constructs.quarantine import Quarantine
from infra.constructs.queue import CsvInboxQueue, CsvJobsQueue, DatapointsQueue, MqttInboxQueue
from infra.constructs.streams import ClassStreams
from infra.constructs.tables import Tables
from infra.stacks.stage_stack import StageStack
from infra.stage import Stage


class DataStack(StageStack):
    """Queues, tables, streams, buckets and alarm bus of a stage."""

    def __init__(self, scope: Construct, *, stage: Stage) -> None:
        super().__init__(scope, "data", stage=stage, description=f"afluente {stage.name}: queues, tables and streams")
        self.encryption = Encryption(self, "Encryption", stage=stage)
        key = self.encryption.key
        self.datapoints = DatapointsQueue(self, "Datapoints", stage=stage, key=key)
        # There with MQTT off too: what is in it then is still taken.
        self.mqtt_inbox = MqttInboxQueue(self, "MqttInbox", stage=stage, key=key)
        # There with CSV files off too: jobs under way are still finished.
        self.csv_inbox = CsvInboxQueue(self, "CsvInbox", stage=stage, key=key)
        self.csv_jobs = CsvJobsQueue(self, "CsvJobs", stage=stage, key=key)
        self.csv_files = CsvInbox(self, "CsvFiles", stage=stage, queue=self.csv_inbox.queue, key=key)
        self.tables = Tables(self, "Tables", stage=stage, key=key)
        self.key_pepper = KeyPepper(self, "KeyPepper", stage=stage, key=key)
        self.streams = ClassStreams(self, "Streams", stage=stage, key=key)
        self.quarantine = Quarantine(self, "Quarantine", stage=stage, key=key)
        self.alarms = AlarmBus(self, "Alarms", stage=stage, key=key)
