"""Requests that are made again while whoever is to answer them is busy or out of reach."""

import time
from collections.abc import Callable
from dataclasses import dataclass

import httpx

from cli.core.errors import CommandError, ExitCode
from cli.sending.http_answers import AGAIN, retry_after, told
from cli.sending.patience import MAX_ATTEMPTS, delay


def _silent(_seconds: float, _reason: str) -> None:
    pass


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to try.

    Attributes:
        on_wait: called with seconds and the reason before each wait.
        sleep: waits.
        attempts: at one request.
    """

    on_wait: Callable[[float, str], None] = _silent
    sleep: Callable[[float], None] = time.sleep
    attempts: int = MAX_ATTEMPTS

    def wait(self, attempt: int, reason: str, asked_for: float | None = None) -> None:
        """Wait after an attempt, counted from 0; not after the last one."""
        if attempt + 1 < self.attempts:
            seconds = delay(attempt) if asked_for is None else asked_for
            self.on_wait(seconds, reason)
            self.sleep(seconds)

    def answer(
        self,
        request: Callable[[], httpx.Response],
        what: str,
        *,
        is_busy: Callable[[httpx.Response], bool] = lambda response: response.status_code in AGAIN,
    ) -> httpx.Response:
        """What is answered, once it is an answer.

        Args:
            request: makes the request.
            what: is asked, for people: `the service did not {what}`.
            is_busy: whether an answer says that it is to be asked again.

        Raises:
            CommandError: there is none for longer than this waits.
        """
        reason = ""
        for attempt in range(self.attempts):
            try:
                response = request()
            except httpx.RequestError as error:
                reason = told(error)
                self.wait(attempt, reason)
                continue
            if not is_busy(response):
                return response
            reason = f"{response.status_code} {response.reason_phrase}"
            self.wait(attempt, reason, retry_after(response))
        raise self.given_up(what, reason)

    def given_up(self, what: str, reason: str) -> CommandError:
        """That it was tried often enough."""
        return CommandError(
            f"the service did not {what} after {self.attempts} attempts: {reason}",
            hint="check the connection; for the local stack see 'afluente status'",
            code=ExitCode.UNREACHABLE,
        )
