"""Authentication in a function."""

from typing import Any

from afluente.runtime.authentication import log_lost_use


def test_a_use_that_could_not_be_written_down_is_in_the_log(log: list[dict[str, Any]]) -> None:
    log_lost_use("aaaqeaye")

    assert [(line["levelname"], line["code"], line["key_id"]) for line in log] == [
        ("WARNING", "KEY_USE_NOT_RECORDED", "aaaqeaye")
    ]
