"""The races function on moto: the newest usable upload holds, whatever order uploads are told in."""

from __future__ import annotations

import itertools
import json
import random
from collections.abc import Iterator
from typing import Any

import pytest
from moto import mock_aws

from services.races.stage import STAGE
from shared.contracts.events import RaceConfigured, RaceRejected, RosterImported, RosterRejected
from shared.contracts.keys import RaceRef
from shared.contracts.race import MAX_PROBLEMS_KEPT, bibs_of_roster, digest
from tests.kit.desk import DERIVED, Desk, calls, latest

RACE = RaceRef("org", "race")
RACE_KEY, ROSTER_KEY = "org/race/race.json", "org/race/roster.csv"


@pytest.fixture
def desk(monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    with mock_aws():
        yield Desk(monkeypatch)


def race_json(**settings: Any) -> bytes:
    return json.dumps({"name": "서울 마라톤", "date": "2026-10-25", "timezone": "Asia/Seoul", **settings}).encode()


def only(events: list[Any]) -> Any:
    assert len(events) == 1, events
    return events[0]


def test_a_race_is_configured(desk: Desk) -> None:
    uploaded = desk.upload(RACE_KEY, race_json(faces=True, bib_rules={"prefixes": ["", "A"]}, min_confidence=82.5))
    assert desk.deliver("races", uploaded) == []
    event = only(desk.heard())
    assert isinstance(event, RaceConfigured)
    assert (event.race, event.settings.name, event.settings.faces) == (RACE, "서울 마라톤", True)
    assert event.revision == uploaded["detail"]["object"]["sequencer"]
    items = desk.items("races", RACE.partition)
    assert items["RACE"]["settings"]["min_confidence"] == 82.5
    assert items["OUTCOME#race.json"]["ok"] is True


def test_a_roster_is_imported_as_a_claim_check_even_before_its_race(desk: Desk) -> None:
    rows = "bib,name\n0042,김철수\nx:1,bad\nA7,Ann\n42,again\n" + "!,bad\n" * 150
    desk.deliver("races", desk.upload(ROSTER_KEY, rows.encode()))
    event = only(desk.heard())
    assert isinstance(event, RosterImported)
    assert (event.runners, len(event.problems)) == (2, MAX_PROBLEMS_KEPT)
    assert [problem.line for problem in event.problems[:2]] == [3, 5]
    body = desk.s3.get_object(Bucket=event.roster.bucket, Key=event.roster.key)["Body"].read()
    assert digest(body) == event.roster.sha256
    assert bibs_of_roster(body) == {"42", "A7"}
    items = desk.items("races", RACE.partition)
    assert len(items["ROSTER"]["problems"]) == len(items["OUTCOME#roster.csv"]["problems"]) == MAX_PROBLEMS_KEPT
    assert items["ROSTER"]["roster"]["sha256"] == event.roster.sha256


@pytest.mark.parametrize(
    ("key", "body", "reason"),
    [
        (RACE_KEY, b"", "race_not_json"),
        (RACE_KEY, b"\xff\xfe", "race_not_json"),
        (RACE_KEY, b'{"name": "x"}', "race_invalid"),
        (RACE_KEY, race_json(timezone="Asia"), "race_invalid"),
        (RACE_KEY, race_json(timezone="a" * 5000), "race_invalid"),
        (RACE_KEY, race_json(nonsense=1), "race_invalid"),
        (RACE_KEY, race_json(min_confidence=1e-200), "race_invalid"),
        (RACE_KEY, race_json(bib_rules={"lowest": 10**60}), "race_invalid"),
        (RACE_KEY, race_json(watermark={"left": 0, "top": 0, "width": 1e-200, "height": 1}), "race_invalid"),
        (RACE_KEY, race_json(name="x" * 70_000), "race_too_large"),
        (ROSTER_KEY, b"", "roster_no_bib_column"),
        (ROSTER_KEY, b"name\nx\n", "roster_no_bib_column"),
        (ROSTER_KEY, b"bib\n", "roster_empty"),
        (ROSTER_KEY, b"\x00\x01", "roster_not_text"),
        (ROSTER_KEY, b"\xff\xff\xff", "roster_encoding"),
        (ROSTER_KEY, b"bib\n" + b"?\n" * 20_000, "roster_too_many_problems"),
        (ROSTER_KEY, b"bib,name\n1," + b"x" * 200_000, "roster_not_csv"),
    ],
)
def test_what_cannot_be_used_is_rejected_with_its_reason(desk: Desk, key: str, body: bytes, reason: str) -> None:
    """Invariant 11."""
    assert desk.deliver("races", desk.upload(key, body)) == []
    event = only(desk.heard())
    assert isinstance(event, RaceRejected | RosterRejected)
    assert event.reason == reason
    assert len(event.message) <= 500
    outcome = desk.items("races", RACE.partition)[f"OUTCOME#{key.rsplit('/', 1)[1]}"]
    assert (outcome["ok"], outcome["reason"], outcome["message"]) == (False, reason, event.message)


def test_a_roster_too_large_is_rejected_unread(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.races.domain.files.MAX_ROSTER_BYTES", 10)
    desk.deliver("races", desk.upload(ROSTER_KEY, b"bib,name\n1,a\n"))
    assert only(desk.heard()).reason == "roster_too_large"


def test_a_cell_however_long_fits_the_event(desk: Desk) -> None:
    rows = "bib,name\n1,a\n" + ("x" * 50_000 + ",b\n") * 120
    assert desk.deliver("races", desk.upload(ROSTER_KEY, rows.encode())) == []
    assert all(len(problem.message) < 200 for problem in only(desk.heard()).problems)


def test_a_rejected_race_leaves_what_was_configured(desk: Desk) -> None:
    desk.deliver("races", desk.upload(RACE_KEY, race_json()), desk.upload(RACE_KEY, b"{"))
    items = desk.items("races", RACE.partition)
    assert items["RACE"]["settings"]["name"] == "서울 마라톤"
    assert items["OUTCOME#race.json"]["ok"] is False


@pytest.mark.parametrize(
    "key", ["org/race/raw_photos/race.json", "a/b/c/race.json", "org/race/raw_photos/x/roster.csv"]
)
def test_files_elsewhere_are_none_of_our_business(desk: Desk, key: str) -> None:
    assert desk.deliver("races", desk.upload(key, race_json())) == []
    assert (desk.heard(), calls()) == ([], {})


def test_an_upload_that_is_gone_says_nothing(desk: Desk) -> None:
    created = desk.upload(RACE_KEY, race_json())
    desk.erase(RACE_KEY, created)
    unversioned = desk.upload(ROSTER_KEY, b"bib\n1\n")
    del unversioned["detail"]["object"]["version-id"]
    overwritten = desk.upload(ROSTER_KEY, b"bib\n2\n")
    assert desk.deliver("races", created, unversioned) == []
    assert desk.heard() == []
    assert desk.deliver("races", overwritten) == []
    assert only(desk.heard()).runners == 1


def test_a_redelivery_says_the_same_again_without_reading(desk: Desk) -> None:
    for uploaded in (desk.upload(RACE_KEY, race_json()), desk.upload(ROSTER_KEY, b"bib\n1\n?\n"),
                     desk.upload(RACE_KEY, b"{"), desk.upload(ROSTER_KEY, b"no")):  # fmt: skip
        desk.deliver("races", uploaded)
        desk.deliver("races", uploaded)
        assert calls() == {"dynamodb.GetItem": 2, "eventbridge.PutEvents": 1}
        first, second = desk.heard()
        assert first == second


def test_a_replay_that_changes_nothing_is_marked_and_one_that_does_is_news(desk: Desk) -> None:
    """Invariant 6."""
    told = story(desk)
    desk.deliver("races", *told)
    said, before = desk.envelopes(), desk.items("races", RACE.partition)
    assert {envelope.meta.replay for envelope in said} == {None}
    desk.deliver("races", *map(desk.replayed, told))
    again = desk.envelopes()
    assert {one.meta.id for one in again} == {said[number].meta.id for number in (1, 2, 4)}, "of what holds now"
    assert {one.meta.replay for one in again} == {"again"}
    assert desk.items("races", RACE.partition) == before
    forget(desk)
    desk.deliver("races", *map(desk.replayed, told))
    news = desk.envelopes()
    assert [one.meta.id for one in news] == [one.meta.id for one in said]
    assert {one.meta.replay for one in news} == {None}


def test_requests_of_an_upload(desk: Desk) -> None:
    kept = {"dynamodb.GetItem": 2, "dynamodb.TransactWriteItems": 1, "s3.GetObject": 1, "eventbridge.PutEvents": 1}
    desk.deliver("races", desk.upload(RACE_KEY, race_json()))
    assert calls() == kept
    desk.deliver("races", desk.upload(ROSTER_KEY, b"bib\n1\n"))
    assert calls() == kept | {"s3.PutObject": 1}


def story(desk: Desk) -> list[dict[str, Any]]:
    return [
        desk.upload(RACE_KEY, race_json(name="First")),
        desk.upload(RACE_KEY, race_json(name="Second")),
        desk.upload(RACE_KEY, b"{"),
        desk.upload(ROSTER_KEY, b"bib\n1\n"),
        desk.upload(ROSTER_KEY, b"bib\n2\n3\n"),
    ]


def forget(desk: Desk) -> None:
    for sk in desk.items("races", RACE.partition):
        desk.dynamodb.delete_item(TableName="races", Key={"PK": {"S": RACE.partition}, "SK": {"S": sk}})
    desk.heard()


def outcome(desk: Desk) -> Any:
    said = desk.heard()
    believed = [latest([e for e in said if isinstance(e, kind)]) for kind in (RaceConfigured, RosterImported)]
    return desk.items("races", RACE.partition), believed


def test_every_order_and_every_repetition_ends_the_same(desk: Desk) -> None:
    """Invariants 2 and 3."""
    told = story(desk)
    desk.deliver("races", *told)
    expected = outcome(desk)
    assert expected[0]["RACE"]["settings"]["name"] == "Second"
    assert expected[0]["OUTCOME#race.json"]["ok"] is False
    assert expected[0]["ROSTER"]["runners"] == 2
    orders = random.Random(5).sample(list(itertools.permutations(told)), 40)
    for number, order in enumerate([tuple(reversed(told)), *orders]):
        forget(desk)
        desk.deliver("races", *order, *order[: number % 5])
        assert outcome(desk) == expected


@pytest.mark.parametrize("moment", ["before", "after"])
def test_crash_anywhere(desk: Desk, moment: str) -> None:
    """Invariant 4."""
    told = story(desk)

    def run(dies_at: int) -> tuple[Any, int]:
        forget(desk)
        made = desk.deliver_dying("races", told, moment, dies_at)
        return outcome(desk), made

    expected, total = run(0)
    for dies_at in range(1, total + 1):
        assert run(dies_at)[0] == expected, f"crash {moment} call {dies_at}"


def test_exactly_the_bad_records_come_back(desk: Desk) -> None:
    """Invariant 5."""
    missing = desk.upload(RACE_KEY, race_json())
    missing["detail"]["bucket"]["name"] = "no-such-bucket"
    good = desk.upload("org/other/race.json", race_json())
    assert desk.deliver("races", "{", good, missing, desk.configured(RACE), desk.delete(RACE_KEY), good) == [0, 2, 3, 4]
    assert len(desk.heard()) == 2


STORED_SETTINGS = {
    "name": "서울 마라톤",
    "date": "2026-10-25",
    "timezone": "Asia/Seoul",
    "bib_rules": {
        "prefixes": [""],
        "min_digits": 1,
        "max_digits": 5,
        "lowest": None,
        "highest": None,
        "excluded": [],
    },
    "min_confidence": 80,
    "watermark": {"left": 0.7, "top": 0.9, "width": 0.3, "height": 0.1},
    "faces": False,
    "originals": False,
}


def test_items_are_stored_as_they_ever_were(desk: Desk) -> None:
    """Every attribute by its name: tables outlive the code that filled them."""
    race = desk.upload(RACE_KEY, race_json())
    roster = desk.upload(ROSTER_KEY, b"bib\n1\n?\n")
    desk.deliver("races", race, roster)
    (imported,) = [event for event in desk.heard() if isinstance(event, RosterImported)]
    pk, (first, second) = RACE.partition, [one["detail"]["object"]["sequencer"] for one in (race, roster)]
    problems = [{"line": 3, "message": "'?' is not a bib (letters, then digits)."}]
    held = {
        "RACE": {"PK": pk, "SK": "RACE", "revision": first, "settings": STORED_SETTINGS},
        "ROSTER": {
            "PK": pk,
            "SK": "ROSTER",
            "roster": {"bucket": DERIVED, "key": imported.roster.key, "sha256": imported.roster.sha256},
            "runners": 1,
            "problems": problems,
            "revision": second,
        },
    }
    race_outcome = {"PK": pk, "SK": "OUTCOME#race.json", "sequencer": first, "ok": True}
    roster_outcome = {"PK": pk, "SK": "OUTCOME#roster.csv", "sequencer": second, "ok": True, "problems": problems}
    good = {one["SK"]: one for one in (race_outcome, roster_outcome)}
    assert desk.items("races", pk) == held | good

    race, roster = desk.upload(RACE_KEY, b"{"), desk.upload(ROSTER_KEY, b"no")
    desk.deliver("races", race, roster)
    said = desk.heard()
    bad = {
        sk: {
            "PK": pk,
            "SK": sk,
            "sequencer": event.revision,
            "ok": False,
            "reason": event.reason,
            "message": event.message,
        }
        for sk, event in zip(("OUTCOME#race.json", "OUTCOME#roster.csv"), said, strict=True)
        if isinstance(event, RaceRejected | RosterRejected)
    }
    assert desk.items("races", pk) == held | bad

    desk.deliver("races", desk.upload(ROSTER_KEY, b"bib\n1\n"))
    assert desk.items("races", pk)["OUTCOME#roster.csv"]["problems"] == []


ACTIONS = {
    "s3.GetObject": {"s3:GetObject", "s3:GetObjectVersion", "s3:ListBucket"},  # the last to hear 404, not 403
    "s3.PutObject": {"s3:PutObject"},
    "dynamodb.GetItem": {"dynamodb:GetItem"},
    "dynamodb.TransactWriteItems": {"dynamodb:PutItem"},
    "eventbridge.PutEvents": {"events:PutEvents"},
}


def test_the_card_allows_what_is_called_and_nothing_else(desk: Desk) -> None:
    """Invariant 9, as far as moto shows it."""
    made: set[str] = set()
    told = story(desk)
    desk.before_call = made.add
    desk.deliver("races", *told)
    desk.before_call = None
    needed = set().union(*(ACTIONS[operation] for operation in made))
    assert needed == {action for call in STAGE.function("intake").calls for action in call.actions}
    assert desk.s3.list_objects_v2(Bucket=DERIVED)["KeyCount"] == 2
