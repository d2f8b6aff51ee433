"""Dead letters: what is in the dead-letter queues, what each is about, and why it was given up.

A queue does not say why a message failed. The function that failed on it does, in its log, where the message's id
stands beside the reason; a message keeps its id when it becomes a dead letter. EventBridge writes its reason on the
letter itself.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from ops.look.about import about_of
from ops.reach import sqs
from ops.reach.cards import queued_functions, stage_names
from ops.reach.target import Target
from shared.contracts import naming
from shared.contracts.keys import RAW_PHOTOS

NOT_LOGGED = "unknown"
_NOT_LOGGED_BECAUSE = "its function was ended before it could say why: too little time or memory, or it did not start"


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """A dead-letter queue: of a function's queue, or (`function` is None) of a stage's rules."""

    queue: str
    stage: str
    function: str | None = None


class Letter(msgspec.Struct, frozen=True, kw_only=True):
    """One dead letter. `sent_at` is when its message was first sent, `received` how often it was tried or looked at.

    `key` and `photo_id` are what it is about, as far as it says; `what` is its kind, e.g. PhotoIngested. `reason` is a
    type of error or a code, `error` the sentence with it. `target` is the queue EventBridge could not deliver to;
    `subjects` are as in ops.look.about.
    """

    place: Place
    message_id: str
    what: str
    key: str | None
    photo_id: str | None
    sent_at: datetime
    received: int
    subjects: frozenset[str]
    reason: str = NOT_LOGGED
    error: str = _NOT_LOGGED_BECAUSE
    target: str | None = None


def places(env: str, stage: str | None = None, function: str | None = None) -> list[Place]:
    """The dead-letter queues of a stage, or of all; of one function with that of the rules, which may have its events.

    Raises Failed for a stage or function there is not.
    """
    found = []
    for name in [stage] if stage else stage_names():
        queued = queued_functions(name, function)
        found += [
            Place(queue=naming.dead_letter_queue(env, name, each.name), stage=name, function=each.name)
            for each in queued
        ]
        if queued:
            found.append(Place(queue=naming.rule_dead_letter_queue(env, name), stage=name))
    return found


def letters(target: Target, stage: str | None = None) -> list[Letter]:
    """The dead letters of a stage (or of all), the oldest first, without what functions logged about them.

    At most 1,000 of each queue. Raises Failed for a stage there is not.
    """
    found = [letter for place in places(target.env, stage) for letter in letters_in(target, place)]
    return sorted(found, key=lambda letter: letter.sent_at)


def letters_in(target: Target, place: Place) -> Iterator[Letter]:
    """The dead letters of one queue. EventBridge's say their reason themselves."""
    client = target.client("sqs")
    url = sqs.url_of(client, place.queue)
    if not sqs.depth(client, url):
        return
    for message in sqs.peek(client, url):
        about = about_of(message["Body"])
        attributes = message["Attributes"]
        letter = Letter(
            place=place,
            message_id=message["MessageId"],
            what=about.what,
            key=about.key,
            photo_id=about.photo_id,
            sent_at=datetime.fromtimestamp(int(attributes["SentTimestamp"]) / 1000, UTC),
            received=int(attributes["ApproximateReceiveCount"]),
            subjects=about.subjects,
        )
        yield letter if place.function else _undelivered(letter, message)


def _undelivered(letter: Letter, message: dict[str, Any]) -> Letter:
    said = {name: str(value.get("StringValue", "")) for name, value in message.get("MessageAttributes", {}).items()}
    goal = said.get("TARGET_ARN")
    error = said.get("ERROR_MESSAGE") or "EventBridge could not deliver it"
    return msgspec.structs.replace(
        letter,
        reason=said.get("ERROR_CODE") or NOT_LOGGED,
        error=f"{error.rstrip('.')}, to {sqs.name_of(goal)}" if goal else error,
        target=goal,
    )


def with_reasons(target: Target, found: Sequence[Letter]) -> list[Letter]:
    """The same letters, those of functions with the reason that their functions logged, the last one if several."""
    unexplained: dict[tuple[str, str], list[Letter]] = {}
    for letter in found:
        if letter.place.function:
            unexplained.setdefault((letter.place.stage, letter.place.function), []).append(letter)
    reasons: dict[str, tuple[str, str]] = {}
    for (stage, function), theirs in unexplained.items():
        group = f"/aws/lambda/{naming.function(target.env, stage, function)}"
        reasons |= _logged_reasons(target, group, min(letter.sent_at for letter in theirs))
    return [
        msgspec.structs.replace(letter, reason=reasons[letter.message_id][0], error=reasons[letter.message_id][1])
        if letter.message_id in reasons
        else letter
        for letter in found
    ]


def _logged_reasons(target: Target, group: str, since: datetime) -> dict[str, tuple[str, str]]:
    """Why messages failed, by message id: what the function logged since the oldest letter was sent."""
    client = target.client("logs")
    reasons: dict[str, tuple[str, str]] = {}
    pages = client.get_paginator("filter_log_events").paginate(
        logGroupName=group, filterPattern='"message failed"', startTime=int(since.timestamp() * 1000)
    )
    with contextlib.suppress(client.exceptions.ResourceNotFoundException):
        for event in (event for page in pages for event in page["events"]):
            if line := _failure(event["message"]):
                reasons[line["message_id"]] = (str(line.get("reason", NOT_LOGGED)), _sentence(line))
    return reasons


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


def as_json(found: Sequence[Letter], now: datetime) -> str:
    """Dead letters for programs: groups of one queue and one reason, the group with the oldest letter first."""
    groups = [
        {
            "queue": place.queue,
            "stage": place.stage,
            "function": place.function,
            "reason": reason,
            "letters": [_letter(letter, now) for letter in theirs],
        }
        for (place, reason), theirs in grouped(found)
    ]
    return json.dumps({"dead_letters": len(found), "groups": groups}, ensure_ascii=False, indent=2)


def grouped(found: Sequence[Letter]) -> list[tuple[tuple[Place, str], list[Letter]]]:
    """Letters of the same queue and reason together; letters and groups in the order they are given."""
    groups: dict[tuple[str, str], list[Letter]] = {}
    for letter in found:
        groups.setdefault((letter.place.queue, letter.reason), []).append(letter)
    return [((theirs[0].place, reason), theirs) for (_, reason), theirs in groups.items()]


def _letter(letter: Letter, now: datetime) -> dict[str, Any]:
    return {
        "message_id": letter.message_id,
        "what": letter.what,
        "key": letter.key,
        "photo_id": letter.photo_id,
        "error": letter.error,
        "sent_at": letter.sent_at.isoformat(timespec="seconds"),
        "seconds": round((now - letter.sent_at).total_seconds()),
        "received": letter.received,
    }


def filename(letter: Letter) -> str:
    """What a person calls the thing the letter is about: a photo's file, a race's file, or the photo's id."""
    key = letter.key or ""
    if f"/{RAW_PHOTOS}/" in key:
        return key.rsplit("/", 1)[-1]
    return letter.photo_id or key or "?"
