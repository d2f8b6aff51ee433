"""The commands that mend, on a stage for which nothing was written but its card: fed by a queue, a stream and a clock.

Mutations that were tried, each of which a test here notices: records looked for by another event, or where the event
does not lead there; a stream's letters sent to a queue of its name; their log looked for by the letter's id; since the
letter was sent; what is for a stream or a clock counted as a stray, or as missing.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar

import click
import pytest

import ops.cli.recovery
import ops.look.quiet
import ops.reach.cards
from ops.cli.main import main
from ops.cli.recovery import show_letters, show_redrive, show_replay
from ops.cli.screen import Bar
from ops.look.dead_letters import contents, letters, with_reasons
from ops.mend import replay
from ops.mend.collected import CollectedEvents
from ops.mend.replay_choice import choose
from ops.reach.target import Target
from services import cards
from shared.contracts import naming
from shared.contracts.card import Function, Queue, Schedule, Stage, Stream
from shared.contracts.events import PhotoMatched, RaceConfigured
from shared.contracts.records import Origins, Record
from tests.kit import mending
from tests.kit.deployed import ENV, create_table
from tests.kit.events import RACE, as_body, matched
from tests.kit.mending import bodies, send


class Counted(Record, frozen=True, kw_only=True):
    """A photo that was counted."""

    SORT_KEY: ClassVar[str] = "COUNTED#{photo_id}"
    FROM: ClassVar[Origins] = {PhotoMatched: ("photo_id",)}

    photo_id: str


class Shown(Record, frozen=True, kw_only=True):
    """A runner, to whom no event alone leads."""

    SORT_KEY: ClassVar[str] = "RUNNER#{bib}"
    FROM: ClassVar[Origins] = {PhotoMatched: ("bib",)}

    bib: str


class Opened(Record, frozen=True, kw_only=True):
    """The race."""

    SORT_KEY: ClassVar[str] = "OPENED"
    FROM: ClassVar[Origins] = {RaceConfigured: ("revision",)}

    revision: str


TALLY = Stage(
    name="tally",
    purpose="Counts.",
    functions=(
        Function(
            name="count",
            purpose="Counts.",
            fed_by=Queue(hears=(PhotoMatched, RaceConfigured)),
            keeps=(Counted, Shown, Opened),
        ),
        Function(name="digest", purpose="Sums up.", fed_by=Stream(hears=(PhotoMatched,))),
        Function(name="sweep", purpose="Tidies.", fed_by=Schedule(minutes=5)),
    ),
)
COUNT, COUNT_DLQ = naming.queue(ENV, "tally", "count"), naming.dead_letter_queue(ENV, "tally", "count")
DIGEST_DLQ, SWEEP_DLQ = (naming.dead_letter_queue(ENV, "tally", name) for name in ("digest", "sweep"))
RULES_DLQ = naming.rule_dead_letter_queue(ENV, "tally")
STREAM_ARN = f"arn:aws:kinesis:us-east-1:{mending.ACCOUNT}:stream/{naming.stream(ENV, 'tally', 'digest')}"

SWEEP_ARN = f"arn:aws:lambda:us-east-1:{mending.ACCOUNT}:function:{naming.function(ENV, 'tally', 'sweep')}"


@pytest.fixture
def target(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Target]:
    monkeypatch.setattr(ops.reach.cards, "cards", lambda: (*cards(), TALLY))
    monkeypatch.setattr(replay, "_SETTLE_SECONDS", 0)
    monkeypatch.setattr(ops.look.quiet.time, "sleep", lambda _: None)
    with mending.everything(monkeypatch, tmp_path / "home") as target:
        create_table("tally")
        yield target


def records_given_up(first: str, last: str, condition: str = "RetryAttemptsExhausted") -> str:
    """As Lambda's developer guide shows it."""
    told = {
        "requestContext": {
            "requestId": "c9b8fa9f",
            "functionArn": f"arn:aws:lambda:us-east-1:{mending.ACCOUNT}:function:snaprace-dev-tally-digest",
            "condition": condition,
            "approximateInvokeCount": 6,
        },
        "responseContext": {"statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled"},
        "version": "1.0",
        "timestamp": "2026-10-25T00:38:06.021Z",
        "KinesisBatchInfo": {
            "shardId": "shardId-000000000001",
            "startSequenceNumber": first,
            "endSequenceNumber": last,
            "approximateArrivalOfFirstRecord": f"{datetime.now(UTC) - timedelta(hours=1):%Y-%m-%dT%H:%M:%SZ}",
            "approximateArrivalOfLastRecord": "2026-10-25T00:38:05Z",
            "batchSize": 1 if first == last else 3,
            "streamArn": STREAM_ARN,
        },
    }
    return json.dumps(told)


def call_given_up(answer: Any) -> str:
    event = {"source": "aws.events", "detail-type": "Scheduled Event", "time": "2026-10-25T00:35:00Z", "detail": {}}
    told = {"version": "1.0", "requestContext": {"condition": "RetriesExhausted"}, "requestPayload": event}
    return json.dumps({**told, "responsePayload": answer})


