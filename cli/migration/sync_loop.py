"""The sync loop of dual write: one pass, or passes until the user or the switch ends them."""

from collections.abc import Callable

import msgspec

from afluente.application.errors import UnavailableError
from afluente.migration.application.dual_write import DualWriting, TooManyDeletedError
from afluente.migration.application.ports import MigrationRecords
from afluente.migration.application.records import DualWriteSwitch, SyncPass
from cli.core.errors import CommandError
from cli.core.output import err, out, print_json
from cli.migration.interrupts import Interrupts
from cli.migration.rendering import Walk


class SyncLoop:
    """Makes passes, and records the last one.

    Args:
        writing: carries changes over.
        records: with the switch of dual write.
        count: returns the number of sensors.
        interrupts: of the user.
    """

    def __init__(
        self, writing: DualWriting, records: MigrationRecords, count: Callable[[], int], interrupts: Interrupts
    ) -> None:
        self._writing = writing
        self._records = records
        self._count = count
        self._interrupts = interrupts

    def once(self, *, allow_removals: bool, as_json: bool) -> SyncPass | None:
        """Make one pass and show it; None if the user ended it.

        Raises:
            CommandError: so many sensors are deleted that it may be a mistake.
        """
        done = SyncPass(started_at=0)
        try:
            with (walk := Walk(err(), "comparing", self._count())).shown():
                for so_far in self._writing.sync(allow_removals=allow_removals):
                    walk.advance(so_far.sensors - done.sensors, f"{so_far.changes:,} carried over")
                    done = so_far
                    if self._interrupts.asked and not done.finished_at:
                        err().print("stopped; what was carried over is remembered, the next pass does the rest")
                        return None
        except TooManyDeletedError as error:
            raise CommandError(
                f"{error}: are they the right tables? Nothing was taken away",
                hint="if the sensors are gone for good, run it once with --allow-removals",
            ) from None
        switch = self._records.find_dual_write()
        self._records.save_dual_write(msgspec.structs.replace(switch, last_pass=done))
        if as_json:
            print_json(done)
        else:
            show_pass(done)
        return done

    def repeat(self, seconds: float, *, allow_removals: bool, as_json: bool) -> None:
        """Make passes so many seconds apart, until the user ends them or dual write is switched off."""
        while not self._interrupts.asked:
            try:
                if not self._records.find_dual_write().is_on:
                    err().print("dual write was switched off")
                    return
                self.once(allow_removals=allow_removals, as_json=as_json)
            except UnavailableError as error:
                err().print(f"not available: {error}; again in {seconds:g} s", markup=False, soft_wrap=True)
            self._interrupts.wait(seconds)


def document_of(switch: DualWriteSwitch) -> object:
    """The switch for a program, with all fields."""
    return {"is_on": switch.is_on, "switched_at": switch.switched_at, "last_pass": switch.last_pass}


def show_pass(done: SyncPass) -> None:
    """Show a pass to people."""
    console = out()
    console.print(pass_line(done))
    for sentence in done.notes:
        console.print(f"  {sentence}", markup=False, soft_wrap=True)


def pass_line(done: SyncPass) -> str:
    """A pass in a line."""
    parts = [f"{done.sensors:,} sensors"]
    for count, words in (
        (done.to_constraints, "changes of thresholds carried over"),
        (done.to_tables, "changes of constraints carried over"),
        (done.settled, "changed alike on both sides"),
        (done.conflicts, "conflicts"),
        (done.impossible, "contradictory"),
        (done.rejected, "rejected by the legacy tables"),
        (done.postponed, "changed meanwhile, which the next pass sees to"),
        (done.without_record, "not moved yet"),
    ):
        if count:
            parts.append(f"{count:,} {words}")
    if not done.changes:
        parts.append("nothing to carry over")
    return ", ".join(parts) + f" ({done.finished_at - done.started_at:,.1f} s)"
