"""What commands show that look into a race: its state, one photo, its cost."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from rich import box
from rich.table import Table
from rich.text import Text

from ops.cli.screen import answers, facts
from ops.cli.show_races import counts_of, show_strays
from ops.cost.bill import Bill, as_dict
from ops.cost.visits import VisitBill
from ops.look import status
from ops.look.explain import Explanation
from ops.look.status import RaceStatus
from ops.look.strays import Stray
from ops.reach.words import counted, to_json

_REASONS_SHOWN = 20
_COLOURS = {"confirmed": "green", "inferred": "cyan", "doubtful": "yellow"}


def show_status(found: RaceStatus, beside: Sequence[Stray], *, as_json: bool, every_upload: bool) -> None:
    """A race's uploads: how many stand where, what waits and why, what was rejected and why; and those of no race."""
    if as_json:
        print(status.as_json(found, beside, every_upload=every_upload))
        return
    answers.print(facts(f"{found.organizer_id}/{found.event_id}", counts_of(found)))
    _show_stuck(found)
    if every_upload:
        for upload in found.uploads:
            answers.print(f"{upload.state:<13} {upload.filename}", upload.why, style="dim", markup=False)
    for upload in found.rejected[: None if every_upload else _REASONS_SHOWN]:
        answers.print(f"rejected {upload.filename}: {upload.message}", markup=False)
    if len(found.rejected) > _REASONS_SHOWN and not every_upload:
        answers.print(f"… and {len(found.rejected) - _REASONS_SHOWN:,} more; --all has them all.")
    for queue, messages in found.dead_letters.items():
        answers.print(f"[bold red]{counted(messages, 'dead letter')}[/] in {queue}")
    show_strays(beside)


def _show_stuck(found: RaceStatus) -> None:
    now, oldest = datetime.fromisoformat(found.at), found.oldest_waiting
    if oldest is not None:
        answers.print(Text.assemble("Oldest waiting: ", (oldest.filename, "bold"), f", {_age(oldest.age(now))}"))
    for stuck in found.stuck:
        first = stuck.uploads[0]
        example = f"{'the oldest is ' if len(stuck.uploads) > 1 else ''}{first.filename}, {_age(first.age(now))}"
        answers.print(f"{counted(len(stuck.uploads), 'upload')}: {stuck.why}; {example}", markup=False)


def _age(seconds: float | None) -> str:
    """How long ago something was uploaded: 40 s, 12 min, 3.5 h, 2.0 days."""
    if seconds is None:
        return "not heard of yet"
    for size, unit, until in ((1, "s", 90), (60, "min", 90 * 60)):
        if seconds < until:
            return f"uploaded {seconds / size:.0f} {unit} ago"
    return f"uploaded {seconds / 3600:.1f} h ago" if seconds < 48 * 3600 else f"uploaded {seconds / 86400:.1f} days ago"


def show_explanation(found: Explanation, *, as_json: bool) -> None:
    """Why somebody is, or is not, in a photo."""
    if as_json:
        print(to_json(found))
        return
    answers.print(Text.assemble((found.filename, "bold"), "  ", (found.photo_id or "", "dim")))
    answers.print(found.summary, markup=False)
    for upload in found.uploads[1:]:
        answers.print(f"The same picture: {upload.filename} ({upload.state})", markup=False)
    for title, sentences in (
        ("Waits", found.waits),
        ("Time", found.taken_at_notes),
        ("Read", found.read),
        ("Said", found.said),
    ):
        for number, sentence in enumerate(sentences):
            answers.print(Text.assemble((f"{title if not number else '':<10}", "dim"), sentence))
    if found.faces_summary:
        answers.print(Text.assemble((f"{'Faces':<10}", "dim"), found.faces_summary))
    for runner in found.runners:
        where = f"face {runner.face}" if runner.face else "by the bib alone"
        how_sure = f"{runner.status}, {runner.confidence:.1f}%"
        answers.print()
        answers.print(Text.assemble((f"{runner.bib:<10}", "bold"), (how_sure, _COLOURS[runner.status]), f", {where}"))
        for sentence in runner.because:
            answers.print(f"          {sentence}", markup=False)
        for sentence in runner.against:
            answers.print(Text.assemble(" " * 10, ("Against it: ", "yellow"), sentence))
    for sentence in found.strangers:
        answers.print(f"\n{sentence}", markup=False)


def show_bill(bill: Bill, *, as_json: bool) -> None:
    """What 1,000 photos cost, with the share of each thing."""
    if as_json:
        print(to_json(as_dict(bill)))
        return
    title = f"1,000 photos, by what {counted(bill.photos, 'photo')} took ({bill.region}, prices of {bill.prices_of})"
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD)
    for heading, justify in (("", "left"), ("", "left"), ("number", "right"), ("$", "right"), ("share", "right")):
        table.add_column(heading, justify=justify)  # type: ignore[arg-type]
    for line in bill.lines:
        share = f"{line.dollars / bill.once:.1%}" if line.when == "once" else "a month"
        number = f"{line.number:,.0f}" if line.number >= 100 else f"{line.number:.3g}"
        table.add_row(line.service, line.what, number, f"{line.dollars:.4f}", share)
    answers.print(table)
    calls = ", ".join(f"{call} {number:.2f}" for call, number in bill.calls_per_photo.items())
    answers.print(f"[bold]${bill.once:.2f}[/] for 1,000 photos, and ${bill.monthly:.2f} for each month they are kept.")
    answers.print(f"Calls for each uploaded photo: {calls}.")
    answers.print(f"Left out: {'; '.join(bill.left_out)}.", style="dim")
    _show_visits(bill.visits)


def _show_visits(bill: VisitBill) -> None:
    """What visitors cost, in a sentence for each environment."""
    for env, stream in (("dev", "its one shard"), ("prod", "its stream on demand")):
        untimed = "" if bill.timed else ", without Lambda's time"
        answers.print(
            f"Visitors in {env}: [bold]${bill.dollars(env):.2f}[/] for a million events{untimed}, "
            f"and ${bill.dollars(env, monthly=True):.2f} a month for {stream}."
        )
