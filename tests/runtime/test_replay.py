"""Replays on the embedded AWS, with the product's own stacks: they change nothing, and bring back what was lost.

Mutations that were tried, each of which a test here notices: the archive's pattern without the replay mark; a stage
that says what it only repeats as news; what people decided sent last and not taken along; the launcher without its
archive of uploads and without FilterArns.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from local.aws import deployment
from ops.cli.recovery import show_replay
from ops.cli.show_restores import show_backup, show_drill, show_restore
from ops.look.backlog import backlog, dead_letters
from ops.look.changes import changes, view
from ops.look.dead_letters import letters, with_reasons
from ops.look.state_hash import state_hash
from ops.mend import backups, drill, live_function, replay
from ops.mend.collected import ArchivedEvent, CollectedEvents
from ops.mend.redrive import redrive, waiting
from ops.mend.replay_choice import Only, choose
from ops.race.races import import_roster, races
from ops.race.settings import put_race
from ops.reach import queues
from ops.reach.cards import card_of, stage_names
from ops.reach.errors import Failed
from ops.reach.target import Target, of_runtime
from services import cards
from services.insight.records import Coverage, CoveragePending, Unsettled
from services.ocr.records import ReadPhoto
from services.search.records import ShownPhoto
from shared.contracts import naming
from shared.contracts.events import Box
from shared.contracts.keys import RaceRef, photo_id, processed_key
from shared.contracts.race import RaceSettings
from shared.contracts.redelivery import MAX_FAILURES
from shared.kit.table import from_item
from tests.kit import pictures
from tests.kit.compare import HEARD, PLANS, assert_same
from tests.kit.fake_aws import FakeRekognition, Seen
from tests.runtime.conftest import launched, until
from tests.runtime.rekognition import answering

RACE = RaceRef("hanriver", "seoul-2026")
REPLAYED = [card.name for card in cards() if card.queued]
"""The stages that hear replays: one that a stream feeds hears none, which its numbers would take for news."""
FACE = Box(left=0.4, top=0.2, width=0.1, height=0.15)
BIB = Box(left=0.41, top=0.5, width=0.08, height=0.05)

Tables = dict[str, dict[tuple[str, str], dict[str, Any]]]


def by_the_minute(item: dict[str, Any]) -> bool:
    return item["PK"] in (CoveragePending.PARTITION, Unsettled.PARTITION) or item["SK"] == Coverage.prefix()


@dataclass
class RaceRun:
    """A race that went through the pipeline: a bib that is read, one that is hidden, a copy, a reject, a withdrawal."""

    target: Target
    seen: FakeRekognition
    before_deletion: datetime | None = None

    def key(self, name: str) -> str:
        return f"{RACE.prefix}raw_photos/{name}"

    def put(self, name: str, body: bytes) -> None:
        self.target.client("s3").put_object(Bucket=self.target.photo_bucket, Key=self.key(name), Body=body)

    def begin_another_second(self) -> None:
        """What was until now is told from what comes by its time, which events have in seconds."""
        second = datetime.now(UTC).replace(microsecond=0)
        until(lambda: datetime.now(UTC) > second + timedelta(seconds=1))
        self.before_deletion = second

    def quiet(self) -> None:
        """Wait until no stage has work, nor gets any: between two queues a message is in neither."""
        calm = 0

        def still() -> bool:
            nonlocal calm
            calm = 0 if backlog(self.target) else calm + 1
            return calm > 5

        until(still, seconds=120)
        assert dead_letters(self.target) == {}

    def tables(self) -> Tables:
        """What all stages keep, but for what comes when a minute is over, which may be meanwhile."""
        client = self.target.client("dynamodb")
        found: Tables = {}
        for stage in stage_names():
            pages = client.get_paginator("scan").paginate(TableName=naming.table(self.target.env, stage))
            items = [from_item(item) for page in pages for item in page["Items"]]
            found[stage] = {(item["PK"], item["SK"]): item for item in items if not by_the_minute(item)}
        return found

    def looked(self) -> Counter[str]:
        """How often pictures were looked at, by the call; what tidies up is not counted."""
        return Counter(call for call in self.seen.calls if call in ("DetectText", "IndexFaces", "SearchFaces"))

    def archived(self) -> dict[str, int]:
        client = self.target.client("events")
        names = (naming.uploads_archive("dev"), naming.events_archive("dev"))
        return {name: client.describe_archive(ArchiveName=name)["EventCount"] for name in names}

    def empty(self, stage: str) -> None:
        client, table = self.target.client("dynamodb"), naming.table(self.target.env, stage)
        for pk, sk in self.tables()[stage]:
            client.delete_item(TableName=table, Key={"PK": {"S": pk}, "SK": {"S": sk}})

    def replay(
        self, folder: Path, stage: str, only: Only = "all", *, wait: bool = True, **given: Any
    ) -> list[ArchivedEvent]:
        """What `snaprace replay` does; the events that it sent."""
        planned = replay.plan(self.target, stage, **given, now=datetime.now(UTC))
        found = CollectedEvents(folder / f"{stage}-{time.monotonic_ns()}.jsonl")
        replay.collect(self.target, planned, found)
        chosen = choose(self.target, planned, found, only)
        replay.send(self.target, planned, found, chosen, rate=1_000)
        if wait:
            self.quiet()
        return chosen


# Pictures: with a bib that is read, with one that is not, one that was deleted, one that comes later than the others.
SHOWN, HIDDEN, GONE, LATE = 1, 2, 3, 4


def picture(seed: int) -> bytes:
    return pictures.jpeg(seed, (160, 120))


def id_of(seed: int) -> str:
    return photo_id(RACE, hashlib.sha256(picture(seed)).hexdigest())


@pytest.fixture(scope="module")
def world(hurried: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RaceRun]:
    seen = FakeRekognition()
    with launched(tmp_path_factory.mktemp("replayed")) as running, answering(running.ports.vision, seen):
        deployment.deploy(hurried, running.client, verify=False)
        made = RaceRun(of_runtime(running), seen)
        settings = RaceSettings(name="Seoul", date="2026-10-25", timezone="Asia/Seoul", faces=True)
        put_race(made.target, RACE, msgspec.json.encode(settings))
        import_roster(made.target, RACE, b"bib,name\n42,Ann\n7,Bob\n")
        seen.words_in[processed_key(RACE, id_of(SHOWN))] = [("42", 99.0, BIB)]
        seen.faces_in = {processed_key(RACE, id_of(seed)): [Seen("Ann", FACE)] for seed in (SHOWN, HIDDEN, GONE)}
        for name, seed in (("a.jpg", SHOWN), ("copy.jpg", SHOWN), ("b.jpg", HIDDEN), ("gone.jpg", GONE)):
            made.put(name, picture(seed))
        made.put("bad.jpg", b"no picture")
        made.quiet()
        made.begin_another_second()
        made.target.client("s3").delete_object(Bucket=made.target.photo_bucket, Key=made.key("gone.jpg"))
        made.quiet()
        yield made


def test_a_replay_to_every_stage_changes_no_item_and_leaves_the_archives_as_they_are(
    world: RaceRun, tmp_path: Path
) -> None:
    tables, archived, seen = world.tables(), world.archived(), view(world.target, [RACE])
    assert sum(map(len, tables.values())) > 15 and min(archived.values()) > 5, "there is something to replay"
    looked = world.looked()
    for stage in REPLAYED:
        assert world.replay(tmp_path, stage, wait=False)
    world.quiet()
    assert world.tables() == tables
    assert world.archived() == archived
    assert not changes(seen, view(world.target, [RACE]))
    assert world.looked() == looked, "nor is anything looked at again"


def what_is_kept(tables: Tables) -> Tables:
    """The items without what remembers the way there: counts, who was searched for when, pictures that are gone."""
    return {
        stage: {
            key: {name: value for name, value in item.items() if not _remembers(stage, name)}
            for key, item in items.items()
            if not (key[1].startswith(PLANS) or (stage == "ingest" and item.get("copies") == []))
        }
        for stage, items in tables.items()
    }


def _remembers(stage: str, name: str) -> bool:
    counts = name in ("version", "revision") or name.endswith("_revision")
    return counts or (stage, name) == ("ingest", "former") or (stage == "insight" and name in HEARD)


@pytest.mark.parametrize("stage", REPLAYED)
def test_a_stage_whose_table_was_emptied_is_rebuilt_by_a_replay_to_it_alone(
    stage: str, world: RaceRun, tmp_path: Path
) -> None:
    tables, seen = world.tables(), view(world.target, [RACE])
    world.empty(stage)
    assert world.tables()[stage] == {}
    world.replay(tmp_path, stage)
    assert_same(what_is_kept(world.tables()), what_is_kept(tables))
    assert not changes(seen, view(world.target, [RACE]))
    assert beside_decisions(world.replay(tmp_path, stage, only="missing")) == 0


def test_only_missing_sends_what_the_table_lacks_and_no_more(world: RaceRun, tmp_path: Path) -> None:
    tables = world.tables()
    world.target.records("ocr").delete_all([ReadPhoto.locate(RACE, id_of(HIDDEN))])
    assert beside_decisions(world.replay(tmp_path, "ocr", only="missing")) == 1
    assert_same(what_is_kept(world.tables()), what_is_kept(tables))
    assert world.replay(tmp_path, "ocr", only="missing", race=RaceRef("hanriver", "another")) == []


def beside_decisions(sent: list[ArchivedEvent]) -> int:
    """How many were sent beside what people decided, which always is."""
    return sum(not event.decision for event in sent)


@pytest.mark.parametrize("stage", ["ocr", "faces", "search"])
def test_a_replay_of_a_time_before_a_deletion_brings_nothing_back_that_was_deleted(
    stage: str, world: RaceRun, tmp_path: Path
) -> None:
    tables, before = world.tables(), len(world.seen.read)
    world.empty(stage)
    world.replay(tmp_path, stage, end=world.before_deletion)
    assert_same(what_is_kept(world.tables()), what_is_kept(tables))
    if stage == "ocr":  # which may look twice at a photo of which it hears twice at once
        looked_at = {id_of(seed) for seed in (SHOWN, HIDDEN)}
        assert set(world.seen.read[before:]) == looked_at, "what was deleted is not even looked at"


def test_an_interrupted_replay_leaves_nothing_that_the_next_one_takes_for_its_own(
    world: RaceRun, tmp_path: Path
) -> None:
    planned = replay.plan(world.target, "search", now=datetime.now(UTC))
    collections = [CollectedEvents(tmp_path / f"{number}.jsonl") for number in range(2)]

    class Interrupted(Exception):
        pass

    def interrupt(received: int) -> None:
        raise Interrupted

    with pytest.raises(Interrupted):
        replay.collect(world.target, planned, collections[0], progress=interrupt)
    sqs_client = world.target.client("sqs")
    url = queues.url_of(sqs_client, naming.replay_queue("dev"))
    until(lambda: queues.depth(sqs_client, url))
    received: list[int] = []
    replay.collect(world.target, planned, collections[1], progress=received.append)
    assert queues.depth(sqs_client, url) == 0
    archive = world.archived()[naming.events_archive("dev")]
    assert max(received) == archive, "each once"


def test_the_older_of_two_replays_gives_way(world: RaceRun, tmp_path: Path) -> None:
    planned = replay.plan(world.target, "search", now=datetime.now(UTC))
    client = world.target.client("sqs")
    url = queues.url_of(client, naming.replay_queue("dev"))
    name = f"{naming.replay_prefix('dev')}9999"
    newer = json.dumps({"replay-name": name})
    client.send_message(QueueUrl=url, MessageBody=newer)
    with pytest.raises(Failed, match="Another snaprace replay has begun"):
        replay.collect(world.target, planned, CollectedEvents(tmp_path / "older.jsonl"))
    (left,) = [message["Body"] for message in queues.peek(client, url) if name in message["Body"]]
    assert left == newer, "what is another's stays"
    client.purge_queue(QueueUrl=url)


def test_the_command_counts_sends_waits_and_says_what_changed(
    world: RaceRun, capsys: pytest.CaptureFixture[str]
) -> None:
    def replayed(only: Only, *, as_json: bool) -> tuple[str, str]:
        planned = replay.plan(world.target, "search", now=datetime.now(UTC))
        assert show_replay(world.target, planned, only, rate=500, yes=True, as_json=as_json) == 0
        told = capsys.readouterr()
        return told.out, told.err

    said, shown = replayed("all", as_json=False)
    assert "Nothing changed" in said
    assert "for search.gallery" in shown and "PhotoMatched" in shown
    world.empty("search")
    told = json.loads(replayed("missing", as_json=True)[0])
    assert (told["stage"], told["only"], set(told["sent"])) == ("search", "missing", {"gallery"})
    assert set(told["changed"]["photos"]) == {id_of(SHOWN), id_of(HIDDEN)}
    assert told["changed"]["uploads"][world.key("a.jpg")] == {"before": "in progress", "after": "searchable"}
    said, shown = replayed("missing", as_json=False)
    assert "Nothing changed" in said, "only what people decided was sent"
    assert "PhotoMatched" not in shown


def test_a_dead_letter_is_explained_by_its_functions_log_and_goes_back(world: RaceRun) -> None:
    client, functions = world.target.client("sqs"), world.target.client("lambda")
    url = queues.url_of(client, naming.queue("dev", "search", "gallery"))
    name = naming.function("dev", "search", "gallery")
    (feed,) = functions.list_event_source_mappings(FunctionName=name)["EventSourceMappings"]
    functions.update_event_source_mapping(UUID=feed["UUID"], Enabled=False)  # or it may hide the message for long
    client.send_message(QueueUrl=url, MessageBody="nonsense")

    def receives() -> int:
        """Receive the message without hiding it; how often it was received so far, 0 while a function has it."""
        received = client.receive_message(QueueUrl=url, VisibilityTimeout=0, AttributeNames=["ApproximateReceiveCount"])
        return max(
            (int(each["Attributes"]["ApproximateReceiveCount"]) for each in received.get("Messages", [])), default=0
        )

    until(lambda: receives() >= MAX_FAILURES - 1)  # as if it had failed so often already
    functions.update_event_source_mapping(UUID=feed["UUID"], Enabled=True)
    (letter,) = until(
        lambda: [
            each for each in with_reasons(world.target, letters(world.target, "search")) if each.reason != "unknown"
        ]
    )
    assert (letter.what, letter.reason, letter.error) == ("not readable", "InvalidMessage", "The message is not JSON.")
    assert redrive(world.target, waiting(world.target, "search"), rate=100).moved == 1
    assert letters(world.target, "search") == []
    until(lambda: backlog(world.target) == 1)
    client.purge_queue(QueueUrl=url)


def test_the_embedded_replay_reaches_the_chosen_rule_alone_and_uploads_are_archived(world: RaceRun) -> None:
    events, client = world.target.client("events"), world.target.client("sqs")
    archive = events.describe_archive(ArchiveName=naming.uploads_archive("dev"))
    begin = archive["CreationTime"] - timedelta(minutes=1)
    arns = {}
    for name in ("chosen", "another"):
        client.create_queue(QueueName=name)
        arns[name] = events.put_rule(Name=name, EventPattern='{"replay-name": [{"exists": true}]}')["RuleArn"]
        target = {"Id": "queue", "Arn": f"arn:aws:sqs:us-east-1:000000000000:{name}"}
        events.put_targets(Rule=name, Targets=[target])
    events.start_replay(
        ReplayName="by-hand",
        EventSourceArn=archive["ArchiveArn"],
        EventStartTime=begin,
        EventEndTime=datetime.now(UTC),
        Destination={"Arn": archive["EventSourceArn"], "FilterArns": [arns["chosen"]]},
    )
    until(lambda: events.describe_replay(ReplayName="by-hand")["State"] == "COMPLETED")
    depths = {name: queues.depth(client, queues.url_of(client, name)) for name in arns}
    assert depths == {"chosen": archive["EventCount"], "another": 0}
    assert archive["EventCount"] >= 8, "race.json, roster.csv, five photos, a deletion"
    assert backlog(world.target) == 0, "nor the rules of the stages"
    for name in arns:
        events.remove_targets(Rule=name, Ids=["queue"])
        events.delete_rule(Name=name)


# --- restores beside what is live ---------------------------------------------------------------------------


def _standing(target: Target) -> set[str]:
    return set(target.client("dynamodb").list_tables()["TableNames"])


def test_a_drill_restores_backups_replays_what_came_since_and_leaves_nothing_behind(
    world: RaceRun, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    taken = backups.take(world.target, backups.with_tables())
    show_backup(world.target, only_list=True, as_json=True)
    assert {each["id"] for each in json.loads(capsys.readouterr().out)} == {each.id for each in taken}
    world.put("late.jpg", picture(LATE))
    world.put("late-copy.jpg", picture(LATE))
    world.quiet()
    standing, tables, archived, looked = _standing(world.target), world.tables(), world.archived(), world.looked()

    outcome = drill.drill(world.target, from_backups=True)
    assert outcome.ok
    assert [(each.race, each.live) for each in outcome.races] == [(str(RACE), state_hash(world.target, RACE))]
    assert outcome.replayed >= 3, "what the gallery heard of the photo, and what was decided"
    assert {each.stage for each in outcome.tables} == {card.name for card in cards() if card.has_table}
    gallery = next(each for each in outcome.tables if each.stage == "search")
    assert gallery.items == gallery.items_live == len(tables["search"])
    assert outcome.rpo_s > 0 and outcome.rto_s > 0
    assert (outcome.lost_at - min(each.at for each in taken)).total_seconds() == pytest.approx(outcome.rpo_s, abs=0.1)
    assert (_standing(world.target), world.tables(), world.archived(), world.looked()) == (
        standing,
        tables,
        archived,
        looked,
    ), "what is live has no part in it"

    monkeypatch.setattr(drill, "choose", lambda *_: [])
    assert show_drill(world.target, from_backups=True, as_json=False) == 1, "without the replay the photo is missing"
    assert "0 of 1" in capsys.readouterr().out
    assert _standing(world.target) == standing


def test_a_drill_to_the_last_moment_needs_no_replay_of_photos(
    world: RaceRun, capsys: pytest.CaptureFixture[str]
) -> None:
    second = datetime.now(UTC)
    until(lambda: datetime.now(UTC) > second + timedelta(seconds=1))
    assert show_drill(world.target, from_backups=False, as_json=True) == 0
    outcome = msgspec.json.decode(capsys.readouterr().out, type=drill.Drill)
    assert outcome.ok
    assert outcome.rpo_s < 60
    # Insight works out each minute as it passes, also while a drill goes on.
    assert all(each.items == each.items_live for each in outcome.tables if each.stage != "insight")


def test_a_drill_that_was_killed_is_tidied_up_by_the_next(world: RaceRun, monkeypatch: pytest.MonkeyPatch) -> None:
    standing = _standing(world.target)
    left = naming.drill_table(world.target.table_name("search"))
    backups.to_a_moment(world.target, "search", left, None)
    assert _standing(world.target) == {*standing, left}

    def breaks(*_: Any) -> Any:
        raise KeyboardInterrupt

    with monkeypatch.context() as interrupted:
        interrupted.setattr(drill, "state_hash", breaks)
        with pytest.raises(KeyboardInterrupt):
            drill.drill(world.target, from_backups=False)
    assert _standing(world.target) == standing, "an interrupted one tidies up itself"


def test_a_table_is_restored_to_a_moment_as_the_next_generation(
    world: RaceRun, capsys: pytest.CaptureFixture[str]
) -> None:
    client, tables = world.target.client("dynamodb"), world.tables()
    assert world.before_deletion
    at = (world.before_deletion + timedelta(seconds=1)).isoformat()
    assert show_restore(world.target, "search", at, None, yes=True, as_json=True) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["table"], told["generation"]) == ("snaprace-dev-search-2", 2)
    then = replace(world.target, instead=lambda _name: told["table"])
    gone = ShownPhoto.locate(RACE, id_of(GONE))
    before, now = then.records("search").get(gone), world.target.records("search").get(gone)
    assert before and before.keys and not (now and now.keys), "it shows what was deleted since"
    recovery = client.describe_continuous_backups(TableName=told["table"])["ContinuousBackupsDescription"]
    assert recovery["PointInTimeRecoveryDescription"]["PointInTimeRecoveryStatus"] == "ENABLED"
    arn = client.describe_table(TableName=told["table"])["Table"]["TableArn"]
    assert client.list_tags_of_resource(ResourceArn=arn)["Tags"] == [{"Key": "snaprace:backup", "Value": "dev"}]
    assert world.tables() == tables, "the live tables stay as they are"
    with pytest.raises(Failed, match="can be restored to any second from"):
        show_restore(world.target, "search", "2020-01-01T00:00", None, yes=True, as_json=True)
    client.delete_table(TableName=told["table"])


def test_a_backup_is_restored_by_the_end_of_its_id(world: RaceRun, capsys: pytest.CaptureFixture[str]) -> None:
    (taken,) = backups.take(world.target, ["races"])
    assert show_restore(world.target, "races", None, taken.id[-8:], yes=True, as_json=True) == 0
    told = json.loads(capsys.readouterr().out)
    copy = replace(world.target, instead=lambda _name: told["table"])
    assert list(races(copy)) == [RACE]
    with pytest.raises(Failed, match="has no backup called 'ffff'"):
        backups.named(world.target, "races", "ffff")
    world.target.client("dynamodb").delete_table(TableName=told["table"])


def test_only_what_a_function_keeps_in_its_own_table_is_run_on_another(world: RaceRun) -> None:
    target, tables = world.target, world.tables()
    alone = [(card.name, each.name) for card in cards() for each in card.functions if live_function.keeps_alone(each)]
    assert alone == [("search", "gallery")]
    with pytest.raises(Failed, match="does more than to keep what it hears"):
        live_function.running(target, "ocr", card_of("ocr").functions[0], "another").__enter__()

    gallery = card_of("search").function("gallery")
    table = naming.drill_table(target.table_name("search"))
    backups.to_a_moment(target, "search", table, None)
    with (
        live_function.running(target, "search", gallery, table) as live,
        pytest.raises(Failed, match=r"snaprace-dev-search-gallery could not be run on the restored table: "),
    ):
        live.hear(["nonsense"])
    assert world.tables() == tables
    assert dead_letters(target) == {}, "nor does it reach the function's queues"
    target.client("dynamodb").delete_table(TableName=table)