def snaprace(monkeypatch: pytest.MonkeyPatch, command: str) -> int:
    monkeypatch.setattr(sys, "argv", ["snaprace", *command.split()])
    with pytest.raises(SystemExit) as end:
        main()
    return int(end.value.code or 0)


# --- replay ---------------------------------------------------------------------------------------------


def collected(target: Target, folder: Path) -> tuple[replay.Plan, CollectedEvents]:
    for photo_id in ("p1", "p2"):
        said = json.loads(as_body(matched(photo_id)))
        entry = {"Source": said["source"], "DetailType": said["detail-type"], "Detail": json.dumps(said["detail"])}
        target.client("events").put_events(Entries=[{**entry, "EventBusName": naming.bus(ENV)}])
    plan = replay.plan(target, "tally", now=datetime.now(UTC) + timedelta(seconds=2))
    found = CollectedEvents(folder / "events.jsonl")
    replay.collect(target, plan, found, settle_s=0)
    return plan, found


def test_a_replay_looks_for_the_records_that_the_card_names(target: Target, tmp_path: Path) -> None:
    plan, found = collected(target, tmp_path)
    assert [event.functions for event in found.events] == [("count",), ("count",)]
    target.records("tally").put(RACE, Counted(photo_id="p1"))
    (missing,) = choose(target, plan, found, "missing")
    assert missing.about.photo_id == "p2"
    send(target, COUNT_DLQ, as_body(matched("p1")))
    (failed,) = choose(target, plan, found, "failed")
    assert failed.about.photo_id == "p1"


def test_a_whole_replay_asks_before_it_sends_and_says_what_it_sent(
    target: Target, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    plan, _ = collected(target, tmp_path)
    asked: list[str] = []

    class Handled(Bar):
        def __init__(self, title: str, total: int | None = None) -> None:
            super().__init__(title, total)
            if title == "Waiting for the stages":
                mending.take_all(target, COUNT)
                client = target.client("sqs")
                client.purge_queue(QueueUrl=mending.url_of(target, COUNT))

    def replayed(answer: bool) -> int:
        def confirm(question: str, err: bool) -> bool:
            asked.append(question)
            return answer

        monkeypatch.setattr(click, "confirm", confirm)
        return show_replay(target, plan, "all", rate=1_000, yes=False, as_json=True)

    monkeypatch.setattr(ops.cli.recovery, "Bar", Handled)
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True)
    assert replayed(False) == 1
    assert bodies(target, COUNT) == []
    said = capsys.readouterr()
    assert said.out == "" and "2 events for tally.count" in said.err
    assert replayed(True) == 0
    said = capsys.readouterr()
    told = json.loads(said.out)
    assert "other work" not in said.err and told["changed"] == {"uploads": {}, "photos": []}
    assert told["sent"] == {"count": 2}
    assert [question.partition(",")[0] for question in asked] == ["Send these 2", "Send these 2"]


