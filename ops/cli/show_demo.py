"""What the demo shows: how it gets on, its report, and where its page is."""

from __future__ import annotations

from pathlib import Path

from rich.progress import TaskID

from ops.cli.screen import Bars, console, facts
from ops.demo.material import Material
from ops.demo.run import RACE, Demo, Observer, Report
from ops.demo.score import Score
from ops.look.status import RaceStatus

_REASONS_SHOWN = 20
_EXAMPLES = 3


class DemoScreen(Bars, Observer):
    """Shows how the demo gets on, in a `with` block."""

    def __init__(self) -> None:
        super().__init__()
        self._up = self.add_task("Uploading", visible=False, total=None, start=False)
        self._done = self.add_task("Reading bibs and faces", visible=False, total=None, start=False)

    def step(self, text: str) -> None:
        """Say what begins."""
        self.console.print(f"{text}…")

    def uploading(self, done: int, total: int) -> None:
        """Move the first bar."""
        self._show(self._up, done, total)

    def processing(self, now: RaceStatus) -> None:
        """Move the second bar."""
        counts = now.counts
        done = counts["searchable"] + counts["rejected"] + counts["dead-lettered"]
        self._show(self._done, done, len(now.uploads))

    def _show(self, bar: TaskID, done: int, total: int) -> None:
        self.start_task(bar)  # counts the time from the first call
        self.update(bar, visible=True, completed=done, total=total)


def show_left_out(roster: Path | None, material: Material) -> None:
    """What of one's own photos is not uploaded, and the rows of one's own roster that cannot be used."""
    for path, why in material.left_out:
        console.print(f"left out: {path}: {why}", markup=False)
    for problem in material.roster.problems if material.roster else ():
        console.print(f"left out: {roster} line {problem.line}: {problem.message}", markup=False)


def show_report(report: Report, material: Material) -> None:
    """The demo's summary for a person, against the truth where there is one."""
    copies = f", of which {report.duplicates} are copies of others" if report.duplicates else ""
    uploads = [
        (str(report.photos), "photos uploaded"),
        (str(report.searchable), f"searchable{copies}"),
        (str(len(report.rejected)), "rejected, each with its reason"),
        (str(report.dead_lettered), "dead-lettered"),
        (str(report.lost), "lost"),
    ]
    scored = (("bibs read", report.bibs), ("runners found, hidden bibs included", report.people))
    scores = [(f"{score.f1:.3f}", f"{what}, f1 ({_parts(score)})") for what, score in scored if score]
    worked = f"vision worked {report.vision_seconds:.0f} s of it"
    until = "until the race was quiet and all faces were compared" if report.quiet else "and not all faces are compared"
    times = [
        (f"{report.seconds:.0f} s", f"from the first upload to the last result; {worked}"),
        (f"{report.settling_seconds:.0f} s", f"more, {until}"),
    ]
    hidden = report.hidden_bibs
    if hidden.found:
        which = f"95% of {hidden.found} hidden bibs were found (half of them {hidden.p50:.0f} s)"
        times.append((f"{hidden.p95:.0f} s", f"after their photos were looked at, {which}"))
    if hidden.found_later:
        times.append((str(hidden.found_later), "more, when their bibs had been read in later photos"))
    calls = [(f"{sum(report.api_calls.values()):,}", "AWS calls, of which for each uploaded photo")]
    calls += [(f"{number:.2f}", call) for call, number in report.calls_per_photo.items()]
    console.print(facts("The race", uploads, scores, times, calls, min_width=64))
    console.print(f"state_hash {report.state_hash}")
    for each in report.rejected[:_REASONS_SHOWN]:
        name = str(each["key"]).rsplit("/", 1)[-1]
        expected = material.truth.bad.get(name) if material.truth else each["reason"]
        mark = "" if expected == each["reason"] else f" (should have been: {expected})"
        console.print(f"  rejected {name}: {each['message']}{mark}", markup=False)


def _parts(score: Score) -> str:
    return f"precision {score.precision:.3f}, recall {score.recall:.3f}"


def show_page(demo: Demo) -> None:
    """Where the race can be looked at, and what to search for there."""
    door, which = demo.runtime.running.front_door, f"?organizer={RACE.organizer_id}&event={RACE.event_id}"
    console.print(f"\nThe page is at [bold]{door}/{which}[/]")
    console.print(f"The live page is at [bold]{door}/live/{which}[/]; some demo visitors come now.")
    if demo.material.roster:
        bibs = ", ".join(runner.printed for runner in demo.material.roster.runners[:_EXAMPLES])
        console.print(f"Search for a bib ({bibs}, …)", end="")
    if demo.material.selfies:
        console.print(f" or with a selfie from {_short(demo.material.selfies)}", end="")
    console.print("\nCtrl-C ends it.")


def say(sentence: str) -> None:
    """Say something while the page is served."""
    console.print(sentence, markup=False)


def _short(path: Path) -> str:
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)
