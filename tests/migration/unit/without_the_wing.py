"""Classify points where the migration wing is not on the path, and print what came of it.

A program for `test_wing_comes_off`: the functions are those that are deployed, AWS is moto.
"""

import json
import os
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module

from moto import mock_aws

import afluente
from afluente.adapters.aws.sqs_packs import SqsPackQueue
from afluente.application.ingest.packs import into_packs
from afluente.domain.evaluation import Classification
from tests.contract.local_aws import LocalAws
from tests.contract.stage import CONTEXT, batch_of, catalogue, credentials, resources
from tests.contract.test_classified_streams import Kinesis
from tests.factories import a_config, points

FUNCTIONS = ("classifier", "csv_trigger", "http_admin", "http_authorizer", "ws_ingest")


@mock_aws()
def main() -> None:
    handlers = {name: import_module(f"{name}.handler") for name in FUNCTIONS}
    aws = LocalAws("moto", endpoint=None)
    environment = resources(aws)
    os.environ.update(environment | credentials(aws))
    catalogue(aws, environment).put("iot", a_config(max_value=50, warning_max=40))
    queue = environment["AFLUENTE_DATAPOINTS_QUEUE_URL"]
    SqsPackQueue(aws.client("sqs"), queue).send(into_packs(points(20, 45, 60), shards=64))

    returned = handlers["classifier"].lambda_handler(batch_of(aws, queue), CONTEXT)

    streams = {name: environment[f"AFLUENTE_STREAM_{name.name}"] for name in Classification}
    with ThreadPoolExecutor(1) as executor:
        kinesis = Kinesis(aws.client("kinesis"), streams, executor)
        classes = {name.value: [point.value for point in kinesis.points(name)] for name in streams}
    print(json.dumps({"layer": afluente.__path__[0], "returned": returned, "classes": classes}))


if __name__ == "__main__":
    main()
