"""`snaprace dlq` and `snaprace redrive`: what was given up and why, and its way back.

Mutations that were tried, each of which a test here notices: deleted before it is sent; the letter's receipt not
released after a look; the rules' letters sent to the first function; what dies again moved again; reasons looked for in
another function's log; a stray deleted; asked without a wait; empty queues asked; what stays not hidden for longer; all
of the rules' letters counted for one function; what did not come not missed.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from moto.sqs import models as sqs_models

from ops.cli.recovery import show_letters, show_redrive
from ops.look.dead_letters import Contents, contents, letters, with_reasons
from ops.mend.redrive import Redriven, redrive, waiting
from ops.reach import queues
from ops.reach.errors import Failed
from ops.reach.target import Target
from shared.contracts import naming, redelivery
from tests.kit import mending
from tests.kit.deployed import ENV
from tests.kit.events import RACE, as_body, ingested
from tests.kit.mending import Died, Tokenless, bodies, notified, send

READ, READ_DLQ = naming.queue(ENV, "ocr", "read"), naming.dead_letter_queue(ENV, "ocr", "read")
INDEX, IDENTITY = naming.queue(ENV, "faces", "index"), naming.queue(ENV, "faces", "identity")
FACES_RULES = naming.rule_dead_letter_queue(ENV, "faces")
KEY = f"{RACE.prefix}raw_photos/결승 1.jpg"


@pytest.fixture
def target(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Target]:
    with mending.everything(monkeypatch, tmp_path / "home") as target:
        yield target


def failed(target: Target, stage: str, function: str, message_id: str, reason: str, words: str) -> None:
    """The line that a function writes when it fails on a message."""
    line = {
        "message": "message failed",
        "message_id": message_id,
        "reason": reason,
        "exception": f'Traceback (most recent call last):\n  File "x"\nsomewhere.{reason}: {words}',
    }
    now = int(datetime.now(UTC).timestamp() * 1000)
    target.client("logs").put_log_events(
        logGroupName=mending.log_group(stage, function),
        logStreamName="s",
        logEvents=[
            {"timestamp": now, "message": "message failed, says somebody in plain words"},
            {"timestamp": now, "message": json.dumps(line)},
        ],
    )


def all_letters(target: Target, stage: str | None = None) -> list[tuple[str, str, str]]:
    return [(each.what, each.reason, each.error) for each in with_reasons(target, letters(target, stage))]


# --- what is in it --------------------------------------------------------------------------------------


def test_a_letter_says_what_it_is_about_and_its_functions_log_says_why(target: Target) -> None:
    photo = send(target, READ_DLQ, as_body(ingested("p1")))
    failed(target, "ocr", "read", photo, "ThrottlingException", "Rate exceeded: try later")
    failed(target, "faces", "index", photo, "Another", "function failed on a message of that id")
    upload = send(target, naming.dead_letter_queue(ENV, "ingest", "intake"), notified(KEY))
    failed(target, "ingest", "intake", upload, "ClientError", "the first time")
    failed(target, "ingest", "intake", upload, "ClientError", "the last time")
    send(target, READ_DLQ, "what is this?")
    found = with_reasons(target, letters(target))
    assert [(each.what, each.photo_id, each.key) for each in found] == [
        ("PhotoIngested", "p1", None),
        ("Object Created", None, KEY),
        ("not readable", None, None),
    ], "the oldest first"
    assert [(each.reason, each.error) for each in found] == [
        ("ThrottlingException", "Rate exceeded: try later"),
        ("ClientError", "the last time"),
        ("unknown", "its function was ended before it could say why: too little time or memory, or it did not start"),
    ]
    assert [each.what for each in letters(target, "ingest")] == ["Object Created"]


def test_eventbridge_says_itself_why_it_could_not_deliver(target: Target) -> None:
    told = {"ERROR_CODE": "NO_PERMISSIONS", "ERROR_MESSAGE": "Not allowed.", "TARGET_ARN": mending.arn_of(IDENTITY)}
    send(target, FACES_RULES, as_body(ingested("p1")), **told)
    assert all_letters(target) == [("PhotoIngested", "NO_PERMISSIONS", f"Not allowed, to {IDENTITY}")]


GIVEN_UP = {
    redelivery.REASON: "InvalidMessage",
    redelivery.ERROR: "No such race.",
    redelivery.MESSAGE_ID: "as it was",
    redelivery.SENT_AT: "1761350400000",
    redelivery.RECEIVES: "5",
}


def test_a_worker_says_itself_why_it_gave_a_message_up(target: Target) -> None:
    send(target, READ_DLQ, as_body(ingested("p1")), **GIVEN_UP)
    (letter,) = with_reasons(target, letters(target))
    assert (letter.reason, letter.error, letter.message_id) == ("InvalidMessage", "No such race.", "as it was")
    assert (letter.sent_at, letter.received) == (datetime(2025, 10, 25, tzinfo=UTC), 5)


def test_what_a_worker_gave_up_goes_back_as_it_came(target: Target) -> None:
    send(target, READ_DLQ, as_body(ingested("p1")), **GIVEN_UP)
    assert back(target, "ocr").by_queue == {READ: 1}
    (arrived,) = mending.take_all(target, READ)
    assert "MessageAttributes" not in arrived


def test_looking_takes_nothing_out(target: Target) -> None:
    for number in range(25):
        send(target, READ_DLQ, as_body(ingested(f"p{number}")))
    assert len(letters(target)) == 25
    assert len(bodies(target, READ_DLQ)) == 25, "and they can be received at once"


def test_queues_with_something_in_them_are_waited_for_and_the_others_not_asked(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    asked: list[str] = []

    def as_on_aws(queue: str, wait_s: int) -> bool:
        asked.append(queue)
        return wait_s > 0  # without a wait a queue with few messages often says that it has none

    with (
        mending.everything(monkeypatch, tmp_path / "home", waits=True) as target,
        mending.asked_for_messages(target, as_on_aws),
    ):
        send(target, READ_DLQ, as_body(ingested("p1")))
        assert len(letters(target)) == 1
        assert back(target, "ocr").moved == 1
    assert set(asked) == {READ_DLQ}


def test_it_is_shown_by_reason_with_the_photo(target: Target, capsys: pytest.CaptureFixture[str]) -> None:
    for number in range(12):
        photo = send(target, READ_DLQ, as_body(ingested(f"p{number}")))
        failed(target, "ocr", "read", photo, "Throttled", "[slow] down")
    send(target, READ_DLQ, notified(KEY))
    found, now = contents(target), datetime.now(UTC)
    show_letters(found, now, as_json=False)
    shown = capsys.readouterr().out
    for words in (f"12 letters in {READ_DLQ}", "Throttled", "[slow] down", "p0", "and 2 more", "결승 1.jpg"):
        assert words in shown
    show_letters(found, now, as_json=True)
    told = json.loads(capsys.readouterr().out)
    assert (told["dead_letters"], told["not_shown"]) == (13, 0)
    throttled, unknown = told["groups"]
    assert (throttled["queue"], throttled["reason"], len(throttled["letters"])) == (READ_DLQ, "Throttled", 12)
    assert (unknown["reason"], unknown["letters"][0]["key"]) == ("unknown", KEY)
    show_letters(Contents(letters=()), now, as_json=False)
    assert "There are no dead letters" in capsys.readouterr().err


def test_letters_beyond_those_that_are_looked_at_are_said_not_to_be_shown(
    target: Target, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(queues, "MOST_PEEKED", 10)
    for number in range(23):
        send(target, READ_DLQ, as_body(ingested(f"p{number}")))
    found, now = contents(target), datetime.now(UTC)
    assert (len(found.letters), found.not_shown) == (10, {READ_DLQ: 13})
    show_letters(found, now, as_json=False)
    assert f"About 13 more in {READ_DLQ} are not shown" in " ".join(capsys.readouterr().err.split())
    show_letters(found, now, as_json=True)
    told = json.loads(capsys.readouterr().out)
    assert (told["dead_letters"], told["not_shown"]) == (10, 13)


def test_reasons_are_found_in_a_log_of_any_length(target: Target) -> None:
    sent = [send(target, READ_DLQ, as_body(ingested(f"p{number}"))) for number in range(5)]
    now = int(datetime.now(UTC).timestamp() * 1000) + 1000
    lines = [
        (now + number // 2, json.dumps({"message": "message failed", "message_id": message_id, "reason": f"E{number}"}))
        for number, message_id in enumerate(sent)
    ]
    target._clients["logs"], real = Tokenless(mending.log_group("ocr", "read"), lines, 3), target.client("logs")
    try:
        found = with_reasons(target, letters(target))
    finally:
        target._clients["logs"] = real
    assert sorted(each.reason for each in found) == ["E0", "E1", "E2", "E3", "E4"]


def test_a_stage_there_is_not_is_told_with_those_there_are(target: Target) -> None:
    with pytest.raises(Failed, match=r"no stage 'oct'. There are: faces, ingest, insight, ocr"):
        letters(target, "oct")
    with pytest.raises(Failed, match=r"no function 'read' with a queue. It has: index, identity"):
        waiting(target, "faces", "read")


# --- the way back ---------------------------------------------------------------------------------------


def back(target: Target, stage: str, function: str | None = None) -> Redriven:
    return redrive(target, waiting(target, stage, function), rate=1_000, function=function)


def test_letters_go_back_to_the_queue_they_came_from(target: Target) -> None:
    sent = [as_body(ingested(f"p{number}")) for number in range(23)]
    for body in sent:
        send(target, READ_DLQ, body)
    send(target, naming.dead_letter_queue(ENV, "ingest", "intake"), notified(KEY))
    assert [(each.queue.name, each.letters) for each in waiting(target, "ocr")] == [(READ_DLQ, 23)]
    steps: list[int] = []
    outcome = redrive(target, waiting(target, "ocr"), rate=1_000, progress=steps.append)
    assert (outcome.moved, outcome.by_queue, steps[-1]) == (23, {READ: 23}, 23)
    assert sorted(bodies(target, READ)) == sorted(sent)
    assert waiting(target, "ocr") == []
    assert len(waiting(target, "ingest")) == 1, "another stage's stay"


def test_events_that_could_not_be_delivered_go_to_the_queue_they_were_for(target: Target) -> None:
    for photo, queue in (("p1", INDEX), ("p2", IDENTITY), ("p3", IDENTITY)):
        send(target, FACES_RULES, as_body(ingested(photo)), TARGET_ARN=mending.arn_of(queue), ERROR_CODE="X")
    outcome = back(target, "faces", "identity")
    assert outcome.by_queue == {IDENTITY: 2}
    assert back(target, "faces").by_queue == {INDEX: 1}
    arrived = mending.take_all(target, IDENTITY)
    assert sorted(message["Body"] for message in arrived) == sorted(as_body(ingested(p)) for p in ("p2", "p3"))
    assert not any("MessageAttributes" in message for message in arrived), "as EventBridge would have sent them"


def test_what_does_not_say_where_it_belongs_stays(target: Target) -> None:
    send(target, FACES_RULES, "by hand")
    send(target, FACES_RULES, "elsewhere", TARGET_ARN=mending.arn_of(READ))
    outcome = back(target, "faces")
    assert (outcome.moved, outcome.strays) == (0, 2)
    assert sorted(bodies(target, FACES_RULES)) == ["by hand", "elsewhere"]


def test_what_stays_does_not_come_again_before_the_others(target: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    for photo, queue in [(f"p{number}", INDEX) for number in range(15)] + [
        (f"q{number}", IDENTITY) for number in "abc"
    ]:
        send(target, FACES_RULES, as_body(ingested(photo)), TARGET_ARN=mending.arn_of(queue))
    (found,) = waiting(target, "faces", "identity")
    assert (found.letters, found.more) == (3, False), "the others are not counted"
    late, now = 0, sqs_models.unix_time_millis
    monkeypatch.setattr(sqs_models, "unix_time_millis", lambda: now() + late)

    def a_minute_passes(_queue: str, _wait_s: int) -> bool:
        nonlocal late
        late += 61_000
        assert late < 600_000, "it goes on for ever"
        return True

    with mending.asked_for_messages(target, a_minute_passes):
        assert redrive(target, [found], rate=1_000, function="identity").by_queue == {IDENTITY: 3}
    assert len(bodies(target, FACES_RULES)) == 15, "and can be received at once"


def test_letters_that_were_counted_and_did_not_come_are_missed(
    target: Target, capsys: pytest.CaptureFixture[str]
) -> None:
    for number in range(3):
        send(target, READ_DLQ, as_body(ingested(f"p{number}")))
    target.client("sqs").receive_message(QueueUrl=mending.url_of(target, READ_DLQ), VisibilityTimeout=300)
    assert show_redrive(target, "ocr", None, rate=1_000, yes=True, as_json=True) == 1
    said = capsys.readouterr()
    told = json.loads(said.out)
    assert told == {"moved": 2, "by_queue": {READ: 2}, "by_stream": {}, "strays": 0, "expired": 0, "missing": 1}
    assert "1 letter did not come" in said.err
    send(target, FACES_RULES, "by hand")
    assert show_redrive(target, "faces", None, rate=1_000, yes=True, as_json=False) == 0, "left on purpose"
    assert show_redrive(target, "faces", "index", rate=1_000, yes=True, as_json=False) == 0
    assert "The function 'index' of the stage 'faces' has no dead letters." in capsys.readouterr().err


@pytest.mark.parametrize("moment", ["SendMessageBatch", "DeleteMessageBatch"])
def test_whenever_it_dies_a_letter_is_there_twice_rather_than_not_at_all(moment: str, target: Target) -> None:
    body = as_body(ingested("p1"))
    send(target, READ_DLQ, body)

    def die() -> None:
        raise Died

    with mending.before(target, f"sqs.{moment}", die), pytest.raises(Died):
        back(target, "ocr")
    (left,) = waiting(target, "ocr")
    assert left.letters == 1
    assert bodies(target, READ) == ([body] if moment == "DeleteMessageBatch" else [])


def test_what_dies_again_meanwhile_is_not_moved_again(target: Target) -> None:
    send(target, READ_DLQ, as_body(ingested("p1")))
    deaths = iter(["died again"])

    def die_again() -> None:
        for body in deaths:
            send(target, READ_DLQ, body)

    with mending.before(target, "sqs.DeleteMessageBatch", die_again):
        assert back(target, "ocr").moved == 1
    assert bodies(target, READ_DLQ) == ["died again"]


def test_what_sqs_refuses_for_a_moment_is_sent_again(target: Target) -> None:
    for number in range(3):
        send(target, READ_DLQ, as_body(ingested(f"p{number}")))
    refusals = iter([{"Failed": [{"Id": "1", "Code": "InternalError", "SenderFault": False}], "Successful": []}])
    with mending.before(target, "sqs.SendMessageBatch", lambda: next(refusals, None)):
        assert back(target, "ocr").moved == 3
    # The mock took all three before the answer was replaced; only the one that was refused came once more.
    assert len(bodies(target, READ)) == 4
