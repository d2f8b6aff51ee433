"""How the bench of a whole race reads its truth and counts, without a runtime."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from bench.labelled import CannotMeasure
from bench.race import Labels, Shown, files_by_key, material_of, scores, truth_of
from ops.demo.run import RACE
from ops.race.folders import names_of


def labels(numbers: str = "", also: str = "", hidden: str = "") -> Labels:
    return Labels(*(frozenset(cell.split()) for cell in (numbers, also, hidden)))


def folder_with(tmp_path: Path, truth: str, *names: str) -> tuple[Path, Path]:
    """A folder with photos of these names, and a table beside it."""
    for name in names:
        path = tmp_path / "photos" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode())
    (tmp_path / "truth.csv").write_text(truth)
    return tmp_path / "photos", tmp_path / "truth.csv"


def test_the_truth_names_readable_and_hidden_bibs_of_each_photo(tmp_path: Path) -> None:
    photos, table = folder_with(
        tmp_path, "filename,numbers,hidden\nday1/a.jpg,0012 34,56\nb.jpg,,\n", "day1/a.jpg", "b.jpg"
    )
    assert truth_of(table, photos) == {"day1/a.jpg": labels("12 34", "", "56"), "b.jpg": labels()}


@pytest.mark.parametrize(
    ("truth", "sentence"),
    [
        ("filename,numbers\nb.jpg,12\n", "b.jpg, which .*truth.csv names, is not in"),
        ("filename,numbers\nb.jpg,12\nc.jpg,13\n", "like 1 other."),
        ("filename,numbers\na.jpg,12\na.jpg,13\n", "two rows for a.jpg"),
        ("filename,numbers\na.jpg,twelve!\n", "shows 'twelve!', which is no bib"),
        ("filename,numbers\n", "names no photo"),
        ("filename\na.jpg\n", "must have the column numbers"),
    ],
)
def test_a_truth_that_cannot_be_used_is_refused_in_a_sentence(truth: str, sentence: str, tmp_path: Path) -> None:
    photos, table = folder_with(tmp_path, truth, "a.jpg")
    with pytest.raises(CannotMeasure, match=sentence):
        truth_of(table, photos)


def test_bibs_people_and_hidden_are_counted_apart_and_unlabelled_photos_not() -> None:
    truth = {"a": labels("1", also="2", hidden="3"), "b": labels("1")}
    found = [
        Shown("a", "1", "confirmed", read=True),
        Shown("a", "2", "confirmed", read=True),
        Shown("a", "3", "inferred", read=False),
        Shown("a", "9", "inferred", read=False),
        Shown("b", "1", "doubtful", read=True),
        Shown("b", "7", "doubtful", read=False),
        Shown("elsewhere", "8", "confirmed", read=True),
    ]
    assert scores(truth, found) == {
        "labelled_photos": 2,
        "bibs": {"precision": 1.0, "recall": 0.5, "f1": 0.6667},
        "people": {"precision": 0.75, "recall": 0.6667, "f1": 0.7059},
        "hidden": {"runners": 1, "found": 1, "recall": 1.0},
        "by_face_alone": {"runners": 2, "right": 1, "precision": 0.5},
        "doubtful": {"runners": 2, "right": 1, "precision": 0.5},
    }


def test_what_was_never_asked_for_is_neither_found_nor_missed() -> None:
    told = scores({"a": labels("1")}, [Shown("a", "1", "confirmed", read=True)])
    assert told["hidden"] == {"runners": 0, "found": 0, "recall": None}
    assert told["by_face_alone"] == told["doubtful"] == {"runners": 0, "right": 0, "precision": None}


def test_a_file_is_known_by_each_key_that_it_may_have(tmp_path: Path) -> None:
    photos, table = folder_with(tmp_path, "filename,numbers\na.jpg,\n", "a.jpg", "day 1/a.jpg")
    material = material_of(photos, table, None, None)
    known = files_by_key(material)
    for path, names in names_of(RACE, material.photos, (photos,)).items():
        for key in (names.own[0], names.with_digest(hashlib.sha256(path.read_bytes()).hexdigest())):
            assert photos / known[key] == path


def test_tables_among_the_photos_are_no_photos(tmp_path: Path) -> None:
    photos, _ = folder_with(tmp_path, "", "a.jpg", "truth.csv", "roster.csv")
    (photos / "roster.csv").write_text("bib,name\n12,Ann\n")
    material = material_of(photos, photos / "truth.csv", photos / "roster.csv", None)
    assert [path.name for path in material.photos] == ["a.jpg"]


def test_settings_without_faces_are_refused(tmp_path: Path) -> None:
    photos, table = folder_with(tmp_path, "", "a.jpg")
    (tmp_path / "race.json").write_text('{"name": "City run", "date": "2026-10-25"}')
    with pytest.raises(CannotMeasure, match="switches faces off"):
        material_of(photos, table, None, tmp_path / "race.json")


def test_settings_that_are_none_are_refused_in_a_sentence(tmp_path: Path) -> None:
    photos, table = folder_with(tmp_path, "", "a.jpg")
    with pytest.raises(CannotMeasure, match=r"race\.json"):
        material_of(photos, table, None, tmp_path / "race.json")
    (tmp_path / "race.json").write_text("{}")
    with pytest.raises(CannotMeasure, match=r"race\.json: "):
        material_of(photos, table, None, tmp_path / "race.json")
