"""Errors that every port may raise."""


class UnavailableError(Exception):
    """A dependency did not do its part in time; the same call may succeed later."""
