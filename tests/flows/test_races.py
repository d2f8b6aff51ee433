"""The races function: the newest usable upload holds, whatever order uploads are told in."""

from __future__ import annotations

import itertools
import json
import random
from collections.abc import Iterator
from typing import Any

import pytest

from services.races.edges import Races
from services.races.records import RaceHeld, RaceOutcome, RefusedBibs, RosterHeld, RosterOutcome
from shared.contracts.events import BibsRefused, RaceConfigured, RaceRejected, RosterImported, RosterRejected
from shared.contracts.keys import RACE_FILE, ROSTER_FILE
from shared.contracts.roster.runners import MAX_PROBLEMS_KEPT, bibs_of_roster, digest
from shared.kit import aws
from tests.kit.compare import assert_same
from tests.kit.events import RACE, configured, on_the_bus, replayed
from tests.kit.wire import InArchive, Mishap, client
from tests.kit.world import World, latest, world

INTAKE = "races.intake"
RACE_KEY, ROSTER_KEY = f"{RACE.prefix}{RACE_FILE}", f"{RACE.prefix}{ROSTER_FILE}"
HELD, ROSTER = RaceHeld.prefix(), RosterHeld.prefix()
RACE_OUTCOME, ROSTER_OUTCOME = RaceOutcome.prefix(), RosterOutcome.prefix()
REFUSED = RefusedBibs.prefix()


@pytest.fixture
def here() -> Iterator[World]:
    with world() as made:
        yield made


def race_json(**settings: Any) -> bytes:
    return json.dumps({"name": "서울 마라톤", "date": "2026-10-25", "timezone": "Asia/Seoul", **settings}).encode()


def only(events: list[Any]) -> Any:
    assert len(events) == 1, events
    return events[0]


def test_a_race_is_configured(here: World) -> None:
    uploaded = here.upload(RACE_KEY, race_json(faces=True, bib_rules={"prefixes": ["", "A"]}, min_confidence=82.5))
    assert here.deliver(INTAKE, uploaded) == []
    event = only(here.heard())
    assert isinstance(event, RaceConfigured)
    assert (event.race, event.settings.name, event.settings.faces) == (RACE, "서울 마라톤", True)
    assert event.revision == uploaded["detail"]["object"]["sequencer"]
    items = here.items("races")
    assert items[HELD]["settings"]["min_confidence"] == 82.5
    assert items[RACE_OUTCOME]["ok"] is True


def test_a_roster_is_imported_as_a_claim_check_even_before_its_race(here: World) -> None:
    rows = "bib,name\n0042,김철수\nx:1,bad\nA7,Ann\n42,again\n" + "!,bad\n" * 150
    here.deliver(INTAKE, here.upload(ROSTER_KEY, rows.encode()))
    event = only(here.heard())
    assert isinstance(event, RosterImported)
    assert (event.runners, len(event.problems)) == (2, MAX_PROBLEMS_KEPT)
    assert [problem.line for problem in event.problems[:2]] == [3, 5]
    body = client("s3").get_object(Bucket=event.roster.bucket, Key=event.roster.key)["Body"].read()
    assert digest(body) == event.roster.sha256
    assert bibs_of_roster(body) == {"42", "A7"}
    items = here.items("races")
    assert len(items[ROSTER]["problems"]) == len(items[ROSTER_OUTCOME]["problems"]) == MAX_PROBLEMS_KEPT
    assert items[ROSTER]["roster"]["sha256"] == event.roster.sha256


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
        (ROSTER_KEY, b"", "roster_empty"),
        (ROSTER_KEY, b"name\nx\n", "roster_no_bib_column"),
        (ROSTER_KEY, b"bib\n", "roster_empty"),
        (ROSTER_KEY, b"\x00\x01", "roster_not_text"),
        (ROSTER_KEY, "bib,name\n1,Kučera\n".encode("cp1250"), "roster_encoding"),
        (ROSTER_KEY, b"PK\x03\x04\x14", "roster_spreadsheet"),
        (ROSTER_KEY, b"bib,bib\n1,2\n", "roster_which_bib_column"),
        (ROSTER_KEY, b'bib,name\n1,"Ann\n2,Bob\n', "roster_not_csv"),
        (ROSTER_KEY, b"bib\n" + b"?\n" * 20_000, "roster_too_many_problems"),
        (ROSTER_KEY, b"bib,name\n1," + b"x" * 200_000, "roster_not_csv"),
    ],
)
def test_what_cannot_be_used_is_rejected_with_its_reason(here: World, key: str, body: bytes, reason: str) -> None:
    """Invariant 11."""
    assert here.deliver(INTAKE, here.upload(key, body)) == []
    event = only(here.heard())
    assert isinstance(event, RaceRejected | RosterRejected)
    assert event.reason == reason
    assert len(event.message) <= 500
    outcome = here.items("races")[RACE_OUTCOME if key == RACE_KEY else ROSTER_OUTCOME]
    assert (outcome["ok"], outcome["reason"], outcome["message"]) == (False, reason, event.message)


