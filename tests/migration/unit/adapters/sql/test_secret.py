"""The forms of a secret."""

import json

import pytest

from afluente.migration.adapters.sql.errors import LegacySqlUrlError
from afluente.migration.adapters.sql.secret import url_of

RDS = {"engine": "postgres", "host": "db", "port": 5432, "username": "reader", "password": "p@ss/w", "dbname": "iot"}


def test_a_secret_is_the_url_itself() -> None:
    assert url_of(" postgresql://reader:p@db/iot\n") == "postgresql://reader:p@db/iot"


@pytest.mark.parametrize(
    ("fields", "url"),
    [
        ({}, "postgres://reader:p%40ss%2Fw@db:5432/iot"),
        ({"engine": "sqlserver-se", "port": "1433"}, "sqlserver://reader:p%40ss%2Fw@db:1433/iot"),
        ({"port": None, "dbInstanceIdentifier": "old"}, "postgres://reader:p%40ss%2Fw@db/iot"),
    ],
)
def test_or_what_rds_writes_and_rotates(fields: dict[str, object], url: str) -> None:
    assert url_of(json.dumps(RDS | fields)) == url


@pytest.mark.parametrize(
    "secret",
    ["", " ", "{", '{"engine": "postgres"}', json.dumps(RDS | {"port": "p@ss/w"}), json.dumps(RDS | {"host": 1})],
)
def test_anything_else_is_refused_without_a_word_of_it(secret: str) -> None:
    with pytest.raises(LegacySqlUrlError, match="write an SQL URL, or an object with engine, host") as caught:
        url_of(secret)

    assert "p@ss/w" not in str(caught.value)
    assert caught.value.__cause__ is None
