"""What goes wrong with the old service's database, by name."""

from afluente.application.errors import UnavailableError


class LegacySqlUrlError(ValueError):
    """A connection that cannot be; the message says what to write, and holds nothing of what was written."""


class WrongTablesError(UnavailableError):
    """The database answers, but its tables are not as they were named; the message says which, and the way out.

    For the classifier it is as if the database were away: packs wait until somebody has mended it.
    """
