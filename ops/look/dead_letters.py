"""Dead letters: what is in the dead-letter queues, what each is about, and why it was given up.

A queue does not say why a message failed. The worker that gave it up writes the reason on the letter. Where the queue
gave it up, the function that failed on it says why in its log, where the message's id stands beside the reason; a
message keeps its id then. EventBridge writes its reason on the letter, too, and so does Lambda where a stream or a
schedule feeds the function.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Literal

import msgspec
from msgspec.structs import asdict

from ops.look import invocations, set_aside
from ops.look.about import NOT_READABLE, About, about_of
from ops.look.invocations import StreamRange
from ops.reach import logs, queues
from ops.reach.cards import fed_functions, stage_names
from ops.reach.target import Target
from ops.reach.words import some_of, to_json
from shared.contracts import naming, redelivery
from shared.contracts.card import Feed, Queue, Schedule, Stream
from shared.contracts.keys import RAW_PHOTOS

NOT_LOGGED = "unknown"
_NOT_LOGGED_BECAUSE = "its function was ended before it could say why: too little time or memory, or it did not start"

Holds = Literal["messages", "records", "calls", "events"]
_HOLDS: dict[type[Feed], Holds] = {Queue: "messages", Stream: "records", Schedule: "calls"}


class DeadLetterQueue(msgspec.Struct, frozen=True, kw_only=True):
    """A dead-letter queue: of a function, or (`function` is None) of a stage's rules.

    `holds` is what the letters are: messages of the function's queue; records of its stream, as they are or (what
    Lambda tells) their place in it; calls by its schedule, as Lambda tells of them; events that EventBridge could not
    deliver.
    """

    name: str
    stage: str
    function: str | None
    holds: Holds


class Letter(About, frozen=True, kw_only=True):
    """One dead letter. `sent_at` is when what it is about was first sent, `received` how often it was tried or read.

    `reason` is a type of error or a code, `error` the sentence with it. `target` is what EventBridge could not deliver
    to (an ARN), `range` the records of a stream that were given up, `record` one that a worker set aside: as text, or
    as `encoding` says.
    """

    queue: DeadLetterQueue
    message_id: str
    sent_at: datetime
    received: int
    reason: str = NOT_LOGGED
    error: str = _NOT_LOGGED_BECAUSE
    target: str | None = None
    range: StreamRange | None = None
    record: str | None = None
    encoding: str | None = None


class Contents(msgspec.Struct, frozen=True, kw_only=True):
    """What is in dead-letter queues: the letters, the oldest first, and by queue about how many more there are.

    Those are beyond the most that is looked at of a queue, or somebody else is just looking at them.
    """

    letters: tuple[Letter, ...]
    not_shown: dict[str, int] = {}


def queues_of(env: str, stage: str | None = None, function: str | None = None) -> list[DeadLetterQueue]:
    """The dead-letter queues of a stage, or of all; of one function with that of the rules, which may have its events.

    Raises Failed for a stage or function there is not.
    """
    found = []
    for name in [stage] if stage else stage_names():
        functions = fed_functions(name, function)
        found += [
            DeadLetterQueue(
                name=naming.dead_letter_queue(env, name, each.name),
                stage=name,
                function=each.name,
                holds=_HOLDS[type(each.fed_by)],
            )
            for each in functions
        ]
        if functions:
            rules = naming.rule_dead_letter_queue(env, name)
            found.append(DeadLetterQueue(name=rules, stage=name, function=None, holds="events"))
    return found


def contents(target: Target, stage: str | None = None, *, explained: bool = True) -> Contents:
    """The dead letters of a stage (or of all), at most 1,000 of each queue; `explained` by what their functions logged.

    Raises Failed for a stage there is not.
    """
    found: list[Letter] = []
    not_shown = {}
    for queue in queues_of(target.env, stage):
        theirs, depth = look_into(target, queue)
        if depth > len(theirs):
            not_shown[queue.name] = depth - len(theirs)
        found += theirs
    found.sort(key=lambda letter: letter.sent_at)
    return Contents(letters=tuple(with_reasons(target, found) if explained else found), not_shown=not_shown)


def letters(target: Target, stage: str | None = None) -> list[Letter]:
    """The same letters without what functions logged about them."""
    return list(contents(target, stage, explained=False).letters)


def look_into(target: Target, queue: DeadLetterQueue) -> tuple[list[Letter], int]:
    """The dead letters of one queue, at most 1,000, and how many there are in all, about."""
    client = target.client("sqs")
    url = queues.url_of(client, queue.name)
    depth = queues.depth(client, url)
    return [_letter_of(queue, message) for message in queues.peek(client, url)] if depth else [], depth


def _letter_of(queue: DeadLetterQueue, message: queues.Message) -> Letter:
    """A message of the queue. EventBridge's and Lambda's say their reason themselves, and so do a worker's."""
    attributes = message["Attributes"]
    told = {
        **asdict(about_of(message["Body"])),
        "sent_at": datetime.fromtimestamp(int(attributes["SentTimestamp"]) / 1000, UTC),
        "received": int(attributes["ApproximateReceiveCount"]),
    }
    if queue.holds == "events":
        told |= _undelivered(message)
    elif queue.holds == "messages":
        told |= _given_up(message)
    else:
        told |= _set_aside(message) or _given_up_by_lambda(message)
    return Letter(queue=queue, **{"message_id": message["MessageId"], **told})


