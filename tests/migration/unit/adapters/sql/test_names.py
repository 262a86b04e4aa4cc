"""Names of the legacy tables, as people write them."""

import json

import pytest

from afluente.migration.adapters.sql.names import TableNames, TableNamesError


def test_without_a_word_the_classic_names_are_meant() -> None:
    names = TableNames.read({})

    assert names.db_schema is None
    assert list(names.tables) == [
        "alert_thresholds",
        "delta_thresholds",
        "sensor_readings_latest",
        "sensors",
        "devices",
    ]
    assert all(name.table == classic for classic, name in names.tables.items())
    assert all(column == meaning for name in names.tables.values() for meaning, column in name.columns.items())


@pytest.mark.parametrize("as_text", [True, False])
def test_names_that_differ_are_given_by_the_classic_ones(as_text: bool) -> None:
    document = {"schema": "dbo", "sensors": {"table": "Sensors", "uuid": "SensorGuid"}}

    names = TableNames.read(json.dumps(document) if as_text else document)

    assert (names.db_schema, names.sensors.table) == ("dbo", "Sensors")
    assert names.sensors.columns == {
        "id": "id",
        "uuid": "SensorGuid",
        "device_id": "device_id",
        "sensor_type": "sensor_type",
    }


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ({"sensor": {}}, "sensor: there is no such table; there are alert_thresholds, delta_thresholds"),
        ({"devices": {"guid": "x"}}, "devices.guid: there is no such name to give; there are table, id, uuid"),
        ({"devices": {"uuid": ""}}, "devices.uuid: String should have at least 1 character"),
        ({"devices": "gateways"}, "devices: "),
        ({"schema": 3}, "schema: "),
        ("[]", "the names: "),
        ("{", "the names: Invalid JSON"),
    ],
)
def test_an_invalid_name_is_refused_with_a_hint(document: object, message: str) -> None:
    with pytest.raises(TableNamesError) as caught:
        TableNames.read(document)

    assert str(caught.value).startswith(message)


def test_all_faults_are_in_one_message() -> None:
    with pytest.raises(TableNamesError) as caught:
        TableNames.read({"sensor": {}, "devices": {"guid": "x"}})

    assert len(str(caught.value).split("; there are")) == 3
