"""An organizer's corrections: checked before they are said, said on the bus, and waited for."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from ops.look.photo import PhotoReport, identified, photo_report
from ops.race import correct
from ops.race.correct import bib_correction, match_cut, say
from ops.reach.target import Target
from services.faces.records import Correction
from services.races.records import RosterHeld
from shared.contracts import events, naming
from shared.contracts.errors import SnapRaceError
from shared.contracts.events import BibCorrected, Bibs, Envelope, MatchCut, ObjectRef, Reading
from shared.contracts.roster.runners import Runner, to_json
from tests.kit import kept_photo, search_stage
from tests.kit.deployed import ENV, keep
from tests.kit.kept_photo import ALONE, OTHER, PHOTO, RACE, RUNNERS, box, face, identity, key_of, not_ingested
from tests.kit.search_stage import SearchStage

ROSTER_KEY = "roster.json"


@pytest.fixture(scope="module")
def race(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Target, SearchStage]]:
    with (
        pytest.MonkeyPatch.context() as monkeypatch,
        kept_photo.everywhere(monkeypatch, tmp_path_factory.mktemp("home")) as (target, world),
    ):
        names = ("42", "7", "8")
        roster = to_json(Runner(bib=bib, printed=bib, name="") for bib in names)
        target.client("s3").put_object(Bucket=target.photo_bucket, Key=ROSTER_KEY, Body=roster)
        keep(roster_held(target), race=RACE)
        yield target, world


def roster_held(target: Target) -> RosterHeld:
    where = ObjectRef(bucket=target.photo_bucket, key=ROSTER_KEY, sha256="")
    return RosterHeld(roster=where, runners=3, revision="01")


@pytest.fixture
def target(race: tuple[Target, SearchStage]) -> Target:
    identity()
    identity(OTHER, faces=(face("o-1", 0.3),), runners=())
    identity(ALONE, faces=(), runners=())
    race[1].hear(search_stage.matched(1, *RUNNERS, revision=round(time.time() * 1000)))
    return race[0]


def photo(target: Target, number: int = 1) -> PhotoReport:
    return photo_report(target, RACE, key_of(number))


Heard = list[Envelope]


@pytest.fixture
def listening(race: tuple[Target, SearchStage], target: Target) -> Iterator[Heard]:
    """The faces stage and the gallery hear what is said from now on, with the stages' own code."""
    heard: Heard = []
    client = target.client("events")

    def hear(params: dict[str, Any], **_: Any) -> None:
        for entry in params["Entries"]:
            assert entry["EventBusName"] == naming.bus(ENV)
            envelope = events.parse(entry["DetailType"], json.loads(entry["Detail"]))
            heard.append(envelope)
            kept_photo.follow(race[1], target, envelope.data)

    client.meta.events.register("provide-client-params.events.PutEvents", hear)
    yield heard
    client.meta.events.unregister("provide-client-params.events.PutEvents", hear)


def test_a_runner_is_added_at_her_face_and_the_answer_says_so(target: Target, listening: Heard) -> None:
    said = say(target, photo(target), bib_correction(target, photo(target), "008", here=True, face=3))
    (envelope,) = listening
    assert isinstance(envelope.data, BibCorrected)
    assert (envelope.data.bib, envelope.data.here, envelope.data.photo_id) == ("8", True, PHOTO)
    assert envelope.data.box is not None
    assert envelope.data.box.left == 0.8
    assert envelope.data.revision > 1_700_000_000_000, "milliseconds, so that a later word is later"
    assert envelope.meta.id == events.event_id(envelope.data)
    assert said == "In 결승 1.jpg now: 8 (confirmed)."


def test_a_runner_is_taken_out(target: Target, listening: Heard) -> None:
    read = Reading(bib="42", text="42", confidence=97.5, box=box(0.1), verified=True)
    identity(bibs=Bibs(readings=(read,)), runners=())
    said = say(target, photo(target), bib_correction(target, photo(target), "42", here=False, face=None))
    assert said == "In 결승 1.jpg now: nobody known."
    (envelope,) = listening
    assert isinstance(envelope.data, BibCorrected)
    assert (envelope.data.here, envelope.data.box) == (False, None)


