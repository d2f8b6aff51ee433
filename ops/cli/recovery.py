"""What the commands that mend ask and show: dead letters, a redrive, a replay. The work is in ops/mend."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from rich.table import Table
from rich.text import Text

from ops.cli import options
from ops.cli.screen import Bar, answers, console
from ops.look.backlog import dead_letters
from ops.look.changes import Changes, changes, view
from ops.look.dead_letters import Contents, Letter, filename, grouped, letters_json
from ops.look.quiet import until_quiet
from ops.mend.collected import ArchivedEvent, CollectedEvents, Plan
from ops.mend.redrive import Redriven, Waiting, redrive, waiting
from ops.mend.replay import ARCHIVED_AFTER_MINUTES, collect, not_replayed, send
from ops.mend.replay_choice import Only, choose
from ops.reach.target import Target
from ops.reach.words import counted, some_of, to_json

_PATIENCE_SECONDS = 600  # in a race that is on, there always is work
_LETTERS_SHOWN = 10  # of a group
_CHANGES_SHOWN = 20
_RECORD_SHOWN = 60  # characters


# --- dead letters -------------------------------------------------------------------------------------


def show_letters(found: Contents, now: datetime, *, as_json: bool) -> None:
    """Dead letters by queue and reason, the oldest first."""
    if as_json:
        print(letters_json(found, now))
        return
    for name, number in found.not_shown.items():
        console.print(f"About {number:,} more in {name} are not shown: too many, or being looked at.", markup=False)
    if not found.letters:
        console.print("There are no dead letters." if not found.not_shown else "Try again in a minute.")
        return
    for (queue, reason), letters in grouped(found.letters):
        answers.print(
            Text(f"{counted(len(letters), 'letter')} in {queue.name}: ", style="bold"), Text(reason, style="bold red")
        )
        answers.print(Text(f"  {letters[0].error}", style="dim"))
        _show_group(letters[:_LETTERS_SHOWN], now)
        if len(letters) > _LETTERS_SHOWN:
            answers.print(f"  … and {len(letters) - _LETTERS_SHOWN:,} more; --json has them all.")
    console.print("Once the reason is mended: snaprace redrive --stage STAGE (docs/runbooks/dead-letters.md).")


def _show_group(letters: Sequence[Letter], now: datetime) -> None:
    """Letters of one queue, in a table; but sequence numbers of a stream, and its records, have no room in one."""
    table = Table(show_edge=False, box=None, pad_edge=False, padding=(0, 2))
    for name in ("  about", "photo", "what", "waits", "received"):
        table.add_column(name, style="dim" if name == "photo" else "", overflow="fold")
    for letter in letters:
        age = _for(now - letter.sent_at)
        if letter.range:
            answers.print(f"  {letter.what}, {age} old, in {letter.range}", markup=False)
            continue
        if letter.record is not None and not letter.subjects:
            answers.print(f"  {letter.what}, {age} old{_as_told(letter)}", markup=False)
            continue
        about = f"  {filename(letter)}"
        table.add_row(about, letter.photo_id or "", letter.what, age, f"{letter.received}×")
    if table.row_count:
        answers.print(table)


def _as_told(letter: Letter) -> str:
    """The beginning of a record that a worker set aside, and what of it stands there."""
    record = letter.record or ""
    shown = record if len(record) <= _RECORD_SHOWN else f"{record[:_RECORD_SHOWN]}…"
    return f", as {letter.encoding}: {shown}" if letter.encoding else f": {shown}"


def _for(age: timedelta) -> str:
    """A duration in its largest unit: 3 d, 5 h, 12 min, 40 s."""
    seconds = int(age.total_seconds())
    for unit, length in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= length:
            return f"{seconds // length} {unit}"
    return f"{seconds} s"


# --- redrive ------------------------------------------------------------------------------------------


def show_redrive(target: Target, stage: str, function: str | None, *, rate: float, yes: bool, as_json: bool) -> int:
    """Ask, and say how a redrive gets on; the exit code, 1 where some that were counted did not come.

    Raises UsageError where it would have to ask and cannot.
    """
    options.must_be_able_to_ask(yes=yes)
    found, outcome = waiting(target, stage, function), Redriven()
    for each in found:
        _say_what_waits(each)
    if total := sum(each.letters for each in found if not each.stays):
        if not _agreed(f"Send {_them(total)} back, {rate:g} a second?", yes=yes):
            return 1
        with Bar("Sending back", total) as bar:
            outcome = redrive(target, found, rate=rate, function=function, progress=bar.move)
    elif not found:
        of = f"function '{function}' of the stage" if function else "stage"
        console.print(f"The {of} '{stage}' has no dead letters.")
    _say_what_moved(outcome, stage)
    if as_json:
        print(to_json(some_of(outcome, "moved", "by_queue", "by_stream", "strays", "expired", "missing")))
    elif outcome.moved:
        console.print("See how they get on: snaprace status; what fails again comes back into snaprace dlq.")
    return 1 if outcome.missing else 0


def _say_what_waits(found: Waiting) -> None:
    letters = f"{'at least ' if found.more else ''}{counted(found.letters, 'letter')} in {found.queue.name}"
    stays = " cannot be sent back yet: what a schedule began" if found.stays else ""
    console.print(letters + stays, markup=False)


def _say_what_moved(outcome: Redriven, stage: str) -> None:
    for queue, moved in outcome.by_queue.items():
        console.print(f"{counted(moved, 'letter')} sent back to {queue}", markup=False)
    for stream, records in outcome.by_stream.items():
        console.print(f"{counted(records, 'record')} put into the stream {stream} again", markup=False)
    if outcome.strays:
        console.print(
            f"{counted(outcome.strays, 'letter')} left where they are: they do not say where they belong. "
            f"Look at them with: snaprace dlq --stage {stage}"
        )
    if outcome.unsendable:
        console.print(
            f"{counted(outcome.unsendable, 'letter')} left where they are: "
            "they are for a schedule, to which nothing can be sent back yet."
        )
    if outcome.expired:
        console.print(
            f"{counted(outcome.expired, 'letter')} left where they are: records that they tell of have expired from "
            "the stream. What it still had of them was put again (docs/runbooks/dead-letters.md)."
        )
    if outcome.missing:
        console.print(
            f"[bold red]{counted(outcome.missing, 'letter')} did not come[/], perhaps because somebody looks at them. "
            "In a minute run the same command again."
        )


# --- replay -------------------------------------------------------------------------------------------


def show_replay(target: Target, plan: Plan, only: Only, *, rate: float, yes: bool, as_json: bool) -> int:
    """Ask, and say how a replay gets on and what it changed; the exit code. Raises UsageError as a redrive does."""
    options.must_be_able_to_ask(yes=yes)
    _say_what_is_planned(target, plan)
    with tempfile.TemporaryDirectory(prefix="snaprace-replay-") as folder:
        events = CollectedEvents(Path(folder) / "events.jsonl")
        with Bar("Collecting from the archive") as bar:
            collect(target, plan, events, progress=bar.move)
        chosen = choose(target, plan, events, only)
        if events.unreadable:
            console.print(f"{counted(events.unreadable, 'archived event')} cannot be read and are left out.")
        deliveries = Counter(function for event in chosen for function in event.functions)
        changed = Changes({}, ())
        if chosen:
            _say_what_is_sent(plan, chosen, deliveries)
            total = deliveries.total()
            takes = _for(timedelta(seconds=total / rate))
            if not _agreed(f"Send {_them(total)}, {rate:g} a second ({takes})?", yes=yes):
                return 1
            changed = _carry_out(target, plan, events, chosen, rate)
        else:
            _say_why_nothing(plan, only, len(events.events))
    if as_json:
        moves = {key: {"before": was, "after": now} for key, (was, now) in changed.uploads.items()}
        told = {
            "stage": plan.stage,
            "from": plan.window.begin.isoformat(),
            "to": plan.window.end.isoformat(),
            "only": only,
            "heard": len(events.events),
            "sent": deliveries,
            "changed": {"uploads": moves, "photos": changed.photos},
        }
        print(to_json(told))
    elif chosen:
        _show_changes(changed)
    return 0


def _carry_out(
    target: Target, plan: Plan, events: CollectedEvents, chosen: Sequence[ArchivedEvent], rate: float
) -> Changes:
    """Send, wait until no stage has work (what is sent to one is heard by others in turn), and compare."""
    races = {event.about.race for event in chosen if event.about.race}
    before, given_up_before = view(target, races), sum(dead_letters(target).values())
    total = sum(len(event.functions) for event in chosen)
    sending = Bar("Sending", total)
    try:
        with sending:
            send(target, plan, events, chosen, rate=rate, progress=sending.move)
        with Bar("Waiting for the stages") as bar:
            quiet = until_quiet(target, races, patience_s=_PATIENCE_SECONDS, progress=bar.leave)
    except KeyboardInterrupt:
        console.print(
            f"{sending.done:,} of {total:,} are sent and will be handled; to repeat the command does no harm."
        )
        raise
    changed = changes(before, view(target, races))
    if not quiet:
        console.print("All is sent; other work is still going on, so what changed so far is told. See: snaprace status")
    given_up = sum(dead_letters(target).values()) - given_up_before
    if given_up > 0:
        console.print(f"[bold red]{counted(given_up, 'message')} given up meanwhile[/]; see: snaprace dlq")
    return changed


def _say_what_is_planned(target: Target, plan: Plan) -> None:
    begin, end = (moment.astimezone() for moment in plan.window)
    console.print(f"From {begin:%Y-%m-%d %H:%M:%S %Z} to {end:%Y-%m-%d %H:%M:%S %Z}.")
    if plan.left_out:
        console.print(not_replayed(plan), markup=False)
    recent = datetime.now(UTC) - plan.window.end < timedelta(minutes=ARCHIVED_AFTER_MINUTES)
    if recent and target.local is None:
        console.print(
            f"EventBridge may take {ARCHIVED_AFTER_MINUTES} minutes to archive an event: the latest may be missing."
        )


def _say_why_nothing(plan: Plan, only: Only, collected: int) -> None:
    if not collected:
        race = f" of {plan.race}" if plan.race else ""
        console.print(f"Nothing to replay: the archive holds no event{race} of that time that {plan.stage} hears.")
    elif only == "failed":
        console.print(f"Nothing to replay: of {counted(collected, 'event')} none is about what failed in {plan.stage}.")
    else:
        console.print(f"Nothing to replay: {plan.stage} holds something of each of {counted(collected, 'event')}.")


def _say_what_is_sent(plan: Plan, chosen: Sequence[ArchivedEvent], deliveries: Mapping[str, int]) -> None:
    for function, events in deliveries.items():
        console.print(f"{counted(events, 'event')} for {plan.stage}.{function}", markup=False)
    kinds = Counter(event.about.what for event in chosen)
    console.print(f"  ({', '.join(f'{number:,} {kind}' for kind, number in kinds.most_common())})", markup=False)


def _show_changes(changed: Changes) -> None:
    if not changed:
        answers.print("Nothing changed: every upload is in the state it was in, and every photo is shown as before.")
        return
    moves = Counter(changed.uploads.values())
    for (before, after), number in moves.most_common():
        answers.print(f"{counted(number, 'upload')}: {before or 'not there'} → {after or 'not there'}", markup=False)
    answers.print(f"{counted(len(changed.photos), 'photo')} shown otherwise than before")
    for photo in changed.photos[:_CHANGES_SHOWN]:
        answers.print(f"  {photo}", markup=False)
    if len(changed.photos) > _CHANGES_SHOWN:
        answers.print(f"  … and {len(changed.photos) - _CHANGES_SHOWN:,} more; --json has them all.")


# --- both ---------------------------------------------------------------------------------------------


def _them(number: int) -> str:
    return "it" if number == 1 else f"these {number:,}"


def _agreed(question: str, *, yes: bool) -> bool:
    if options.agreed(question, yes=yes):
        return True
    console.print("Nothing was sent.")
    return False
