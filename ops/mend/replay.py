"""Replay: what the archives hold goes once more to one stage, and to no other. The same on AWS and locally.

EventBridge's own replay can neither count nor choose. So it is asked to replay for one rule alone, which collects the
events in a queue of the platform; here they are taken into a file, counted and chosen from, and then sent to the
functions' queues. They carry `replay-name`, by which handlers tell them from news (shared/contracts/messages.py).

What people decided goes along (ops/mend/collected.py), and is sent first.

Nothing of it harms by repetition. What an interrupted replay left in the queue is thrown away by the next one: names of
replays are ordered by time, and every event carries its own.
"""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from ops.mend.collected import Archive, ArchivedEvent, CollectedEvents, Plan, Window
from ops.reach import queues
from ops.reach.cards import fed_functions
from ops.reach.errors import Failed
from ops.reach.target import Target
from shared.contracts import naming
from shared.contracts.card import Queue
from shared.contracts.keys import RaceRef

ARCHIVED_AFTER_MINUTES = 10
"""EventBridge on AWS: an event may take so long until it is in the archive."""

_UNDER_WAY = ("STARTING", "RUNNING")
_DONE = "COMPLETED"
_HIDDEN_SECONDS = 60
_SETTLE_SECONDS = 20.0  # on AWS: so long nothing may come any more before it was all


# --- when ---------------------------------------------------------------------------------------------


def moment(text: str) -> datetime:
    """An ISO 8601 time; without a zone it is this machine's. Raises Failed."""
    try:
        return datetime.fromisoformat(text).astimezone()
    except ValueError:
        raise Failed(f"'{text}' is no time. Write it like 2026-10-25T09:00 or 2026-10-25T09:00+09:00.") from None


def plan(
    target: Target,
    stage: str,
    function: str | None = None,
    *,
    begin: datetime | None = None,
    end: datetime | None = None,
    race: RaceRef | None = None,
    now: datetime,
) -> Plan:
    """What to replay; without `begin` from the archives' own begin, without `end` until now. Raises Failed."""
    meant = fed_functions(stage, function)
    queued = tuple(each for each in meant if isinstance(each.fed_by, Queue))
    left_out = tuple(each for each in meant if each.hears and each not in queued)
    made = Plan(stage, queued, Window(now, now), now, race, left_out)
    if left_out and not queued:
        raise Failed(not_replayed(made))
    if not made.archives:
        raise Failed(f"The stage '{stage}' hears nothing that is archived.")
    oldest = min(_describe(target, archive)["CreationTime"] for archive in made.archives)
    # Events are dated by the second, archives more exactly.
    window = Window((begin or oldest).astimezone(UTC).replace(microsecond=0), min(end or now, now).astimezone(UTC))
    if window.begin >= window.end:
        raise Failed("--from must be earlier than --to, and in the past.")
    return replace(made, window=window)


def not_replayed(plan: Plan) -> str:
    """Which functions get nothing, and why, as a sentence."""
    names = ", ".join(f"{plan.stage}.{function.name}" for function in plan.left_out)
    return f"A replay cannot send to a stream yet, so nothing is sent to {names}."


def _describe(target: Target, archive: Archive) -> Any:
    return target.client("events").describe_archive(ArchiveName=archive.name(target.env))


# --- collecting ---------------------------------------------------------------------------------------


def collect(
    target: Target,
    wanted: Plan,
    events: CollectedEvents,
    *,
    progress: Callable[[int], None] = lambda _received: None,
    settle_s: float | None = None,
) -> None:
    """Have the archives replayed into the platform's queue and add what the plan wants to `events`.

    Whatever interrupts it, the replays at EventBridge are cancelled. Raises Failed when EventBridge gives up, or when
    another `snaprace replay` has begun meanwhile: there is one queue, and the last one has it.
    """
    client = target.client("events")
    prefix = naming.replay_prefix(target.env)
    batch = f"{prefix}{datetime.now(UTC):%Y%m%dT%H%M%S%fZ}"
    for name in _under_way(client, prefix):
        _cancel(client, name)
    started = []
    try:
        for archive in wanted.archives:
            name = f"{batch}-{archive.kind}"
            started.append(name)
            _start(target, archive, name, Window(wanted.window.begin, wanted.now))
        if settle_s is None:
            settle_s = 0.0 if target.local else _SETTLE_SECONDS
        _drain(target, batch, started, wanted, events, progress, settle_s)
        events.leave_out_what_does_not_go_along(wanted)
    except BaseException:
        for name in started:
            _cancel(client, name)
        raise


