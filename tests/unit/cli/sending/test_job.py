"""A file on its way: batches, counts, and the place that is kept."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

import msgspec
import pytest
from rich.console import Console

from cli.core.errors import CommandError, ExitCode
from cli.sending.job import Choices, Job, open_job, run
from cli.sending.points import Fault, Outcome, Readable, Rejected, SentPoint
from cli.sending.progress import SendingProgress
from cli.sending.rejects import Rejects
from cli.sending.run import Totals

BEGIN = 1_700_000_000


class FakeTransport:
    """Takes points, unless a value is negative, until it is told to stop."""

    def __init__(self, stop_after: int | None = None, error: BaseException | None = None) -> None:
        self.batches: list[list[float]] = []
        self._stop_after = stop_after
        self._error = error or CommandError("the service is gone", code=ExitCode.UNREACHABLE)

    def send(self, points: Sequence[Readable]) -> Outcome:
        if len(self.batches) == self._stop_after:
            raise self._error
        self.batches.append([value_of(readable) for readable in points])
        bad = [readable for readable in points if value_of(readable) < 0]
        fault = Fault("negative", "value", "must be 0 or more")
        rejected = tuple(Rejected(readable.line, (fault,), readable.point) for readable in bad)
        return Outcome(len(points) - len(bad), rejected)

    def close(self) -> None:
        """Nothing is open."""


def value_of(readable: Readable) -> float:
    assert isinstance(readable.point, SentPoint)
    return readable.point.value


@pytest.fixture
def console() -> Console:
    return Console(record=True, width=200, force_terminal=False, quiet=False)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "readings.csv"
    rows = [f"{BEGIN + row},{row}\n" for row in range(10)]
    rows[3], rows[5] = f"{BEGIN + 3},-1\n", f"{BEGIN + 5},oops\n"
    path.write_text("time,a\n" + "".join(rows))
    return path


@pytest.fixture
def open_file(tmp_path: Path, file: Path) -> Iterator[Callable[..., Job]]:
    with ExitStack() as stack:

        def open_(*, resume: bool = False, destination: str = "there") -> Job:
            choices = Choices(str(file), "s", {"value_columns": ["a"]}, resume=resume)
            return stack.enter_context(open_job(choices, tmp_path / "positions", (destination, "iot")))

        yield open_


def send(job: Job, transport: FakeTransport, console: Console, rejects: Path | None = None) -> Totals:
    progress = SendingProgress(console, job.input.name, job.input.size, job.bytes_read)
    if rejects is None:
        return run(job, transport, batch=4, progress=progress, rejects=Rejects(console, None))
    with rejects.open("wb") as file:
        return run(job, transport, batch=4, progress=progress, rejects=Rejects(console, file))


def test_everything_is_sent_in_order_and_counted(open_file: Callable[..., Job], console: Console) -> None:
    transport = FakeTransport()
    totals = send(open_file(), transport, console)
    assert transport.batches == [[0, 1, 2, -1], [4, 6, 7, 8], [9]]
    assert totals == Totals(read=10, inserted=8, rejected=2, line=11)


def test_what_was_not_taken_is_shown_and_written_in_the_order_of_the_file(
    open_file: Callable[..., Job], console: Console, tmp_path: Path
) -> None:
    send(open_file(), FakeTransport(), console, tmp_path / "rejects")
    written = [msgspec.json.decode(line) for line in (tmp_path / "rejects").read_bytes().splitlines()]
    assert [line["line"] for line in written] == [5, 7]
    assert written[0]["point"] == {"stream_id": "s:a", "value": -1.0, "timestamp": BEGIN + 3.0}
    assert written[0]["faults"] == [{"code": "negative", "field": "value", "message": "must be 0 or more"}]
    assert written[1]["text"] == f"{BEGIN + 5},oops"
    shown = console.export_text()
    assert "rejected line 5: value: must be 0 or more (negative)" in shown
    assert "rejected line 7: a: 'oops' is not a number (not_a_number)" in shown


def test_of_many_rejected_points_the_first_are_shown(console: Console) -> None:
    rejects = Rejects(console, None)
    point = SentPoint("s:a", 1.0, 1.0)
    rejects.add([Rejected(line, (Fault("negative", "value", "no"),), point) for line in range(100)])
    shown = console.export_text().splitlines()
    assert len(shown) == 11
    assert "--rejects FILE" in shown[-1]


@pytest.mark.parametrize("error", [CommandError("gone"), KeyboardInterrupt()])
def test_an_interrupted_sending_goes_on_where_it_stopped(
    open_file: Callable[..., Job], console: Console, error: BaseException
) -> None:
    with pytest.raises(type(error)):
        send(open_file(), FakeTransport(stop_after=2, error=error), console)
    transport = FakeTransport()
    totals = send(open_file(resume=True), transport, console)
    assert transport.batches == [[9]]
    assert totals == Totals(read=10, inserted=8, rejected=2, line=11)


def test_a_finished_sending_has_no_place_to_go_on_from(open_file: Callable[..., Job], console: Console) -> None:
    with pytest.raises(CommandError):
        send(open_file(), FakeTransport(stop_after=1), console)
    send(open_file(resume=True), FakeTransport(), console)
    assert open_file(resume=True).begin == Totals()


def test_without_resume_it_begins_at_the_beginning(open_file: Callable[..., Job], console: Console) -> None:
    with pytest.raises(CommandError):
        send(open_file(), FakeTransport(stop_after=1), console)
    assert open_file().begin == Totals()


def test_a_sending_that_got_nowhere_leaves_no_place(open_file: Callable[..., Job], console: Console) -> None:
    with pytest.raises(CommandError):
        send(open_file(), FakeTransport(stop_after=0), console)
    assert open_file(resume=True).begin == Totals()


def test_the_place_belongs_to_content_and_destination(
    open_file: Callable[..., Job], console: Console, file: Path
) -> None:
    with pytest.raises(CommandError):
        send(open_file(), FakeTransport(stop_after=1), console)
    assert open_file(resume=True, destination="elsewhere").begin == Totals()
    file.write_text(file.read_text() + f"{BEGIN + 11},11\n")
    assert open_file(resume=True).begin == Totals()


def test_the_place_is_kept_while_it_goes_for_a_run_that_is_killed(
    open_file: Callable[..., Job], console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cli.sending.job._SAVE_SECONDS", 0.0)
    places: list[int] = []

    class Watching(FakeTransport):
        def send(self, points: Sequence[Readable]) -> Outcome:
            kept = job.position.load() if job.position else None
            places.append(kept.read if kept else 0)
            return super().send(points)

    job = open_file()
    send(job, Watching(), console)
    assert places == [0, 4, 9]


def test_a_run_that_goes_on_later_takes_no_row_for_another_one(
    open_file: Callable[..., Job], console: Console, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A row of the future is rejected once: if it were a point in the second run, others would be skipped for it."""
    now = BEGIN + 1_000.0
    rows = [f"{BEGIN + row},{row}\n" for row in range(10)]
    file.write_text("".join(["time,a\n", f"{now + 3_600:.0f},7\n", *rows]))
    monkeypatch.setattr("cli.sending.job.time.time", lambda: now)
    with pytest.raises(CommandError):
        send(open_file(), FakeTransport(stop_after=1), console)

    monkeypatch.setattr("cli.sending.job.time.time", lambda: now + 86_400)
    transport = FakeTransport()
    totals = send(open_file(resume=True), transport, console)

    assert transport.batches == [[4, 5, 6, 7], [8, 9]]
    assert (totals.read, totals.inserted, totals.rejected) == (11, 10, 1)


