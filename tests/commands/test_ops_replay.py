"""`snaprace replay` up to the functions' queues: what is collected, what is chosen of it, and what is sent.

Mutations that were tried, each of which a test here notices: no cancelling; what older replays left not thrown away;
the time's end not included; later decisions left behind, or all of them taken along; a suffix not looked at; what
failed of all functions together; the item of another function looked for; sent as it was collected; decisions chosen
like the rest; a roster, or the file it came in, not taken for a decision; those of another race taken along.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from ops.cli.main import main
from ops.mend import replay
from ops.mend.collected import CollectedEvents, Plan, Window
from ops.mend.replay_choice import Only, choose
from ops.reach import queues
from ops.reach.cards import fed_functions
from ops.reach.errors import Failed
from ops.reach.target import Target
from services.faces.records import FacesSwitch, IdentifiedPhoto, IndexedPhoto
from services.faces.stage import STAGE as FACES
from services.ingest.records import KeyRecord
from services.ingest.stage import STAGE as INGEST
from services.ocr.records import ReadPhoto, RosterHeard, RulesHeard
from services.races.records import RaceHeld, RaceOutcome, RosterHeld, RosterOutcome
from services.races.stage import STAGE as RACES
from services.search.records import GalleryPhoto
from shared.contracts import messages, naming
from shared.contracts.events import DomainEvent
from shared.contracts.keys import RaceRef
from shared.contracts.records import Record
from tests.kit import mending
from tests.kit.deployed import ENV, keep
from tests.kit.events import (
    BOX,
    RACE,
    as_body,
    bibs_read,
    configured,
    corrected,
    ingested,
    match_cut,
    raw_key,
    roster_imported,
    withdrawn,
)
from tests.kit.mending import Died, bodies, notified, send

KEY = raw_key("a.jpg")
RACE_FILE = f"{RACE.prefix}race.json"
OTHER = RaceRef(RACE.organizer_id, "busan-2026")
NOON = datetime(2026, 10, 25, 12, tzinfo=UTC)


@pytest.fixture
def target(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Target]:
    with mending.everything(monkeypatch, tmp_path / "home") as target:
        yield target


def at(minutes: float) -> str:
    return f"{NOON + timedelta(minutes=minutes):%Y-%m-%dT%H:%M:%SZ}"


def planned(stage: str, function: str | None = None, race: RaceRef | None = None) -> Plan:
    """An hour from noon, asked for a day later."""
    window = Window(NOON, NOON + timedelta(hours=1))
    return Plan(stage, fed_functions(stage, function), window, NOON + timedelta(days=1), race)


def kept(folder: Path, plan: Plan, *events: str) -> CollectedEvents:
    collected = CollectedEvents(folder / "events.jsonl")
    for body in events:
        collected.add(plan, body)
    collected.leave_out_what_does_not_go_along(plan)
    return collected


def kinds(found: CollectedEvents) -> list[tuple[str, tuple[str, ...]]]:
    return [(event.about.what, event.functions) for event in found.events]


# --- what is heard --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "heard_by"),
    [
        (notified(KEY), {"ingest.intake"}),
        (notified(KEY, "Deleted"), {"ingest.intake"}),
        (notified(RACE_FILE), {"ingest.intake", "races.intake"}),
        (notified(RACE_FILE, "Deleted"), {"ingest.intake"}),
        (as_body(configured()), {"ingest.intake", "faces.index"}),
        (as_body(ingested("p")), {"faces.index"}),
        (as_body(withdrawn("p")), {"faces.index", "faces.identity"}),
        (as_body(bibs_read("p")), {"faces.identity"}),
    ],
)
def test_each_function_hears_what_its_rules_would_bring_it(body: str, heard_by: set[str]) -> None:
    functions = {f"{card.name}.{each.name}": each for card in (RACES, INGEST, FACES) for each in card.queued}
    assert {name for name, function in functions.items() if function.brought(json.loads(body))} == heard_by


def test_each_event_is_kept_once_of_the_race_and_the_time(tmp_path: Path) -> None:
    found = kept(
        tmp_path,
        planned("faces", race=RACE),
        as_body(ingested("p1"), at(0)),
        as_body(ingested("p1"), at(5)),
        as_body(ingested("p2"), at(60)),
        as_body(ingested("early"), at(-1)),
        as_body(ingested("late"), at(61)),
        as_body(configured(race=OTHER), at(3)),
        notified(KEY, at=at(3)),
        "what is this?",
    )
    assert [event.about.photo_id for event in found.events] == ["p1", "p2"]
    assert found.unreadable == 1
    assert [json.loads(body)["time"] for body in found.bodies(found.events)] == [at(0), at(60)]


@pytest.mark.parametrize("kind", ["Access Tier Changed", "Storage Class Changed", "Restore Completed", "Tags Added"])
def test_what_older_archives_hold_of_the_bucket_and_nobody_hears_is_passed_over(tmp_path: Path, kind: str) -> None:
    found = kept(tmp_path, planned("ingest"), notified(KEY, kind, at=at(3)), notified(KEY, at=at(3)))
    assert [event.about.what for event in found.events] == ["Object Created"]
    assert found.unreadable == 0


def test_what_people_decided_later_goes_along(tmp_path: Path) -> None:
    found = kept(
        tmp_path,
        planned("faces"),
        as_body(ingested("p1"), at(1)),
        as_body(withdrawn("p1"), at(90)),
        as_body(withdrawn("p2"), at(90)),
        as_body(corrected("p1"), at(90)),
        as_body(bibs_read("p1"), at(90)),
        as_body(configured(), at(90)),
        as_body(configured(race=OTHER), at(90)),
    )
    assert [(event.about.what, event.about.photo_id) for event in found.events] == [
        ("PhotoIngested", "p1"),
        ("PhotoWithdrawn", "p1"),
        ("BibCorrected", "p1"),
        ("RaceConfigured", None),
    ]


@pytest.mark.parametrize(
    ("file", "other", "event"),
    [("race.json", "roster.csv", configured), ("roster.csv", "race.json", roster_imported)],
)
def test_a_later_word_about_the_whole_race_goes_along_as_a_file_and_as_an_event(
    file: str, other: str, event: Callable[..., DomainEvent], tmp_path: Path
) -> None:
    earlier, later = notified(f"{RACE.prefix}{other}", at=at(1)), notified(f"{RACE.prefix}{file}", at=at(90))
    others = notified(f"{OTHER.prefix}{file}", at=at(90))
    found = kept(tmp_path, planned("races"), earlier, later, others)
    assert [event.at for event in found.events] == [NOON + timedelta(minutes=1), NOON + timedelta(minutes=90)]
    (tmp_path / "events.jsonl").unlink()
    said = (as_body(event(race=race), at(90)) for race in (RACE, OTHER))
    found = kept(tmp_path, planned("ocr"), as_body(ingested("p1"), at(1)), *said)
    assert kinds(found) == [("PhotoIngested", ("read",)), (type(event()).__name__, ("read",))]


# --- when -----------------------------------------------------------------------------------------------


def test_without_times_it_is_the_whole_archive_until_now(target: Target) -> None:
    now = datetime.now(UTC)
    window = replay.plan(target, "ocr", now=now).window
    oldest = target.client("events").describe_archive(ArchiveName=naming.events_archive(ENV))["CreationTime"]
    assert window == (oldest.astimezone(UTC).replace(microsecond=0), now)
    later = now + timedelta(days=1)
    assert replay.plan(target, "ocr", end=later, now=now).window.end == now, "nothing comes from the future"


def test_times_without_a_zone_are_this_machines() -> None:
    assert replay.moment("2026-10-25T09:00:00+09:00") == datetime(2026, 10, 25, tzinfo=UTC)
    assert replay.moment("2026-10-25T09:00") == datetime(2026, 10, 25, 9).astimezone()


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ("--stage oct", "There is no stage 'oct'. There are: faces, ingest, insight, ocr, races, search"),
        ("--stage ocr --function index", "The stage 'ocr' has no function 'index' with a queue. It has: read."),
        ("--stage ocr --from yesterday", "'yesterday' is no time. Write it like 2026-10-25T09:00"),
        ("--stage ocr --from 2099-01-01", "--from must be earlier than --to, and in the past."),
        ("--stage ocr --race org/x:1", "cannot be an id"),
    ],
)
def test_what_cannot_be_replayed_is_said_in_one_sentence(
    options: str,
    sentence: str,
    target: Target,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(sys, "argv", ["snaprace", "replay", "--yes", *options.split()])
    with pytest.raises(SystemExit) as end:
        main()
    said = capsys.readouterr()
    assert (end.value.code, said.out) == (1, "")
    assert sentence in said.err
    assert len(said.err.splitlines()) == 1


@pytest.mark.parametrize("command", ["replay --stage ocr", "redrive --stage ocr"])
def test_where_nobody_can_be_asked_it_wants_a_yes_before_anything_else(
    command: str, target: Target, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["snaprace", *command.split()])
    monkeypatch.setattr(sys, "stdin", open("/dev/null"))  # noqa: SIM115, PTH123
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code == 2
    assert "say --yes" in capsys.readouterr().err
    assert target.client("events").list_replays()["Replays"] == []


# --- collecting -----------------------------------------------------------------------------------------


def publish(target: Target, *events: DomainEvent) -> None:
    for event in events:
        said = json.loads(as_body(event))
        entry = {"Source": said["source"], "DetailType": said["detail-type"], "Detail": json.dumps(said["detail"])}
        target.client("events").put_events(Entries=[{**entry, "EventBusName": naming.bus(ENV)}])


def collected(target: Target, folder: Path, stage: str = "ocr", **given: Any) -> CollectedEvents:
    found = CollectedEvents(folder / "events.jsonl")
    plan = replay.plan(target, stage, now=datetime.now(UTC) + timedelta(seconds=2))
    replay.collect(target, plan, found, settle_s=0, **given)
    return found


def queued(target: Target) -> int:
    client = target.client("sqs")
    return queues.depth(client, queues.url_of(client, naming.replay_queue(ENV)))


def test_the_archive_is_collected_and_what_an_older_replay_left_thrown_away(target: Target, tmp_path: Path) -> None:
    publish(target, configured(), ingested("p1"), bibs_read("p1"))
    older = f"{naming.replay_prefix(ENV)}2026-events"
    send(target, naming.replay_queue(ENV), as_body(ingested("p2"), **{"replay-name": older}))
    send(target, naming.replay_queue(ENV), "what is this?")
    steps: list[int] = []
    found = collected(target, tmp_path, progress=steps.append)
    assert sorted(event.about.what for event in found.events) == ["PhotoIngested", "RaceConfigured"]
    assert all(messages.parse(body).meta.replay for body in found.bodies(found.events)), "handlers know it as a replay"
    assert (steps[-1], queued(target)) == (3, 0)


def test_no_rule_but_the_collecting_one_hears_of_it(target: Target, tmp_path: Path) -> None:
    collected(target, tmp_path, "ingest")
    events = target.client("events")
    for archive, bus in ((naming.uploads_archive(ENV), "default"), (naming.events_archive(ENV), naming.bus(ENV))):
        described = events.describe_archive(ArchiveName=archive)
        rule = events.describe_rule(Name=naming.replay_rule(ENV), EventBusName=bus)["Arn"]
        (name,) = (
            each["ReplayName"]
            for each in events.list_replays()["Replays"]
            if each["EventSourceArn"] == described["ArchiveArn"]
        )
        destination = events.describe_replay(ReplayName=name)["Destination"]
        assert destination == {"Arn": described["EventSourceArn"], "FilterArns": [rule]}


def test_an_interrupted_command_cancels_its_replays(target: Target, tmp_path: Path) -> None:
    publish(target, ingested("p1"))

    def interrupt(_received: int) -> None:
        raise Died

    with pytest.raises(Died):
        collected(target, tmp_path, "ingest", progress=interrupt)
    states = {each["State"] for each in target.client("events").list_replays()["Replays"]}
    assert states == {"CANCELLED"}


def test_what_a_killed_command_left_running_is_cancelled_by_the_next(target: Target, tmp_path: Path) -> None:
    left = {"ReplayName": f"{naming.replay_prefix(ENV)}2026-events", "State": "RUNNING"}
    over = {"ReplayName": f"{naming.replay_prefix(ENV)}2025-events", "State": "COMPLETED"}
    cancelled: list[Any] = []

    def cancel(params: dict[str, Any], **_: Any) -> None:
        cancelled.append(params["ReplayName"])

    hooks, event = target.client("events").meta.events, "provide-client-params.events.CancelReplay"
    hooks.register(event, cancel)
    with mending.before(target, "events.ListReplays", lambda: {"Replays": [left, over]}):
        collected(target, tmp_path)
    hooks.unregister(event, cancel)
    assert cancelled == [left["ReplayName"]]


@pytest.mark.parametrize(
    ("state", "sentence"),
    [
        ({"State": "FAILED", "StateReason": "Archive is being deleted."}, "Archive is being deleted"),
        ({"State": "CANCELLED"}, "it is cancelled"),
    ],
)
def test_a_replay_that_eventbridge_gives_up_sends_nothing(
    state: dict[str, str], sentence: str, target: Target, tmp_path: Path
) -> None:
    refused = pytest.raises(Failed, match=f"EventBridge did not replay the archive .{sentence}.; nothing was sent")
    with mending.before(target, "events.DescribeReplay", lambda: state), refused:
        collected(target, tmp_path)


# --- choosing -------------------------------------------------------------------------------------------


def chosen(
    target: Target, plan: Plan, found: CollectedEvents, only: Any
) -> list[tuple[str, str | None, tuple[str, ...]]]:
    return [(each.about.what, each.about.photo_id, each.functions) for each in choose(target, plan, found, only)]


def test_only_failed_is_what_lies_in_the_functions_dead_letter_queues(target: Target, tmp_path: Path) -> None:
    plan = planned("faces")
    of_index, of_identity = (
        (ingested(f"p{number}") for number in (1, 2, 3)),
        (bibs_read(f"p{number}") for number in (1, 2)),
    )
    found = kept(tmp_path, plan, *(as_body(event, at(1)) for event in (*of_index, *of_identity)))
    assert chosen(target, plan, found, "failed") == []
    send(target, naming.dead_letter_queue(ENV, "faces", "index"), as_body(ingested("p1")))
    identity = mending.arn_of(naming.queue(ENV, "faces", "identity"))
    send(target, naming.rule_dead_letter_queue(ENV, "faces"), as_body(bibs_read("p2")), TARGET_ARN=identity)
    send(target, naming.dead_letter_queue(ENV, "ocr", "read"), as_body(ingested("p3")))
    assert chosen(target, plan, found, "failed") == [
        ("PhotoIngested", "p1", ("index",)),
        ("BibsRead", "p2", ("identity",)),
    ]
    assert len(chosen(target, plan, found, "all")) == 5


def test_only_failed_is_what_has_been_stuck_at_the_stage_for_long_too(target: Target, tmp_path: Path) -> None:
    plan = planned("ocr")
    found = kept(tmp_path, plan, *(as_body(ingested(photo), at(1)) for photo in ("old", "new", "done")))
    now = datetime.now(UTC)
    for photo, age in (("old", 16), ("new", 1), ("done", 16)):
        key = f"{RACE.prefix}raw_photos/{photo}.jpg"
        target.client("s3").put_object(Bucket=target.photo_bucket, Key=key, Body=b"x")
        uploaded_at = (now - timedelta(minutes=age)).isoformat()
        keep(KeyRecord(key=key, sequencer="01", state="ingested", photo_id=photo, at=uploaded_at))
    keep(GalleryPhoto(photo_id="done", preview=ingested("done").preview, complete=True))
    assert chosen(target, plan, found, "failed") == [("PhotoIngested", "old", ("read",))]


MISPLACED = f"{RACE.prefix}RAW/raw photos/a.jpg"


def of_key(key: str) -> KeyRecord:
    return KeyRecord(key=key, sequencer="01", state="ingested", photo_id="p1", at=at(1))


def of_photo(photo_id: str) -> tuple[Record, ...]:
    return (
        ReadPhoto(photo_id=photo_id, photo_revision=1),
        IndexedPhoto(photo_id=photo_id, photo_revision=1),
        IdentifiedPhoto(photo_id=photo_id),
        GalleryPhoto(photo_id=photo_id),
    )


def of_race() -> tuple[Record, ...]:
    settings, roster = configured().settings, roster_imported().roster
    return (
        RaceHeld(settings=settings, revision="01"),
        RosterHeld(roster=roster, runners=1, revision="01"),
        RaceOutcome(sequencer="01", ok=True),
        RosterOutcome(sequencer="01", ok=True),
        RulesHeard(settings=settings, revision="01"),
        RosterHeard(roster=roster, revision="01"),
        FacesSwitch(faces=True, revision="01"),
    )


@pytest.mark.parametrize(
    ("stage", "held", "event", "function"),
    [
        ("ocr", of_photo("p1")[0], as_body(ingested("p1"), at(1)), "read"),
        ("faces", of_photo("p1")[1], as_body(ingested("p1"), at(1)), "index"),
        ("faces", of_photo("p1")[2], as_body(bibs_read("p1"), at(1)), "identity"),
        ("search", of_photo("p1")[3], as_body(ingested("p1"), at(1)), "gallery"),
        ("ingest", of_key(KEY), notified(KEY, at=at(1)), "intake"),
        ("ingest", of_key(MISPLACED), notified(MISPLACED, at=at(1)), "intake"),
    ],
)
def test_only_missing_is_what_the_function_keeps_no_item_of(
    stage: str, held: Record, event: str, function: str, target: Target, tmp_path: Path
) -> None:
    plan = planned(stage)
    found = kept(tmp_path, plan, event)
    keep(*of_photo("p2"), of_key("x"), *of_race())
    keep(held, race=OTHER)
    assert [functions for *_, functions in chosen(target, plan, found, "missing")] == [(function,)]
    keep(held)
    assert chosen(target, plan, found, "missing") == []


def test_what_a_stage_keeps_nothing_of_is_never_missing(target: Target, tmp_path: Path) -> None:
    for stage, key in (("races", "raw photos/race.json"), ("ingest", "notes.txt"), ("ingest", "a/b/raw_photos/")):
        plan = planned(stage)
        assert chosen(target, plan, kept(tmp_path, plan, notified(key, at=at(1))), "missing") == []


@pytest.mark.parametrize("only", ["missing", "failed"])
@pytest.mark.parametrize(
    ("stage", "decided", "functions"),
    [
        ("ingest", notified(KEY, "Deleted", at=at(2), sequencer="02"), ("intake",)),
        ("races", notified(RACE_FILE, at=at(2)), ("intake",)),
        ("races", notified(f"{RACE.prefix}roster.csv", at=at(2)), ("intake",)),
        ("ocr", as_body(configured(), at(2)), ("read",)),
        ("ocr", as_body(roster_imported(), at(2)), ("read",)),
        ("ocr", as_body(withdrawn("p1"), at(2)), ("read",)),
        ("faces", as_body(withdrawn("p1"), at(2)), ("index", "identity")),
        ("faces", as_body(corrected("p1"), at(2)), ("identity",)),
        ("faces", as_body(match_cut(("p1", BOX)), at(2)), ("identity",)),
        ("search", as_body(withdrawn("p1"), at(2)), ("gallery",)),
    ],
)
def test_to_a_table_of_the_past_what_people_decided_since_is_sent_although_nothing_is_missing(
    stage: str, decided: str, functions: tuple[str, ...], only: Only, target: Target, tmp_path: Path
) -> None:
    keep(*of_race(), *of_photo("p1"), of_key(KEY))
    plan = planned(stage)
    found = kept(tmp_path, plan, notified(KEY, at=at(1)), as_body(ingested("p1"), at(1)), decided)
    (sent,) = choose(target, plan, found, only)
    assert (list(found.bodies([sent])), sent.functions) == ([decided], functions)


# --- sending --------------------------------------------------------------------------------------------


def test_each_function_gets_what_it_hears_and_what_people_decided_first(target: Target, tmp_path: Path) -> None:
    plan = planned("faces")
    index = [ingested(f"p{number:02}") for number in range(23)]
    events = [as_body(event, at(number)) for number, event in enumerate(index)]
    taken_back, matched = as_body(withdrawn("p00"), at(30)), as_body(bibs_read("p01"), at(31))
    found = kept(tmp_path, plan, *reversed(events), matched, taken_back)
    assert Counter(name for event in found.events for name in event.functions) == {"index": 24, "identity": 2}
    steps: list[int] = []
    replay.send(target, plan, found, found.events, rate=1_000, progress=steps.append)
    assert bodies(target, naming.queue(ENV, "faces", "index")) == [taken_back, *events]
    assert bodies(target, naming.queue(ENV, "faces", "identity")) == [taken_back, matched]
    assert steps[-1] == 26


def test_the_rate_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, slept = [0.0], []
    monkeypatch.setattr(queues.time, "monotonic", lambda: clock[0])
    monkeypatch.setattr(queues.time, "sleep", slept.append)
    pace = queues.Pace(rate=5)
    pace.after(10)
    clock[0] = 3.0
    pace.after(10)
    clock[0] = 9.0
    pace.after(10)
    assert slept == [2.0, 1.0], "not when it is late already"


def test_large_events_are_sent_in_several_requests(target: Target) -> None:
    client = target.client("sqs")
    url = queues.url_of(client, naming.queue(ENV, "ocr", "read"))
    queues.send(client, url, [{"Body": "x" * 100_000} for _ in range(5)])
    assert len(bodies(target, naming.queue(ENV, "ocr", "read"))) == 5
