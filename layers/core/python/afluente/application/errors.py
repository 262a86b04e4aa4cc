"""Errors that every port may raise."""


class UnavailableError(Exception):
    """A dependency did not answer in time; the same call may succeed later."""


class BusyError(UnavailableError):
    """A dependency that answered that it gets too many calls at the moment."""
