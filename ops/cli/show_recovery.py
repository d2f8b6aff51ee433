"""What the commands that mend things show: dead letters, a redrive, a replay."""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click
from rich.table import Table
from rich.text import Text

from ops.cli.show import progress_bars
from ops.look.backlog import backlog
from ops.look.backlog import dead_letters as dead_letter_queues
from ops.look.changes import Changes, changes, view
from ops.look.status import unmatched
from ops.mend import dead_letters
from ops.mend.dead_letters import Letter
from ops.mend.redrive import Redriven, redrive, waiting
from ops.mend.replay import ARCHIVED_AFTER_MINUTES, collect, deliveries, send
from ops.mend.replay_choice import Only, choose
from ops.mend.spool import Collected, Plan, Spool
from ops.reach.console import answers, console, counted
from ops.reach.target import Target
from shared.contracts.keys import RaceRef

_LETTERS_SHOWN = 10  # of a group
_CHANGES_SHOWN = 20
_QUIET_POLLS = 3  # between two queues a message is in neither
_PATIENCE_SECONDS = 600  # in a race that is on, there always is work


# --- dead letters -------------------------------------------------------------------------------------


def show_letters(found: Sequence[Letter], now: datetime, *, as_json: bool) -> None:
    """Dead letters by queue and reason, the oldest first."""
    if as_json:
        print(dead_letters.as_json(found, now))
        return
    if not found:
        console.print("There are no dead letters.")
        return
    for (place, reason), letters in dead_letters.grouped(found):
        answers.print(
            Text(f"{counted(len(letters), 'letter')} in {place.queue}: ", style="bold"), Text(reason, style="bold red")
        )
        answers.print(Text(f"  {letters[0].error}", style="dim"))
        table = Table(show_edge=False, box=None, pad_edge=False, padding=(0, 2))
        for name in ("  about", "photo", "what", "waits", "received"):
            table.add_column(name, style="dim" if name == "photo" else "", overflow="fold")
        for letter in letters[:_LETTERS_SHOWN]:
            table.add_row(
                f"  {dead_letters.filename(letter)}",
                letter.photo_id or "",
                letter.what,
                _for(now - letter.sent_at),
                f"{letter.received}×",
            )
        answers.print(table)
        if len(letters) > _LETTERS_SHOWN:
            answers.print(f"  … and {len(letters) - _LETTERS_SHOWN:,} more; --json has them all.")
    console.print("Once the reason is mended: snaprace redrive --stage STAGE (docs/runbooks/dead-letters.md).")


def _for(age: timedelta) -> str:
    """A duration in its largest unit: 3 d, 5 h, 12 min, 40 s."""
    seconds = int(age.total_seconds())
    for unit, length in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= length:
            return f"{seconds // length} {unit}"
    return f"{seconds} s"


# --- redrive ------------------------------------------------------------------------------------------


def show_redrive(target: Target, stage: str, function: str | None, *, rate: float, yes: bool, as_json: bool) -> int:
    """Move dead letters back; the exit code, 1 where some that were counted did not come.

    Raises UsageError where it would have to ask and cannot.
    """
    _must_be_able_to_ask(yes=yes)
    found = waiting(target, stage, function)
    total = sum(each.letters for each in found)
    for each in found:
        about = "at least " if each.more else ""
        console.print(f"{about}{counted(each.letters, 'letter')} in {each.place.queue}", markup=False)
    if not total:
        of = f"function '{function}' of the stage" if function else "stage"
        console.print(f"The {of} '{stage}' has no dead letters.")
    elif not _agreed(f"Send {_them(total)} back, {rate:g} a second?", yes=yes):
        return 1
    outcome = Redriven()
    if total:
        with _bar("Sending back", total) as advance:
            outcome = redrive(target, found, rate=rate, function=function, progress=advance)
    for queue, moved in outcome.by_queue.items():
        console.print(f"{counted(moved, 'letter')} sent back to {queue}", markup=False)
    if outcome.strays:
        console.print(
            f"{counted(outcome.strays, 'letter')} left where they are: they do not say where they belong. "
            f"Look at them with: snaprace dlq --stage {stage}"
        )
    missing = max(0, total - outcome.moved - outcome.strays)
    if missing:
        console.print(
            f"[bold red]{counted(missing, 'letter')} did not come[/], perhaps because somebody looks at them. "
            "In a minute run the same command again."
        )
    if as_json:
        told = {"moved": outcome.moved, "by_queue": outcome.by_queue, "strays": outcome.strays, "missing": missing}
        print(json.dumps(told, indent=2))
    elif outcome.moved:
        console.print("See how they get on: snaprace status; what fails again comes back into snaprace dlq.")
    return 1 if missing else 0


# --- replay -------------------------------------------------------------------------------------------


