"""snaprace race show proposes what is read on banners, by what the stages keep of the photos."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from ops.cli.show_races import show_race
from ops.look.banners import SAMPLE, banners
from ops.look.races import look_at
from ops.reach.target import Target
from services.faces.records import IdentifiedPhoto
from services.ocr.records import ReadPhoto, Word
from services.races.records import RaceHeld
from services.search.records import BibEntry
from shared.contracts.events import Bibs, Box, Face, MatchedRunner, Reading
from tests.kit.deployed import configure, deployed, keep
from tests.kit.events import RACE

PHOTOS = 30
BANNER = Box(left=0.4, top=0.05, width=0.1, height=0.05)


@pytest.fixture
def target(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Target]:
    with deployed(monkeypatch, tmp_path / "home") as target:
        configure(RACE)
        for number in range(PHOTOS):
            photo(number)
        yield target


def chest(number: int) -> Box:
    return Box(left=0.02 + 0.03 * number, top=0.3 + 0.01 * number, width=0.05, height=0.03)


def photo(number: int, *, torso: bool = False, faces: bool = True, drift: float = 0.0) -> None:
    """A photo of the favourite, 42, under a banner with 2026, as ocr, faces and search keep it."""
    photo_id = f"{number:032x}"
    places = {"42": chest(number), "2026": msgspec.structs.replace(BANNER, left=BANNER.left + drift)}
    readings = tuple(
        Reading(bib=bib, text=bib, confidence=97.5, box=box, verified=False) for bib, box in places.items()
    )
    words = tuple(Word(text=bib, confidence=97.5, box=box, torso=torso and bib == "42") for bib, box in places.items())
    face = Face(face_id="f", box=chest(number), confidence=99.0)
    runners = tuple(
        MatchedRunner(
            bib=bib, status="confirmed", confidence=97.5, read=True, face_id="f" if faces and bib == "42" else None
        )
        for bib in places
    )
    entries = (
        BibEntry(
            photo_id=photo_id,
            shot_at=f"2026-10-25T09:{number:02}:00.000",
            uploaded_at="2026-10-25T12:00:00Z",
            bib=bib,
            status="confirmed",
            confidence=97.5,
            read=True,
        )
        for bib in places
    )
    keep(
        ReadPhoto(photo_id=photo_id, photo_revision=1, revision=1, words=words, bibs=Bibs(readings=readings)),
        IdentifiedPhoto(photo_id=photo_id, faces=(face,) if faces else (), runners=runners),
        *entries,
        race=RACE,
    )


def proposed(target: Target) -> list[tuple[str, int, int]]:
    return [(each.bib, each.photos, each.worn) for each in banners(target, RACE)]


def test_the_banner_is_proposed_and_the_favourite_is_not(target: Target) -> None:
    assert proposed(target) == [("2026", PHOTOS, 0)]


def test_without_faces_the_place_tells_or_where_it_changes_torsos(target: Target) -> None:
    # Mutation: `torsos` False.
    def told(*, torso: bool, moves: bool) -> list[str]:
        for number in range(PHOTOS):
            photo(number, torso=torso, faces=False, drift=0.015 * number if moves else 0.0)
        return [each.bib for each in banners(target, RACE)]

    assert told(torso=False, moves=False) == ["2026"]
    assert told(torso=False, moves=True) == []
    assert told(torso=True, moves=True) == ["2026"]


def test_a_photo_that_is_withdrawn_or_read_anew_counts_no_more(target: Target) -> None:
    # Mutation: counts kept instead of computed. Eleven photos less would still propose it.
    gone = [BibEntry.locate(RACE, "2026", f"{number:032x}") for number in range(11)]
    target.records("search").delete_all(gone)
    assert proposed(target) == []


def test_of_many_photos_a_sample_is_looked_at(target: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ops.look.banners.SAMPLE", 25)
    assert [(each.photos, each.looked_at) for each in banners(target, RACE)] == [(PHOTOS, 25)]
    assert SAMPLE == 50


def test_one_command_excludes_it_besides_what_is_excluded(target: Target, capsys: pytest.CaptureFixture[str]) -> None:
    held = target.records("races").get(RaceHeld.locate(RACE))
    assert held is not None
    rules = msgspec.structs.replace(held.settings.bib_rules, excluded=("10",))
    keep(msgspec.structs.replace(held, settings=msgspec.structs.replace(held.settings, bib_rules=rules)), race=RACE)
    report = look_at(target, RACE)
    show_race(report, as_json=False)
    shown = capsys.readouterr().out
    assert "2026 is read in 30 photos: of 30 looked at it is on somebody's chest in 0" in " ".join(shown.split())
    command = "snaprace race set --organizer org --event race --exclude=10 --exclude=2026"
    assert f"If this is a banner: {command}" in shown
    show_race(report, as_json=True)
    assert [each["bib"] for each in json.loads(capsys.readouterr().out)["banners"]] == ["2026"]