def _under_way(client: Any, prefix: str) -> Iterator[str]:
    request: dict[str, Any] = {"NamePrefix": prefix}
    while True:
        answer = client.list_replays(**request)
        yield from (each["ReplayName"] for each in answer["Replays"] if each["State"] in _UNDER_WAY)
        if "NextToken" not in answer:
            return
        request["NextToken"] = answer["NextToken"]


def _cancel(client: Any, name: str) -> None:
    """Cancel a replay, if it can be: one that is over, or has not begun, needs it not."""
    from botocore.exceptions import ClientError

    with contextlib.suppress(ClientError):
        client.cancel_replay(ReplayName=name)


def _start(target: Target, archive: Archive, name: str, window: Window) -> None:
    client = target.client("events")
    described = _describe(target, archive)
    rule = client.describe_rule(Name=naming.replay_rule(target.env), EventBusName=archive.bus(target.env))
    client.start_replay(
        ReplayName=name,
        EventSourceArn=described["ArchiveArn"],
        EventStartTime=window.begin,
        EventEndTime=window.end,
        Destination={"Arn": described["EventSourceArn"], "FilterArns": [rule["Arn"]]},
    )


def _drain(
    target: Target,
    batch: str,
    started: Sequence[str],
    wanted: Plan,
    events: CollectedEvents,
    progress: Callable[[int], None],
    settle_s: float,
) -> None:
    """Empty the queue until all replays have ended and nothing has come for a while."""
    client = target.client("sqs")
    url = queues.url_of(client, naming.replay_queue(target.env))
    received, quiet_since = 0, time.monotonic()
    over = False
    while True:
        collected = queues.receive(client, url, hidden_s=_HIDDEN_SECONDS)
        if not collected:
            if over and time.monotonic() - quiet_since >= settle_s:
                return
            # Asked where nothing came, so once in the second of a wait; and then the queue again, or the last
            # events could have come in between.
            over = over or _over(target, started)
            continue
        quiet_since = time.monotonic()
        names = [_replay_name(message["Body"]) for message in collected]
        if any(name > batch and name not in started for name in names):
            queues.release(client, url, collected)
            raise Failed("Another snaprace replay has begun meanwhile; nothing was sent. Run this one again after it.")
        for name, message in zip(names, collected, strict=True):
            if name in started:
                events.add(wanted, message["Body"])
                received += 1
        queues.delete(client, url, collected)
        progress(received)


def _over(target: Target, started: Sequence[str]) -> bool:
    states = {}
    for name in started:
        replay = target.client("events").describe_replay(ReplayName=name)
        states[name] = replay["State"]
        if replay["State"] not in (*_UNDER_WAY, _DONE):
            why = replay.get("StateReason") or f"it is {replay['State'].lower()}"
            raise Failed(f"EventBridge did not replay the archive ({why.rstrip('.')}); nothing was sent. Try again.")
    return set(states.values()) == {_DONE}


def _replay_name(body: str) -> str:
    """The name of the replay that a collected event is of; "", older than all, for what is no event."""
    try:
        return str(json.loads(body)["replay-name"])
    except (ValueError, KeyError, TypeError):
        return ""


# --- sending ------------------------------------------------------------------------------------------


def send(
    target: Target,
    wanted: Plan,
    events: CollectedEvents,
    chosen: Sequence[ArchivedEvent],
    *,
    rate: float,
    progress: Callable[[int], None] = lambda _sent: None,
) -> None:
    """Send events to the queues of the functions that hear them, `rate` a second.

    What people decided comes first: a photo that was deleted is then not even looked at again. The rest comes in the
    order it happened.
    """
    client = target.client("sqs")
    urls = {
        function.name: queues.url_of(client, naming.queue(target.env, wanted.stage, function.name))
        for function in wanted.functions
    }
    waiting: dict[str, list[queues.Message]] = {name: [] for name in urls}
    pace = queues.Pace(rate)
    sent = 0

    def flush(name: str) -> None:
        nonlocal sent
        if batch := waiting[name]:
            queues.send(client, urls[name], batch)
            sent += len(batch)
            waiting[name] = []
            progress(sent)
            pace.after(len(batch))

    ordered = sorted(chosen, key=lambda event: (not event.decision, event.at))
    for event, body in zip(ordered, events.bodies(ordered), strict=True):
        for name in event.functions:
            waiting[name].append({"Body": body})
            if len(waiting[name]) == queues.MOST_AT_ONCE:
                flush(name)
    for name in urls:
        flush(name)
