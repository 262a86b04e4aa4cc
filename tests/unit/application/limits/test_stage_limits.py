"""The limits of a stage and of single keys."""

import pytest

from afluente.application.limits.stage_limits import KeyLimits, Limits, RefusedKeys, StageLimits, decode_limits


def test_the_limits_of_a_key_replace_those_of_the_stage() -> None:
    own = KeyLimits(requests_per_second=0, points_per_day=7)

    limits = Limits(requests_per_second=5, points_per_second=3, points_per_day=9).overridden_by(own)

    assert limits == Limits(requests_per_second=0, points_per_second=3, points_per_day=7)
    assert limits.overridden_by(None) is limits


def test_limits_are_decoded_from_the_json_of_a_stage() -> None:
    text = '{"key": {"requests_per_second": 5, "points_per_day": 7}, "refused_keys": {"per_second": 0.5, "burst": 3}}'

    assert decode_limits(text) == StageLimits(
        key=Limits(requests_per_second=5, points_per_day=7), refused_keys=RefusedKeys(per_second=0.5, burst=3)
    )
    assert decode_limits("{}") == StageLimits()


def test_limits_of_a_wrong_form_are_an_error_that_names_the_field() -> None:
    with pytest.raises(ValueError, match=r"\$\.key\.requests_per_second"):
        decode_limits('{"key": {"requests_per_second": "many"}}')