def test_standard_input_has_no_place(tmp_path: Path) -> None:
    with (
        pytest.raises(CommandError, match="cannot be read again"),
        open_job(Choices("-", "s", resume=True), tmp_path, ()),
    ):
        pass


def test_table_options_for_ndjson_are_wrong_usage(tmp_path: Path) -> None:
    path = tmp_path / "a.ndjson"
    path.write_text('{"stream_id":"a"}\n')
    with (
        pytest.raises(CommandError) as caught,
        open_job(Choices(str(path), "s", {"value_columns": ["a"]}), tmp_path, ()),
    ):
        pass
    assert caught.value.code is ExitCode.USAGE


def test_ndjson_files_are_sent(tmp_path: Path) -> None:
    path = tmp_path / "a.ndjson"
    path.write_text('{"stream_id":"a"}\n')
    with open_job(Choices(str(path), "s"), tmp_path, ()) as job:
        assert [read.line for read in job.reads] == [1]


def test_a_log_gets_a_line_now_and_then(monkeypatch: pytest.MonkeyPatch, console: Console) -> None:
    monkeypatch.setattr("cli.core.progress.LINE_SECONDS", 0.0)
    display = SendingProgress(console, "f", 10, lambda: 5)
    with display.shown():
        display.update(Totals(read=1500, rejected=2))
    assert "1,500 points" in console.export_text()


def test_a_terminal_gets_a_bar() -> None:
    console = Console(record=True, width=200, force_terminal=True)
    display = SendingProgress(console, "readings.csv", 10, lambda: 5)
    with display.shown():
        display.update(Totals(read=1500, rejected=2))
        display.waiting(1.5, "503 Service Unavailable")
    shown = console.export_text()
    assert "again in 1.5 s" in shown