def test_what_interrupts_a_replay_is_told_how_far_it_is(
    target: Target, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    plan, _ = collected(target, tmp_path)

    def interrupt(*_: Any, **__: Any) -> bool:
        raise KeyboardInterrupt

    monkeypatch.setattr(ops.cli.recovery, "until_quiet", interrupt)
    with pytest.raises(KeyboardInterrupt):
        show_replay(target, plan, "all", rate=1_000, yes=True, as_json=False)
    assert "2 of 2 are sent" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("function", "sentence"),
    [
        ("digest", "A replay cannot send to a stream yet, so nothing is sent to tally.digest."),
        ("sweep", "The stage 'tally' hears nothing that is archived."),
    ],
)
def test_a_replay_says_that_it_cannot_send_to_a_stream_or_a_clock(
    function: str,
    sentence: str,
    target: Target,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert snaprace(monkeypatch, f"replay --yes --stage tally --function {function}") == 1
    assert capsys.readouterr().err == f"{sentence}\n"


def test_a_replay_to_the_others_says_who_gets_nothing(
    target: Target, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert snaprace(monkeypatch, "replay --yes --stage tally") == 0
    said = " ".join(capsys.readouterr().err.split())
    assert "A replay cannot send to a stream yet, so nothing is sent to tally.digest." in said
    assert "Nothing to replay" in said


# --- dead letters ---------------------------------------------------------------------------------------


def test_a_streams_letter_says_which_records_and_their_functions_log_says_why(target: Target) -> None:
    send(target, DIGEST_DLQ, records_given_up("4951", "4957"))
    send(target, DIGEST_DLQ, records_given_up("4961", "4961", "RecordAgeExceeded"))
    line = {"message": "message failed", "reason": "KeyError", "exception": "KeyError: 'bib'", "message_id": "4953"}
    logged = int((datetime.now(UTC) - timedelta(minutes=30)).timestamp() * 1000)
    target.client("logs").put_log_events(
        logGroupName=mending.log_group("tally", "digest"),
        logStreamName="s",
        logEvents=[{"timestamp": logged, "message": json.dumps(line)}],
    )
    explained, alone = contents(target, "tally").letters
    assert (explained.what, explained.reason, explained.error) == ("3 records", "KeyError", "'bib'")
    assert str(explained.range) == "snaprace-dev-tally-digest, shardId-000000000001: 4951 to 4957"
    assert datetime.now(UTC) - explained.sent_at > timedelta(minutes=59), "since the records came"
    assert (alone.what, alone.reason) == ("1 record", "RecordAgeExceeded")
    assert alone.error == "they had waited for as long as they may"
    before = {letter.reason: letter.error for letter in letters(target, "tally")}
    assert before["RetryAttemptsExhausted"] == "the function failed on them as often as it may"


def test_a_streams_letters_are_shown_with_their_place(target: Target, capsys: pytest.CaptureFixture[str]) -> None:
    send(target, DIGEST_DLQ, records_given_up("4951", "4957"))
    show_letters(contents(target), datetime.now(UTC), as_json=False)
    shown = capsys.readouterr().out
    for words in (
        f"1 letter in {DIGEST_DLQ}",
        "RetryAttemptsExhausted",
        "as often as it may",
        "4951 to 4957",
        "3 records",
    ):
        assert words in shown
    show_letters(contents(target), datetime.now(UTC), as_json=True)
    ((letter,),) = (group["letters"] for group in json.loads(capsys.readouterr().out)["groups"])
    assert letter["range"] == {
        "stream": naming.stream(ENV, "tally", "digest"),
        "shard": "shardId-000000000001",
        "first": "4951",
        "last": "4957",
        "records": 3,
    }


@pytest.mark.parametrize(
    ("answer", "reason", "error"),
    [
        ({"errorType": "KeyError", "errorMessage": "'at'"}, "KeyError", "'at'"),
        (None, "RetriesExhausted", "the function failed on it as often as it may"),
    ],
)
def test_a_clocks_letter_says_what_the_function_answered(answer: Any, reason: str, error: str, target: Target) -> None:
    send(target, SWEEP_DLQ, call_given_up(answer))
    (letter,) = letters(target, "tally")
    assert (letter.what, letter.reason, letter.error) == ("Scheduled Event", reason, error)
    assert letter.sent_at == datetime(2026, 10, 25, 0, 35, tzinfo=UTC)


def test_what_lambda_did_not_write_is_shown_as_any_letter(target: Target) -> None:
    for body in ("by hand", '{"requestContext": {}}', as_body(matched("p1"))):
        send(target, DIGEST_DLQ, body)
    found = with_reasons(target, letters(target, "tally"))
    assert sorted((letter.what, letter.reason) for letter in found) == [
        ("PhotoMatched", "unknown"),
        ("not readable", "unknown"),
        ("not readable", "unknown"),
    ]


# --- redrive --------------------------------------------------------------------------------------------


def test_a_redrive_sends_back_what_it_can_and_says_what_stays(
    target: Target, capsys: pytest.CaptureFixture[str]
) -> None:
    send(target, COUNT_DLQ, as_body(matched("p1")))
    send(target, DIGEST_DLQ, records_given_up("4951", "4957"))
    send(target, SWEEP_DLQ, call_given_up(None))
    send(target, RULES_DLQ, as_body(matched("p2")), TARGET_ARN=STREAM_ARN)
    send(target, RULES_DLQ, "the clock's", TARGET_ARN=SWEEP_ARN)
    assert show_redrive(target, "tally", None, rate=1_000, yes=True, as_json=True) == 0
    said = capsys.readouterr()
    assert json.loads(said.out) == {
        "moved": 2,
        "by_queue": {COUNT: 1},
        "by_stream": {naming.stream(ENV, "tally", "digest"): 1},
        "strays": 0,
        "expired": 1,
        "missing": 0,
    }
    told = " ".join(said.err.split())
    assert f"1 letter in {SWEEP_DLQ} cannot be sent back yet: what a schedule began" in told
    assert "1 letter left where they are: they are for a schedule" in told
    assert "1 letter left where they are: records that they tell of have expired from the stream" in told
    assert len(bodies(target, DIGEST_DLQ)) == len(bodies(target, SWEEP_DLQ)) == 1
    assert bodies(target, RULES_DLQ) == ["the clock's"]


def test_of_a_function_that_a_clock_feeds_nothing_is_sent_back_and_that_is_said(
    target: Target, capsys: pytest.CaptureFixture[str]
) -> None:
    send(target, SWEEP_DLQ, call_given_up(None))
    assert show_redrive(target, "tally", "sweep", rate=1_000, yes=True, as_json=False) == 0
    assert "cannot be sent back yet" in " ".join(capsys.readouterr().err.split())
    assert len(bodies(target, SWEEP_DLQ)) == 1
