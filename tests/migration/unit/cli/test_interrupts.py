"""Ctrl-C during work in pages, and where it is not for this program."""

import signal

from rich.console import Console

from cli.migration.interrupts import Interrupts


def test_an_ignored_ctrl_c_stays_ignored_as_in_a_job_in_the_background() -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with Interrupts(Console(quiet=True)) as interrupts:
            signal.raise_signal(signal.SIGINT)
            signal.raise_signal(signal.SIGINT)
            assert not interrupts.asked
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)
