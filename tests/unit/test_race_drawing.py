"""The drawn demo race: the same every time, true to what it says of itself, and as awkward as real uploads."""

from __future__ import annotations

import io
import json
import unicodedata
from collections import Counter
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest
from PIL import ExifTags, Image, ImageChops, ImageOps, ImageStat

from local.race import draw_race
from local.race.cast import ROSTER, STRANGER
from local.race.photo import heads, photo, upright
from local.race.plan import Shot, Visibility, plan
from shared.contracts.bibs import canonical
from shared.contracts.keys import KeyKind, parse_key
from shared.contracts.race import parse_race
from shared.contracts.roster.reading import parse_roster

DRAWN = 2


@pytest.fixture(scope="session")
def race(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The first few photos of the race and everything beside them."""
    folder = tmp_path_factory.mktemp("race")
    draw_race(folder, limit=DRAWN)
    return folder


@pytest.fixture(scope="session")
def truth(race: Path) -> dict[str, Any]:
    return dict(json.loads((race / "truth.json").read_bytes()))


def test_same_bytes_every_time_and_with_any_number_of_processes(race: Path, tmp_path: Path) -> None:
    draw_race(tmp_path, limit=DRAWN, processes=2)
    first, second = ({p.relative_to(f): p.read_bytes() for p in f.rglob("*.*")} for f in (race, tmp_path))
    assert first.keys() == second.keys()
    assert [str(name) for name in first if first[name] != second[name]] == []


def test_truth_names_every_photo_once(race: Path, truth: dict[str, Any]) -> None:
    told = [*truth["photos"], *truth["bad"], *truth["duplicates"]]
    assert sorted(told) == sorted(path.name for path in (race / "photos").iterdir())


def test_race_and_roster_are_what_the_races_stage_takes(race: Path) -> None:
    settings = parse_race((race / "race.json").read_bytes())
    roster = parse_roster((race / "roster.csv").read_bytes())
    assert settings.faces
    assert roster.problems == ()
    assert [runner.bib for runner in roster.runners] == [settings.bib_rules.admits(p.printed) for p in ROSTER]
    assert settings.bib_rules.admits(STRANGER.printed) not in {runner.bib for runner in roster.runners}
    assert settings.bib_rules.admits("2026") is None
    assert any("가" <= character <= "힣" for runner in roster.runners for character in runner.name)


def test_a_selfie_for_each_runner(race: Path) -> None:
    assert sorted(p.name for p in (race / "selfies").iterdir()) == sorted(f"{p.bib}.jpg" for p in ROSTER[:DRAWN])


def test_copies_are_the_same_bytes(race: Path, truth: dict[str, Any]) -> None:
    assert truth["duplicates"]
    for copy, original in truth["duplicates"].items():
        assert (race / "photos" / copy).read_bytes() == (race / "photos" / original).read_bytes()


def test_each_bad_file_is_bad_in_its_own_way(race: Path, truth: dict[str, Any]) -> None:
    path = {reason: race / "photos" / name for name, reason in truth["bad"].items()}
    assert set(path) == {"truncated", "not_an_image", "too_many_pixels", "empty"}
    assert path["empty"].stat().st_size == 0
    with pytest.raises(Image.UnidentifiedImageError):
        Image.open(path["not_an_image"])
    with Image.open(path["truncated"]) as cut, pytest.raises(OSError, match="truncated"):
        cut.load()
    with pytest.warns(Image.DecompressionBombWarning), Image.open(path["too_many_pixels"]) as bomb:
        assert bomb.width * bomb.height > 100_000_000
    assert path["too_many_pixels"].stat().st_size < 50_000


def test_cameras_say_when_where_and_with_what(race: Path) -> None:
    for shot in plan()[:DRAWN]:
        with Image.open(race / "photos" / shot.filename) as picture:
            exif = picture.getexif()
            details, place = exif.get_ifd(ExifTags.IFD.Exif), exif.get_ifd(ExifTags.IFD.GPSInfo)
        assert details[ExifTags.Base.DateTimeOriginal] == f"{shot.taken:%Y:%m:%d %H:%M:%S}"
        assert details[ExifTags.Base.OffsetTimeOriginal] == "+09:00"
        assert (exif[ExifTags.Base.Make], exif[ExifTags.Base.Model]) == shot.camera
        assert place[ExifTags.GPS.GPSLatitude][0] == 37


@pytest.mark.parametrize("orientation", [3, 6, 8])
def test_turned_photos_are_upright_when_turned_back(orientation: int) -> None:
    turned = (shot for shot in plan() if shot.orientation == orientation)
    shot = min(turned, key=lambda shot: len(shot.appearances))
    with Image.open(io.BytesIO(photo(shot))) as stored:
        assert stored.getexif()[ExifTags.Base.Orientation] == orientation
        seen = ImageOps.exif_transpose(stored)
    difference = ImageStat.Stat(ImageChops.difference(seen, upright(shot))).mean
    assert max(difference) < 3  # what JPEG loses; turned the wrong way it is above 30


# The plan, which needs no drawing


def _appearances(visibility: Visibility) -> Counter[str]:
    return Counter(a.person.bib for shot in plan() for a in shot.appearances if a.visibility is visibility)


def test_everybody_is_seen_often_enough_to_be_inferred_where_her_bib_is_hidden() -> None:
    full, half, hidden = (_appearances(visibility) for visibility in Visibility)
    assert len(plan()) >= 64
    assert len(ROSTER) >= 16
    for person in ROSTER:
        assert (full + half + hidden)[person.bib] >= 4
        assert full[person.bib] >= 2
    assert sum(hidden.values()) >= 12
    assert sum(half.values()) >= 6
    assert full[STRANGER.bib] >= 2


def test_heads_are_in_the_picture_and_apart() -> None:
    for shot in plan():
        places = list(heads(shot).values())
        assert len(places) == len(shot.appearances) <= 4
        assert all(0.05 < x < 0.95 and 0.04 < y < 0.8 for x, y in places)
        assert all(abs(a[0] - b[0]) + abs(a[1] - b[1]) > 0.1 for a, b in permutations(places, 2))


def test_bibs_are_no_part_of_each_other_and_two_characters_apart() -> None:
    bibs = [*(person.bib for person in ROSTER), STRANGER.bib]
    assert {len(bib.lstrip("AF")) for bib in bibs} >= {2, 3, 4, 5}
    assert {bib[0] for bib in bibs} >= {"A", "F"}
    for one, other in permutations(bibs, 2):
        assert one not in other
        assert _edits(one, other) >= 2


def _edits(one: str, other: str) -> int:
    row = list(range(len(other) + 1))
    for i, a in enumerate(one, 1):
        row, above = [i], row
        for j, b in enumerate(other, 1):
            row.append(min(above[j] + 1, row[-1] + 1, above[j - 1] + (a != b)))
    return row[-1]


def test_names_are_as_awkward_as_photographers_make_them(truth: dict[str, Any]) -> None:
    names = [shot.filename for shot in plan()]
    assert len(set(names)) == len(names)
    for awkward in (" ", "  ", "+", "%", "#", "&", "한", "🍁"):
        assert any(awkward in name for name in names), awkward
    for name in (*names, *truth["bad"], *truth["duplicates"]):
        assert unicodedata.is_normalized("NFC", name)
        assert parse_key(f"demo/race/raw_photos/{name}").kind is KeyKind.RAW_PHOTO


def test_there_are_photos_without_people_and_a_clock_that_is_no_bib() -> None:
    shots = plan()
    assert sum(not shot.appearances for shot in shots) >= 2
    clocks: list[Shot] = [shot for shot in shots if shot.clock]
    assert clocks
    assert all(canonical(shot.clock) is None for shot in clocks)
