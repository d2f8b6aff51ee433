"""What commands show: progress while something goes on, then tables for people or JSON for programs."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

import msgspec
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from local import runtime
from local.runtime import Ports
from ops.demo.run import RACE, Material, Observer, Report, drawing, drawn_material, own_material, run
from ops.demo.score import Score
from ops.look.status import RaceStatus
from ops.race.upload import upload
from ops.reach.console import answers, console, counted
from ops.reach.search_api import FoundPhoto
from ops.reach.target import Target, home
from shared.contracts.keys import RaceRef

_REASONS_SHOWN = 20
_EXAMPLES = 3


def progress_bars() -> Progress:
    """Bars on stderr, of which a pipe sees nothing but the end."""
    return Progress(
        SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
        console=console, transient=False,
    )  # fmt: skip


# --- the demo -----------------------------------------------------------------------------------------


class Screen(Observer):
    """Shows how the demo gets on."""

    def __init__(self) -> None:
        self._bars = progress_bars()
        self._up = self._bars.add_task("Uploading", visible=False, total=None, start=False)
        self._done = self._bars.add_task("Reading bibs and faces", visible=False, total=None, start=False)

    def __enter__(self) -> Screen:
        self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._bars.stop()

    def step(self, text: str) -> None:
        """Say what begins."""
        self._bars.console.print(f"{text}…")

    def uploading(self, done: int, total: int) -> None:
        """Move the first bar."""
        self._show(self._up, done, total)

    def processing(self, now: RaceStatus) -> None:
        """Move the second bar."""
        counts = now.counts
        done = counts["searchable"] + counts["rejected"] + counts["dead-lettered"]
        self._show(self._done, done, len(now.uploads))

    def _show(self, bar: TaskID, done: int, total: int) -> None:
        self._bars.start_task(bar)  # counts the time from the first call
        self._bars.update(bar, visible=True, completed=done, total=total)


def serve_demo(photos: Path | None, roster: Path | None, ports: Ports, *, leave: bool, as_json: bool) -> bool:
    """Run the demo; whether every upload ended well. Without `leave` this returns by Ctrl-C only."""
    began = time.monotonic()
    own = own_material(photos, roster) if photos else None  # before anything is started: it may not be usable
    for problem in own.roster.problems if own and own.roster else ():
        console.print(f"left out: {roster} line {problem.line}: {problem.message}", markup=False)
    with drawing() as drawn, Screen() as screen, runtime.start(home(), ports, screen.step, keep=False) as started:

        def prepare() -> Material:
            return own or drawn_material(drawn())

        report = run(started.running, prepare, began, screen, started.check)
        screen.__exit__(None, None, None)
        if as_json:
            print(report.to_json(), flush=True)
        show_report(report, prepare())
        if not leave:
            _serve(started, None if own else drawn(), prepare())
        return report.complete


def _serve(started: runtime.Runtime, drawn: Path | None, material: Material) -> None:
    page = f"{started.front_door}/?organizer={RACE.organizer_id}&event={RACE.event_id}"
    console.print(f"\nThe page is at [bold]{page}[/]")
    if material.roster:
        bibs = ", ".join(runner.printed for runner in material.roster.runners[:_EXAMPLES])
        console.print(f"Search for a bib ({bibs}, …)", end="")
    if drawn:
        console.print(f" or with a selfie from {_short(drawn / 'selfies')}", end="")
    console.print("\nCtrl-C ends it.")
    started.wait()


def _short(path: Path) -> str:
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)


def show_report(report: Report, material: Material) -> None:
    """The demo's summary for a person, against the truth where there is one."""
    table = Table(title="The race", title_justify="left", show_header=False, min_width=64)
    table.add_column(style="bold", justify="right")
    table.add_column()
    copies = f", of which {report.duplicates} are copies of others" if report.duplicates else ""
    table.add_row(str(report.photos), "photos uploaded")
    table.add_row(str(report.searchable), f"searchable{copies}")
    table.add_row(str(len(report.rejected)), "rejected, each with its reason")
    table.add_row(str(report.dead_lettered), "dead-lettered")
    table.add_row(str(report.lost), "lost")
    if report.bibs and report.people:
        table.add_section()
        table.add_row(f"{report.bibs.f1:.3f}", f"bibs read, f1 ({_parts(report.bibs)})")
        table.add_row(f"{report.people.f1:.3f}", f"runners found, hidden bibs included, f1 ({_parts(report.people)})")
    table.add_section()
    table.add_row(
        f"{report.seconds:.0f} s",
        f"from the first upload to the last result; vision worked {report.vision_seconds:.0f} s of it",
    )
    table.add_row(f"{report.settling_seconds:.0f} s", "more, until the race was quiet and all faces were compared")
    table.add_section()
    table.add_row(f"{sum(report.api_calls.values()):,}", "AWS calls, of which for each uploaded photo")
    for call, number in report.calls_per_photo.items():
        table.add_row(f"{number:.2f}", call)
    console.print(table)
    console.print(f"state_hash {report.state_hash}")
    for each in report.rejected[:_REASONS_SHOWN]:
        name = str(each["key"]).rsplit("/", 1)[-1]
        expected = material.truth.bad.get(name) if material.truth else each["reason"]
        mark = "" if expected == each["reason"] else f" (should have been: {expected})"
        console.print(f"  rejected {name}: {each['message']}{mark}", markup=False)


def _parts(score: Score) -> str:
    return f"precision {score.precision:.3f}, recall {score.recall:.3f}"


# --- upload, find -------------------------------------------------------------------------------------


def show_upload(target: Target, race: RaceRef, files: Sequence[Path], photographer: str | None) -> int:
    """Upload with a bar; the exit code."""
    done = 0
    with progress_bars() as bars:
        task = bars.add_task("Uploading", total=len(files))

        def one_more() -> None:
            nonlocal done
            done += 1
            bars.update(task, completed=done)

        try:
            outcome = upload(target, race, files, photographer=photographer, progress=one_more)
        except KeyboardInterrupt:
            bars.stop()
            console.print(f"{done:,} of {len(files):,} files are done; the same command sends the rest.")
            raise
    for name, why in outcome.failed:
        console.print(f"not uploaded: {name}: {why}", markup=False)
    already = f", {len(outcome.already_there):,} already there" if outcome.already_there else ""
    console.print(f"{counted(len(outcome.sent), 'file')} uploaded{already}. See how they get on: snaprace status")
    if outcome.failed:
        console.print(
            f"{counted(len(outcome.failed), 'file')} could not be uploaded; the same command tries them again."
        )
    return 1 if outcome.failed else 0


def show_photos(photos: Sequence[FoundPhoto], *, as_json: bool) -> None:
    """Found photos."""
    if as_json:
        print(json.dumps({"photos": msgspec.to_builtins(list(photos))}, ensure_ascii=False, indent=2))
        return
    if not photos:
        console.print("No photos found.")
        return
    for photo in photos:
        facts = [
            (photo.taken_at or "")[:19].replace("T", " "),
            ", ".join(f"{runner.bib} {runner.status}" for runner in photo.runners),
            f"{photo.similarity:.0f}% alike" if photo.similarity is not None else "",
        ]
        answers.print(Text(photo.filename, style="bold"), Text(" · ".join(filter(None, facts))), sep="  ")
        answers.print(Text(f"  {photo.preview_url}", style="dim"))
    console.print(f"{counted(len(photos), 'photo')}; the links work for 15 minutes.")
