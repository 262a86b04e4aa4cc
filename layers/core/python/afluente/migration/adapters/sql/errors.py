"""Errors of the legacy database."""

from afluente.application.errors import UnavailableError


class LegacySqlUrlError(ValueError):
    """An unusable connection URL; the message says what to write, and contains nothing of the URL."""


class WrongTablesError(UnavailableError):
    """The database answers, but its tables are not as they were named; the message names them, with a hint.

    The classifier treats it like an unavailable database: packs wait until somebody has mended it.
    """