def show_replay(target: Target, plan: Plan, only: Only, *, rate: float, yes: bool, as_json: bool) -> int:
    """Collect, count, ask, send, wait, and say what changed; the exit code. Raises UsageError as a redrive does."""
    _must_be_able_to_ask(yes=yes)
    begin, end = (moment.astimezone() for moment in plan.window)
    console.print(f"From {begin:%Y-%m-%d %H:%M:%S %Z} to {end:%Y-%m-%d %H:%M:%S %Z}.")
    recent = datetime.now(UTC) - plan.window.end < timedelta(minutes=ARCHIVED_AFTER_MINUTES)
    if recent and target.local is None:
        console.print(
            f"EventBridge may take {ARCHIVED_AFTER_MINUTES} minutes to archive an event: the latest may be missing."
        )
    with tempfile.TemporaryDirectory(prefix="snaprace-replay-") as folder:
        spool = Spool(Path(folder) / "events.jsonl")
        with _bar("Collecting from the archive", None) as advance:
            collect(target, plan, spool, progress=advance)
        if spool.unreadable:
            console.print(f"{counted(spool.unreadable, 'archived event')} cannot be read and are left out.")
        chosen = choose(target, plan, spool.events, only)
        changed: Changes | None = Changes({}, ())
        if chosen:
            changed = _send(target, plan, spool, chosen, rate=rate, yes=yes)
        else:
            _say_why_nothing(plan, only, len(spool.events))
    if changed is None:
        return 1
    if as_json:
        print(_replay_json(plan, only, spool, chosen, changed))
    elif chosen:
        _show_changes(changed)
    return 0


def _say_why_nothing(plan: Plan, only: Only, collected: int) -> None:
    if not collected:
        race = f" of {plan.race}" if plan.race else ""
        console.print(f"Nothing to replay: the archive holds no event{race} of that time that {plan.stage} hears.")
    elif only == "failed":
        console.print(f"Nothing to replay: of {counted(collected, 'event')} none is about what failed in {plan.stage}.")
    else:
        console.print(f"Nothing to replay: {plan.stage} holds something of each of {counted(collected, 'event')}.")


def _send(
    target: Target, plan: Plan, spool: Spool, chosen: Sequence[Collected], *, rate: float, yes: bool
) -> Changes | None:
    """Ask, send and wait; what changed, or None where the answer was no."""
    counts = deliveries(chosen)
    total = sum(counts.values())
    kinds = Counter(event.about.what for event in chosen)
    for function, events in counts.items():
        console.print(f"{counted(events, 'event')} for {plan.stage}.{function}", markup=False)
    console.print(f"  ({', '.join(f'{number:,} {kind}' for kind, number in kinds.most_common())})", markup=False)
    if not _agreed(f"Send {_them(total)}, {rate:g} a second ({_for(timedelta(seconds=total / rate))})?", yes=yes):
        return None
    races = {event.about.race for event in chosen if event.about.race}
    before, given_up = view(target, races), _given_up(target)
    sent = 0
    try:
        with _bar("Sending", total) as advance:

            def progress(done: int) -> None:
                nonlocal sent
                sent = done
                advance(done)

            send(target, plan, spool, chosen, rate=rate, progress=progress)
        if not _wait_until_quiet(target, races):
            console.print(
                "All is sent; other work is still going on, so what changed so far is told. See: snaprace status"
            )
    except KeyboardInterrupt:
        console.print(f"{sent:,} of {total:,} are sent and will be handled; to repeat the command does no harm.")
        raise
    if (more := _given_up(target) - given_up) > 0:
        console.print(f"[bold red]{counted(more, 'message')} given up meanwhile[/]; see: snaprace dlq")
    return changes(before, view(target, races))


def _given_up(target: Target) -> int:
    return sum(each.messages for each in dead_letter_queues(target))


def _wait_until_quiet(target: Target, races: Collection[RaceRef]) -> bool:
    """Wait until no stage has work: what is sent to one is heard by others in turn. False where it does not come."""
    quiet, most = 0, 0
    deadline = time.monotonic() + _PATIENCE_SECONDS
    with _bar("Waiting for the stages", None) as advance:
        while quiet < _QUIET_POLLS:
            if time.monotonic() > deadline:
                return False
            left = backlog(target) + sum(unmatched(target, race) for race in races)
            most = max(most, left)
            advance(most - left, most)
            quiet = 0 if left else quiet + 1
            time.sleep(1 if target.local else 5)
    return True


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


def _replay_json(plan: Plan, only: Only, spool: Spool, chosen: Sequence[Collected], changed: Changes) -> str:
    return json.dumps(
        {
            "stage": plan.stage,
            "from": plan.window.begin.isoformat(),
            "to": plan.window.end.isoformat(),
            "only": only,
            "heard": len(spool.events),
            "sent": deliveries(chosen),
            "changed": {
                "uploads": {key: {"before": was, "after": now} for key, (was, now) in changed.uploads.items()},
                "photos": list(changed.photos),
            },
        },
        ensure_ascii=False,
        indent=2,
    )


# --- both ---------------------------------------------------------------------------------------------


def _them(number: int) -> str:
    return "it" if number == 1 else f"these {number:,}"


def _must_be_able_to_ask(*, yes: bool) -> None:
    if not yes and not sys.stdin.isatty():
        raise click.UsageError("There is nobody here to ask: say --yes.")


def _agreed(question: str, *, yes: bool) -> bool:
    if yes or click.confirm(question, err=True):
        return True
    console.print("Nothing was sent.")
    return False


Advance = Callable[..., None]


@contextmanager
def _bar(title: str, total: int | None) -> Iterator[Advance]:
    """A bar; what is given moves it: advance(done), or advance(done, total)."""
    with progress_bars() as bars:
        task = bars.add_task(title, total=total)

        def advance(done: int, of: int | None = total) -> None:
            bars.update(task, completed=done, total=of)

        yield advance
