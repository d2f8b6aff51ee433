"""The archived events of a replay: which of them functions of a stage hear, each once, with their bodies in a file.

What people decided goes along: when events of a part of time are replayed, later deletions, settings, rosters and
corrections about the same photos and races are, too. So nothing is shown or looked at again that was deleted since, nor
faces in a race that has switched them off, also where the stage has lost its table.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

from ops.look.about import About, about
from shared.contracts import messages, naming
from shared.contracts.card import Function
from shared.contracts.errors import InvalidKey, InvalidMessage
from shared.contracts.events import BibCorrected, Envelope, MatchCut, PhotoWithdrawn, RaceConfigured, RosterImported
from shared.contracts.keys import RACE_FILE, ROSTER_FILE, KeyKind, RaceRef, parse_key
from shared.contracts.messages import Message, ObjectCreated, ObjectDeleted
from shared.contracts.rules import S3, UPLOADS


class Window(NamedTuple):
    """From when to when, both included."""

    begin: datetime
    end: datetime


@dataclass(frozen=True)
class Archive:
    """One of the two archives: its name, and the bus whose events it keeps, by environment."""

    kind: str
    name: Callable[[str], str]
    bus: Callable[[str], str]


_UPLOADS = Archive("uploads", naming.uploads_archive, lambda _env: "default")
_EVENTS = Archive("events", naming.events_archive, naming.bus)


@dataclass(frozen=True)
class Plan:
    """What to replay: for functions of one stage, the archived events of a time and perhaps of one race.

    Until `now` what people decided goes along. `left_out` are functions that hear such events, too, but through a
    stream, to which nothing can be sent yet.
    """

    stage: str
    functions: tuple[Function, ...]
    window: Window
    now: datetime
    race: RaceRef | None = None
    left_out: tuple[Function, ...] = ()

    @property
    def archives(self) -> tuple[Archive, ...]:
        """The archives with what these functions hear."""
        uploads = any(function.uploads for function in self.functions)
        said = any(function.hears for function in self.functions)
        return (*((_UPLOADS,) if uploads else ()), *((_EVENTS,) if said else ()))


@dataclass(frozen=True)
class ArchivedEvent:
    """An archived event that functions of the stage hear; its body begins at `offset` in the file."""

    at: datetime
    about: About
    decision: bool
    functions: tuple[str, ...]
    offset: int


@dataclass
class CollectedEvents:
    """What came of an archive: bodies in a file, the rest in memory; each event once, however often it came."""

    path: Path
    events: list[ArchivedEvent] = field(default_factory=list)
    unreadable: int = 0
    _known: set[tuple[Any, ...]] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.path.touch()

    def add(self, plan: Plan, body: str) -> None:
        """Keep the event if a function of the plan hears it, and it is of the plan's race and time, or may go along.

        Older archives hold all that S3 told of the bucket. What no function can hear of it is passed over; it is not
        `unreadable`.
        """
        try:
            event = json.loads(body)
            if event["source"] == S3 and event["detail-type"] not in UPLOADS.detail_types:
                return
            message = messages.parse(body)
        except (ValueError, KeyError, TypeError, InvalidMessage):
            self.unreadable += 1
            return
        functions = tuple(function.name for function in plan.functions if function.brought(event))
        identity = _identity(message)
        if not functions or identity in self._known:
            return
        at, concerns, decision = datetime.fromisoformat(event["time"]), about(message), _decides(message)
        until = plan.now if decision else plan.window.end
        if not plan.window.begin <= at <= until or plan.race not in (None, concerns.race):
            return
        self._known.add(identity)
        with self.path.open("ab") as file:
            offset = file.tell()
            file.write(body.replace("\n", " ").encode() + b"\n")
        self.events.append(ArchivedEvent(at, concerns, decision, functions, offset))

    def leave_out_what_does_not_go_along(self, plan: Plan) -> None:
        """Of what came after the plan's time keep only what is about the same photos, keys or races."""
        within = [event for event in self.events if event.at <= plan.window.end]
        subjects = {subject for event in within for subject in event.about.subjects}
        subjects |= {subject for race in {event.about.race for event in within} if race for subject in _of_race(race)}
        self.events = [event for event in self.events if event.at <= plan.window.end or event.about.subjects & subjects]

    def bodies(self, chosen: Sequence[ArchivedEvent]) -> Iterator[str]:
        """The bodies of events, one after the other."""
        with self.path.open("rb") as file:
            for event in chosen:
                file.seek(event.offset)
                yield file.readline().decode().rstrip("\n")

    def messages(self, chosen: Sequence[ArchivedEvent]) -> Iterator[Message]:
        """The same events, read as the functions would read them."""
        return map(messages.parse, self.bodies(chosen))


def _decides(message: Message) -> bool:
    """Whether a person decided something that holds until somebody decides otherwise."""
    match message:
        case ObjectDeleted():
            return True
        case ObjectCreated(key=key):
            return _is_race_file(key)
        case Envelope(data=PhotoWithdrawn() | RaceConfigured() | RosterImported() | BibCorrected() | MatchCut()):
            return True
        case _:
            return False


def _is_race_file(key: str) -> bool:
    """Whether it is a race's settings or its roster."""
    try:
        return parse_key(key).kind in (KeyKind.RACE_FILE, KeyKind.ROSTER_FILE)
    except InvalidKey:
        return False


def _of_race(race: RaceRef) -> Iterator[str]:
    """What a decision about the whole race is about (ops.look.about)."""
    for event in (RaceConfigured, RosterImported):
        yield f"{event.__name__} {race}"
    for file in (RACE_FILE, ROSTER_FILE):
        yield f"{race.prefix}{file}"


def _identity(message: Message) -> tuple[Any, ...]:
    """What is the same in every delivery of one event, and in no other event."""
    match message:
        case ObjectCreated(key=key, sequencer=sequencer, version_id=version):
            return "created", key, sequencer, version
        case ObjectDeleted(key=key, sequencer=sequencer, erased_version=version):
            return "deleted", key, sequencer, version
        case _:
            return (message.meta.id,)