def _given_up(message: queues.Message) -> dict[str, Any]:
    """What a worker says of a message that it gave up; nothing of one that SQS moved, whose function logged why."""
    said = queues.attributes(message)
    if redelivery.REASON not in said:
        return {}
    return {
        "message_id": said[redelivery.MESSAGE_ID],
        "sent_at": datetime.fromtimestamp(int(said[redelivery.SENT_AT]) / 1000, UTC),
        "received": int(said[redelivery.RECEIVES]),
        "reason": said[redelivery.REASON],
        "error": said[redelivery.ERROR],
    }


def _set_aside(message: queues.Message) -> dict[str, Any]:
    """What a worker says of a stream's record that it set aside, and the record; nothing of another letter."""
    if not set_aside.is_set_aside(message):
        return {}
    about = about_of(set_aside.data(message).decode(errors="replace"))
    return {
        **_given_up(message),
        **asdict(about if about.what != NOT_READABLE else About(what="record")),
        "record": message["Body"],
        "encoding": set_aside.encoding(message),
    }


def _given_up_by_lambda(message: queues.Message) -> dict[str, Any]:
    given_up = invocations.read(message["Body"])
    return {name: value for name, value in asdict(given_up).items() if value is not None} if given_up else {}


def _undelivered(message: queues.Message) -> dict[str, Any]:
    """What EventBridge says of an event that it could not deliver."""
    said = queues.attributes(message)
    goal = said.get("TARGET_ARN")
    error = said.get("ERROR_MESSAGE") or "EventBridge could not deliver it"
    return {
        "reason": said.get("ERROR_CODE") or NOT_LOGGED,
        "error": f"{error.rstrip('.')}, to {queues.name_of(goal)}" if goal else error,
        "target": goal,
    }


def with_reasons(target: Target, found: Sequence[Letter]) -> list[Letter]:
    """The same letters, those of functions with the reason that their functions logged, the last one if several."""
    by_function: dict[tuple[str, str], list[Letter]] = {}
    for letter in found:
        if letter.queue.function:
            by_function.setdefault((letter.queue.stage, letter.queue.function), []).append(letter)
    explained: dict[str, Letter] = {}
    for (stage, function), theirs in by_function.items():
        group = f"/aws/lambda/{naming.function(target.env, stage, function)}"
        logged = _logged_failures(target, group, min(letter.sent_at for letter in theirs))
        for letter in theirs:
            if line := _line_about(letter, logged):
                reason, error = str(line.get("reason", NOT_LOGGED)), _sentence(line)
                explained[letter.message_id] = msgspec.structs.replace(letter, reason=reason, error=error)
    return [explained.get(letter.message_id, letter) for letter in found]


def _logged_failures(target: Target, group: str, since: datetime) -> dict[str, dict[str, Any]]:
    """What the function logged last about each message or record that it failed on, by its id."""
    lines = logs.lines(target.client("logs"), group, '"message failed"', since=since)
    return {line["message_id"]: line for line in map(_failure, lines) if line}


def _line_about(letter: Letter, logged: dict[str, dict[str, Any]]) -> dict[str, Any] | None:
    if letter.range is None:
        return logged.get(letter.message_id)
    return next((line for number, line in logged.items() if letter.range.holds(number)), None)


def _failure(text: str) -> dict[str, Any] | None:
    try:
        line = json.loads(text)
    except ValueError:
        return None
    failed = isinstance(line, dict) and line.get("message") == "message failed" and "message_id" in line
    return line if failed else None


def _sentence(line: dict[str, Any]) -> str:
    """The error's own words: the last line of the traceback, without the error's type."""
    last = str(line.get("exception", "")).strip().splitlines()[-1:]
    name, _, words = last[0].partition(": ") if last else ("", "", "")
    return words or name or "without a word"


# --- for programs -------------------------------------------------------------------------------------


def letters_json(found: Contents, now: datetime) -> str:
    """Dead letters for programs: groups of one queue and one reason, the group with the oldest letter first."""
    groups = [
        {
            "queue": queue.name,
            **some_of(queue, "stage", "function"),
            "reason": reason,
            "letters": [_letter(letter, now) for letter in theirs],
        }
        for (queue, reason), theirs in grouped(found.letters)
    ]
    not_shown = sum(found.not_shown.values())
    return to_json({"dead_letters": len(found.letters), "not_shown": not_shown, "groups": groups})


def grouped(found: Sequence[Letter]) -> list[tuple[tuple[DeadLetterQueue, str], list[Letter]]]:
    """Letters of the same queue and reason together; letters and groups in the order they are given."""
    groups: dict[tuple[DeadLetterQueue, str], list[Letter]] = {}
    for letter in found:
        groups.setdefault((letter.queue, letter.reason), []).append(letter)
    return list(groups.items())


def _letter(letter: Letter, now: datetime) -> dict[str, Any]:
    told = {
        **some_of(letter, "message_id", "what", "key", "photo_id", "error"),
        "sent_at": letter.sent_at.isoformat(timespec="seconds"),
        "seconds": round((now - letter.sent_at).total_seconds()),
        "received": letter.received,
    }
    if letter.record is not None:
        told |= some_of(letter, "record", "encoding")
    return {**told, "range": letter.range} if letter.range else told


def filename(letter: Letter) -> str:
    """What a person calls the thing the letter is about: a photo's file, a race's file, or the photo's id."""
    key = letter.key or ""
    if f"/{RAW_PHOTOS}/" in key:
        return key.rsplit("/", 1)[-1]
    return letter.photo_id or key or "?"