def test_a_roster_too_large_is_rejected_unread(here: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.races.domain.files.MAX_ROSTER_BYTES", 10)
    here.deliver(INTAKE, here.upload(ROSTER_KEY, b"bib,name\n1,a\n"))
    assert only(here.heard()).reason == "roster_too_large"


def test_a_roster_in_an_archive_is_rejected_in_words_and_not_tried_again(here: World) -> None:
    uploaded = here.upload(ROSTER_KEY, b"bib,name\n1,a\n")
    here.wire.trouble = InArchive()
    assert here.deliver(INTAKE, uploaded) == []
    rejected = only(here.heard())
    assert (rejected.reason, rejected.message) == ("roster_archived", "roster.csv lies in an archive. Upload it again.")


def test_a_cell_however_long_fits_the_event(here: World) -> None:
    rows = "bib,name\n1,a\n" + ("x" * 50_000 + ",b\n") * 120
    assert here.deliver(INTAKE, here.upload(ROSTER_KEY, rows.encode())) == []
    assert all(len(problem.message) < 200 for problem in only(here.heard()).problems)


def test_a_rejected_race_leaves_what_was_configured(here: World) -> None:
    here.deliver(INTAKE, here.upload(RACE_KEY, race_json()), here.upload(RACE_KEY, b"{"))
    items = here.items("races")
    assert items[HELD]["settings"]["name"] == "서울 마라톤"
    assert items[RACE_OUTCOME]["ok"] is False


@pytest.mark.parametrize(
    "key", ["org/race/raw_photos/race.json", "a/b/c/race.json", "org/race/raw_photos/x/roster.csv"]
)
def test_files_elsewhere_are_none_of_our_business(here: World, key: str) -> None:
    assert here.deliver(INTAKE, here.upload(key, race_json())) == []
    assert (here.heard(), dict(aws.calls)) == ([], {})


def test_an_upload_that_is_gone_says_nothing(here: World) -> None:
    created = here.upload(RACE_KEY, race_json())
    here.erase(created)
    unversioned = here.upload(ROSTER_KEY, b"bib\n1\n")
    del unversioned["detail"]["object"]["version-id"]
    overwritten = here.upload(ROSTER_KEY, b"bib\n2\n")
    assert here.deliver(INTAKE, created, unversioned) == []
    assert here.heard() == []
    assert here.deliver(INTAKE, overwritten) == []
    assert only(here.heard()).runners == 1


def test_a_redelivery_says_the_same_again_without_reading(here: World) -> None:
    for key, body, weighed in (
        (RACE_KEY, race_json(), {"dynamodb.BatchGetItem": 1}),
        (ROSTER_KEY, b"bib\n1\n?\n", {"dynamodb.BatchGetItem": 1}),
        (RACE_KEY, b"{", {}),
        (ROSTER_KEY, b"no", {}),
    ):
        uploaded = here.upload(key, body)
        here.deliver(INTAKE, uploaded)
        here.deliver(INTAKE, uploaded)
        assert aws.calls == {"dynamodb.GetItem": 2, "eventbridge.PutEvents": 1} | weighed
        said = here.heard()
        assert said[: len(said) // 2] == said[len(said) // 2 :]


def test_a_replay_that_changes_nothing_is_marked_and_one_that_does_is_news(here: World) -> None:
    """Invariant 6."""
    told = story(here)
    here.deliver(INTAKE, *told)
    said, before = here.envelopes(), here.items("races")
    assert {envelope.meta.replay for envelope in said} == {None}
    here.deliver(INTAKE, *map(replayed, told))
    again = here.envelopes()
    assert {one.meta.id for one in again} == {said[number].meta.id for number in (1, 2, 5, 6)}, "of what holds now"
    assert {one.meta.replay for one in again} == {"again"}
    assert here.items("races") == before
    forget(here)
    here.deliver(INTAKE, *map(replayed, told))
    news = here.envelopes()
    assert [one.meta.id for one in news] == [one.meta.id for one in said]
    assert {one.meta.replay for one in news} == {None}


def test_requests_of_an_upload(here: World) -> None:
    kept = {
        "dynamodb.GetItem": 2,
        "dynamodb.TransactWriteItems": 1,
        "dynamodb.BatchGetItem": 1,
        "s3.GetObject": 1,
        "eventbridge.PutEvents": 1,
    }
    here.deliver(INTAKE, here.upload(RACE_KEY, race_json()))
    assert aws.calls == kept
    here.deliver(INTAKE, here.upload(ROSTER_KEY, b"bib\n1\n"))
    assert aws.calls == kept | {"s3.PutObject": 1, "s3.GetObject": 2, "dynamodb.PutItem": 1}


def test_bibs_that_the_rules_refuse_are_told_whichever_file_came_last(here: World) -> None:
    roster = here.upload(ROSTER_KEY, b"bib,name\n1042,Kim\nF318,Lee\n?,Bad\n727-2,Park\n")
    rules = here.upload(RACE_KEY, race_json())
    for order in ((roster, rules), (rules, roster), (rules, roster, rules, roster)):
        forget(here)
        here.deliver(INTAKE, *order)
        told = {event.refused: event for event in here.heard() if isinstance(event, BibsRefused)}
        assert [problem.line for problem in told[2].problems] == [3, 5]
        assert "prefixes allows no letters" in told[2].problems[0].message
        assert "--format number-leg" in told[2].problems[1].message
        assert (here.items("races")[REFUSED]["refused"], here.items("races")[ROSTER]["runners"]) == (2, 3)
    here.deliver(INTAKE, here.upload(RACE_KEY, race_json(bib_rules={"prefixes": ["", "F"], "formats": ["number-leg"]})))
    (event,) = [event for event in here.heard() if isinstance(event, BibsRefused)]
    assert [problem.line for problem in event.problems] == [2, 3]
    here.deliver(INTAKE, here.upload(ROSTER_KEY, b"bib,name\nF727-2,Park\n"))
    (event,) = [event for event in here.heard() if isinstance(event, BibsRefused)]
    assert (event.refused, event.problems) == (0, ())


def test_what_is_refused_is_of_the_newest_roster_also_when_two_are_taken_in_at_once(
    here: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    here.deliver(INTAKE, here.upload(RACE_KEY, race_json()), here.upload(ROSTER_KEY, b"bib\n1\n"))
    second, third = here.upload(ROSTER_KEY, b"bib\n1\nF2\n"), here.upload(ROSTER_KEY, b"bib\n1\nF2\nF3\n")
    weighed, meanwhile = Races.weighed, [third]

    def slow(races: Races, race: Any) -> Any:
        read = weighed(races, race)
        if meanwhile:
            assert here.deliver(INTAKE, meanwhile.pop()) == []
        return read

    monkeypatch.setattr(Races, "weighed", slow)
    assert here.deliver(INTAKE, second) == []
    assert here.items("races")[REFUSED]["refused"] == 2
    assert here.items("races")[REFUSED]["roster_revision"] == third["detail"]["object"]["sequencer"]


def test_of_refused_bibs_the_first_are_named_and_all_are_counted(here: World) -> None:
    roster = here.upload(ROSTER_KEY, b"bib\n1\n" + b"".join(b"F%d\n" % bib for bib in range(MAX_PROBLEMS_KEPT + 7)))
    here.deliver(INTAKE, here.upload(RACE_KEY, race_json()), roster)
    (event,) = [event for event in here.heard() if isinstance(event, BibsRefused)]
    assert (len(event.problems), event.refused) == (MAX_PROBLEMS_KEPT, MAX_PROBLEMS_KEPT + 7)
    assert event.problems[-1].message == f"from here on 8 more rows cannot be used, of {MAX_PROBLEMS_KEPT + 7} in all."


def story(here: World) -> list[dict[str, Any]]:
    return [
        here.upload(RACE_KEY, race_json(name="First")),
        here.upload(RACE_KEY, race_json(name="Second")),
        here.upload(RACE_KEY, b"{"),
        here.upload(ROSTER_KEY, b"bib\n1\n"),
        here.upload(ROSTER_KEY, b"bib\n2\n3\n"),
    ]


def forget(here: World) -> None:
    here.lose_table("races")
    here.heard()


def outcome(here: World) -> Any:
    said = here.heard()
    believed = [latest([e for e in said if isinstance(e, kind)]) for kind in (RaceConfigured, RosterImported)]
    refused = [event for event in said if isinstance(event, BibsRefused)]
    newest = max(refused, key=lambda event: (event.revision, event.roster_revision))
    return {"races": here.items("races"), "believed": [*believed, newest]}


def test_every_order_and_every_repetition_ends_the_same(here: World) -> None:
    """Invariants 2 and 3."""
    told = story(here)
    here.deliver(INTAKE, *told)
    expected = outcome(here)
    assert expected["races"][HELD]["settings"]["name"] == "Second"
    assert expected["races"][RACE_OUTCOME]["ok"] is False
    assert expected["races"][ROSTER]["runners"] == 2
    orders = random.Random(5).sample(list(itertools.permutations(told)), 40)
    for number, order in enumerate([tuple(reversed(told)), *orders]):
        forget(here)
        here.deliver(INTAKE, *order, *order[: number % 5])
        assert_same(outcome(here), expected)


@pytest.mark.parametrize("mishap", ["killed", pytest.param("killed before", marks=pytest.mark.soak)])
def test_crash_anywhere(here: World, mishap: Mishap) -> None:
    """Invariant 4."""
    told = story(here)

    def run(dies_at: int) -> tuple[Any, int]:
        forget(here)
        made = here.deliver_dying(INTAKE, told, mishap, dies_at)
        return outcome(here), made

    expected, total = run(0)
    for dies_at in range(1, total + 1):
        assert_same(run(dies_at)[0], expected, f"{mishap}: call {dies_at}")


def test_exactly_the_bad_records_come_back(here: World) -> None:
    """Invariant 5."""
    missing = here.upload(RACE_KEY, race_json())
    missing["detail"]["bucket"]["name"] = "no-such-bucket"
    good = here.upload("org/other/race.json", race_json())
    other = on_the_bus(configured())
    assert here.deliver(INTAKE, "{", good, missing, other, here.delete(RACE_KEY), good) == [0, 2, 3, 4]
    assert len(here.heard()) == 2
