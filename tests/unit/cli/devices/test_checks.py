"""Checks of a device before it is made."""

import pytest

from cli.core.errors import CommandError, ExitCode
from cli.devices.checks import check_name, check_stream_type


@pytest.mark.parametrize("stream_type", [None, "temperature", "Öfen 温度"])
def test_a_stream_type_is_what_a_point_may_name(stream_type: str | None) -> None:
    check_stream_type(stream_type)


@pytest.mark.parametrize("stream_type", ["", "a/b", "a#b", "$a", "x" * 129])
def test_a_stream_type_that_no_point_can_have_is_refused_before_the_device_is_made(stream_type: str) -> None:
    with pytest.raises(CommandError, match="is no stream type") as refused:
        check_stream_type(stream_type)
    assert refused.value.code is ExitCode.USAGE


@pytest.mark.parametrize("name", ["", "a b", "a/b", "x" * 129])
def test_a_name_that_no_thing_can_have_is_refused(name: str) -> None:
    with pytest.raises(CommandError, match="cannot be the name of a device"):
        check_name(name)
