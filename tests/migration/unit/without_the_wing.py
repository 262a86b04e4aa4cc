"""Send and classify points where the migration wing is not on the path, and print what came of them.

A program for `test_wing_comes_off`: the functions are those that are deployed, AWS is moto.
"""

import json
import os
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module

from moto import mock_aws

import afluente
from afluente.domain.evaluation import Classification
from tests.contract.local_aws import LocalAws
from tests.contract.stage import CONTEXT, batch_of, catalogue, credentials, event, resources
from tests.contract.test_classified_streams import Kinesis
from tests.factories import NOW, a_config

FUNCTIONS = ("classifier", "csv_trigger", "http_admin", "http_authorizer", "http_ingest", "ws_ingest")
VALUES = (20, 45, 60)


@mock_aws()
def main() -> None:
    handlers = {name: import_module(f"{name}.handler") for name in FUNCTIONS}
    aws = LocalAws("moto", endpoint=None)
    environment = resources(aws)
    os.environ.update(environment | credentials(aws))
    catalogue(aws, environment).put("iot", a_config(max_value=50, warning_max=40))
    points = [{"stream_id": "t", "value": value, "timestamp": NOW + place} for place, value in enumerate(VALUES)]
    request = event("http_api_ingest") | {"body": json.dumps({"domain": "iot", "datapoints": points})}

    answer = handlers["http_ingest"].lambda_handler(request, CONTEXT)
    batch = batch_of(aws, environment["AFLUENTE_DATAPOINTS_QUEUE_URL"])
    returned = handlers["classifier"].lambda_handler(batch, CONTEXT)

    streams = {name: environment[f"AFLUENTE_STREAM_{name.name}"] for name in Classification}
    with ThreadPoolExecutor(1) as executor:
        kinesis = Kinesis(aws.client("kinesis"), streams, executor)
        classes = {name.value: [point.value for point in kinesis.points(name)] for name in streams}
    found = {"layer": afluente.__path__[0], "status": answer["statusCode"], "returned": returned, "classes": classes}
    print(json.dumps(found))


if __name__ == "__main__":
    main()