def test_faces_are_told_apart_and_put_together_again_by_the_same_boxes(target: Target, listening: Heard) -> None:
    first, second = photo(target), photo(target, 2)
    say(target, first, match_cut(first, second, face=3, other_face=None, undo=False))
    moved = (face("f-right", 0.81), face("f-left", 0.1), face("f-middle", 0.45))  # looked at again
    keep(msgspec.structs.replace(identified(target, RACE, PHOTO), faces=moved), race=RACE)
    again = photo(target)
    say(target, again, match_cut(again, second, face=3, other_face=1, undo=True))
    cut, undone = (envelope.data for envelope in listening)
    assert isinstance(cut, MatchCut)
    assert isinstance(undone, MatchCut)
    assert (cut.cut, cut.box.left, cut.other_photo_id, cut.other_box.left) == (True, 0.8, OTHER, 0.3)
    assert (undone.cut, undone.box, undone.other_box) == (False, cut.box, cut.other_box)
    assert [each.cut for each in photo(target).identified.cuts] == [False]


Order = Callable[[Target], Any]


@pytest.mark.parametrize(
    ("order", "sentence"),
    [
        (lambda target: bib_correction(target, photo(target), "x:1", here=True, face=1), "'x:1' is not a bib"),
        (lambda target: bib_correction(target, photo(target), "9", here=True, face=1), "no bib 9 on the race's roster"),
        (lambda target: bib_correction(target, photo(target), "8", here=True, face=None), "say which with --face"),
        (lambda target: bib_correction(target, photo(target), "8", here=True, face=4), "There is no face 4 in 결승 1"),
        (lambda target: bib_correction(target, photo(target), "8", here=True, face=0), "There is no face 0 in 결승 1"),
        (lambda target: bib_correction(target, photo(target, 3), "8", here=True, face=1), "No face is known in 결승 3"),
        (lambda target: cut(target, 1, 1), "Two faces in one photo are different people already"),
        (lambda target: cut(target, 1, 3, face=1), "No face is known in 결승 3.jpg"),
        (lambda target: cut(target, 1, 2), "There are 3 faces in 결승 1.jpg: say which with --face"),
        (lambda target: cut(target, 2, 1), "say which with --other-face"),
        (lambda target: cut(target, 1, 2, face=1, undo=True), "Nobody has told these faces in 결승 1.jpg and 결승 2"),
    ],
)
def test_what_cannot_be_said_is_refused_in_one_sentence(target: Target, order: Order, sentence: str) -> None:
    with pytest.raises(SnapRaceError, match=re.escape(sentence)):
        order(target)


def cut(target: Target, first: int, second: int, *, face: int | None = None, undo: bool = False) -> MatchCut:
    return match_cut(photo(target, first), photo(target, second), face=face, other_face=None, undo=undo)


def test_a_photo_without_faces_takes_a_bib_alone(target: Target) -> None:
    assert bib_correction(target, photo(target, 3), "8", here=True, face=None).box is None


def test_what_is_no_photo_takes_no_correction(target: Target) -> None:
    key = f"{RACE.prefix}raw_photos/broken.jpg"
    not_ingested(key, "rejected", "empty", "The file is empty.")
    with pytest.raises(SnapRaceError, match=r"broken\.jpg is no photo that runners are shown: The file is empty\."):
        bib_correction(target, photo_report(target, RACE, key), "8", here=True, face=None)


def test_a_race_without_a_roster_takes_any_bib(target: Target) -> None:
    target.records("races").delete_all([RosterHeld.locate(RACE)])
    assert bib_correction(target, photo(target), "A99", here=True, face=1).bib == "A99"
    keep(roster_held(target), race=RACE)


def test_it_is_waited_for_new_reasons_too_where_the_same_runners_stay(
    target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(correct, "SHOWN_SECONDS", 0.1)  # time to look once
    word = bib_correction(target, photo(target), "8", here=False, face=None)
    corrections = (Correction(bib="8", here=False, box=None, revision=word.revision),)
    identity(corrections=corrections)
    assert say(target, photo(target), word) == "In 결승 1.jpg now: 42 (confirmed), 7 (inferred)."
    identity(corrections=corrections, runners=tuple(msgspec.structs.replace(each, evidence=()) for each in RUNNERS))
    with pytest.raises(SnapRaceError, match="It is said"):
        say(target, photo(target), word)


def test_a_word_that_nothing_shows_is_said_to_be_unheard(
    target: Target, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(correct, "SHOWN_SECONDS", 0.1)  # time to look once
    with pytest.raises(SnapRaceError, match=r"It is said, but 결승 1\.jpg does not show it after 0\.1 s"):
        say(target, photo(target), bib_correction(target, photo(target), "8", here=True, face=1))
