"""Errors that every port may raise."""


class UnavailableError(Exception):
    """A dependency did not answer in time; the same call may succeed later."""
