"""Why somebody is, or is not, in a photo: from what the stages keep and the API answers to sentences."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Callable, Iterator
from itertools import count
from typing import Any

import msgspec
import pytest

from ops.look.about import race_of
from ops.look.explain import Explanation, explain
from ops.look.photo import PhotoReport, photo_report
from ops.look.status import UploadState
from ops.reach.target import Target
from services.faces.records import Correction, Cut, EarlyPhoto, IndexedPhoto, Matched, NewPhoto
from services.ingest.records import Capture, Copy, Look, Size, UploadedPhoto
from services.ocr.records import ReadPhoto
from shared.contracts import naming
from shared.contracts.errors import SnapRaceError
from shared.contracts.events import Bibs, Evidence, MatchedRunner, Partial, Reading, Suggestion
from tests.kit import kept_photo, search_stage
from tests.kit.deployed import ENV, keep
from tests.kit.kept_photo import (
    ALONE,
    OTHER,
    PHOTO,
    RACE,
    RUNNERS,
    box,
    face,
    identity,
    key_of,
    not_ingested,
    runner,
)
from tests.kit.search_stage import SearchStage

REVISIONS = count(2)


@pytest.fixture(scope="module")
def race(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Target, SearchStage]]:
    with (
        pytest.MonkeyPatch.context() as monkeypatch,
        kept_photo.everywhere(monkeypatch, tmp_path_factory.mktemp("home")) as both,
    ):
        yield both


Match = Callable[..., None]


@pytest.fixture
def match(race: tuple[Target, SearchStage]) -> Match:
    """Lets the gallery hear who is in photo 1."""

    def hear(*runners: MatchedRunner) -> None:
        race[1].hear(search_stage.matched(1, *runners, revision=next(REVISIONS)))

    return hear


@pytest.fixture
def target(race: tuple[Target, SearchStage], match: Match) -> Target:
    """The same race for each test, which may change photo 1."""
    identity()
    match(*RUNNERS)
    return race[0]


def explained(target: Target, name: str = "결승 1.jpg") -> Explanation:
    return explain(photo_report(target, RACE, name))


@pytest.mark.parametrize("name", [PHOTO, key_of(1), "결승 1.jpg"])
def test_a_photo_is_known_by_its_id_its_key_and_its_name(target: Target, name: str) -> None:
    found = explained(target, name)
    assert (found.photo_id, found.filename) == (PHOTO, "결승 1.jpg")
    assert found.summary == "Searchable: runners find it."


def report(**known: Any) -> PhotoReport:
    """A photo of which only so much is known."""
    upload = UploadState(key=key_of(1), state="searchable")
    return PhotoReport(race=RACE, photo_id=PHOTO, uploads=(upload,), **known)


def taken_in(capture: Capture | None, no_time: str | None = None) -> UploadedPhoto:
    size = Size(width=1, height=1)
    look = Look(processed=size, preview=size, thumbnail=size, placeholder="", capture=capture, no_time=no_time)
    copies = (Copy(key=key_of(1), uploaded_at="2026-10-25T12:00:00Z"),)
    return UploadedPhoto(photo_id=PHOTO, revision=1, look=look, copies=copies)


@pytest.mark.parametrize(
    ("photo", "sure", "note"),
    [
        (taken_in(Capture(local="2026-10-25T09:30:00")), True, None),
        (taken_in(None), False, None),
        (taken_in(Capture(local="2026-10-25T09:30:00", field="DateTime")), False, "when the file was last changed"),
        (taken_in(Capture(local="2026-10-25T09:30:00", field="DateTimeDigitized")), False, "when the picture was st"),
        (taken_in(Capture(local="2099-10-25T09:30:00")), False, "The camera says 2099-10-25T09:30:00, which was still"),
        (taken_in(None, "0000:00:00 00:00:00"), False, "The file says '0000:00:00 00:00:00' where the time should be"),
        (None, False, None),
    ],
)
def test_a_time_that_is_less_sure_or_none_is_told(photo: UploadedPhoto | None, sure: bool, note: str | None) -> None:
    found = explain(report(taken_in=photo))
    assert (found.taken_at_sure, len(found.taken_at_notes)) == (sure, 1 if note else 0)
    assert note is None or note in found.taken_at_notes[0]


def test_why_nothing_is_seen_in_a_picture_that_a_detector_cannot_use_is_told() -> None:
    why = "Rekognition cannot use the picture a.jpg: InvalidParameterException."
    read = ReadPhoto(photo_id=PHOTO, photo_revision=1, unreadable=why)
    found = explain(report(read=read, faces_on=True, faceless=why))
    assert (found.read, found.faces_summary) == ((f"No bib can be read: {why}",), f"cannot be looked for: {why}")


def test_a_photo_that_is_taken_in_is_explained_with_what_ingest_keeps(target: Target) -> None:
    photo = photo_report(target, RACE, PHOTO).taken_in
    assert photo is not None and photo.photo_id == PHOTO


def test_a_key_names_its_race_and_a_name_does_not() -> None:
    assert race_of(key_of(1)) == RACE
    assert race_of("결승 1.jpg") is None


def test_a_misplaced_upload_is_explained_by_its_key(target: Target) -> None:
    key = f"{RACE.prefix}RAW/raw photos/a.jpg"
    not_ingested(key, "rejected", "key_wrong_depth", "So.")
    race = race_of(key)
    assert race == RACE
    (upload,) = photo_report(target, race, key).uploads
    assert (upload.state, upload.reason) == ("rejected", "key_wrong_depth")


@pytest.mark.parametrize("name", ["nobody.jpg", "0" * 32, f"{RACE.prefix}raw_photos/결승 1.jp"])
def test_a_photo_that_is_not_there_is_said_in_one_sentence(target: Target, name: str) -> None:
    with pytest.raises(SnapRaceError, match="There is no photo"):
        photo_report(target, RACE, name)


def test_everybody_is_explained_by_her_evidence_with_file_names(target: Target) -> None:
    read, hidden = explained(target).runners
    assert (read.bib, read.status, read.face) == ("42", "confirmed", 1)
    assert read.because == ("Bib 42 is read below this face, 97.5% sure.",)
    assert read.against == ()
    assert (hidden.bib, hidden.status, hidden.face) == ("7", "inferred", 2)
    assert hidden.because == ("This face is also in another photo, where she wears 7: 결승 2.jpg, 99.2% alike.",)
    assert hidden.against == ("This face is also in another photo, where she wears 9: 결승 3.jpg, 91.0% alike.",)


def test_a_match_is_told_with_what_it_counts_as_and_why(target: Target, match: Match) -> None:
    shaded = Evidence(
        kind="match", bib="7", score=99.2, weight=0.7, photo_id=OTHER, worth=94.38, why=("covered", "clothes_alike")
    )
    match(MatchedRunner(bib="7", status="inferred", confidence=70.0, read=False, evidence=(shaded,)))
    (hidden,) = explained(target).runners
    where = "This face is also in another photo, where she wears 7: 결승 2.jpg, 99.2% alike"
    assert hidden.because == (f"{where} (counts as 94.4%: something covers a face, the clothes are alike).",)


def test_what_a_match_counts_as_is_told_where_no_reason_was_kept_with_it(target: Target, match: Match) -> None:
    old = Evidence(kind="match", bib="7", score=99.2, weight=0.7, photo_id=OTHER, worth=94.38)
    match(MatchedRunner(bib="7", status="inferred", confidence=70.0, read=False, evidence=(old,)))
    (hidden,) = explained(target).runners
    assert hidden.because[0].endswith("99.2% alike (counts as 94.4%).")


def test_what_makes_no_difference_to_a_match_is_not_told(target: Target, match: Match) -> None:
    # Mutation: _alike tells a worth that reads like the similarity.
    same = Evidence(
        kind="match", bib="7", score=100.0, weight=0.9, photo_id=OTHER, worth=99.98, why=("clothes_unlike",)
    )
    match(MatchedRunner(bib="7", status="inferred", confidence=90.0, read=False, evidence=(same,)))
    (hidden,) = explained(target).runners
    assert hidden.because[0].endswith("100.0% alike.")


def test_guesses_are_told_as_what_they_are(target: Target, match: Match) -> None:
    part = Evidence(kind="suggestion", bib="7", score=72.0, weight=0.6, photo_id=PHOTO, guess="partial", pattern="7?")
    weak = Evidence(kind="suggestion", bib="42", score=63.0, weight=0.6, photo_id=PHOTO, guess="weak")
    match(runner("42", "inferred", weak), runner("7", "inferred", part))
    read, hidden = sorted(explained(target).runners, key=lambda each: each.bib)
    assert read.because == ("Bib 42 is read below this face, but weakly, 63.0% sure.",)
    assert hidden.because == ("A part of a number that 7 fits (7?) is read below this face, 72.0% sure.",)


def test_a_name_that_confirms_is_told(target: Target, match: Match) -> None:
    named = Evidence(kind="reading", bib="42", score=89.5, weight=0.895, photo_id=PHOTO, named=True)
    match(runner("42", "confirmed", named, read=True))
    (read,) = explained(target).runners
    assert read.because == ("Bib 42 is read below this face, and her name stands by it, 89.5% sure.",)
    bibs = Bibs(readings=(Reading(bib="3761", text="376", confidence=89.5, box=box(0.1), verified=True, named=True),))
    assert explain(report(read=ReadPhoto(photo_id=PHOTO, photo_revision=1, bibs=bibs))).read[1:] == (
        "Bib 3761 (printed 376), 89.5% sure, on the roster, and her name stands by it.",
    )


def test_that_the_roster_made_a_reading_sure_is_told() -> None:
    reading = Reading(bib="2475", text="2475", confidence=84.0, box=box(0.1), verified=True, by_roster=True)
    assert explain(report(read=ReadPhoto(photo_id=PHOTO, photo_revision=1, bibs=Bibs(readings=(reading,))))).read[
        1:
    ] == ("Bib 2475, 84.0% sure, on the roster, which has few bibs like it: by itself it is read less surely.",)


def test_parts_of_bibs_and_weak_readings_are_listed() -> None:
    bibs = Bibs(
        suggestions=(Suggestion(bib="42", text="42", confidence=63.0, box=box(0.1), guess="weak"),),
        partials=(
            Partial(pattern="37?", text="37", confidence=72.0, box=box(0.1)),
            Partial(pattern="*592*", text="592", confidence=99.0, box=box(0.1), bib="1592"),
        ),
    )
    assert explain(report(read=ReadPhoto(photo_id=PHOTO, photo_revision=1, bibs=bibs))).read[1:] == (
        "'42', 63.0% sure, is a bib of the roster, but read less surely than the race asks for.",
        "'37', 72.0% sure, is a part of a bib (37?): alone it does not say which.",
        "'592', 99.0% sure, is a part of a bib (*592*): only 1592 on the roster fits.",
    )


def test_many_matches_are_one_sentence_the_best_first(target: Target, match: Match) -> None:
    many = tuple(
        Evidence(kind="match", bib="7", score=90.0 + number, weight=0.5, photo_id=f"{number:032x}")
        for number in range(2, 7)
    )
    match(runner("7", "inferred", *many))
    (hidden,) = explained(target).runners
    (sentence,) = hidden.because
    assert sentence.startswith("This face is also in 5 photos with bib 7: ")
    assert sentence.index("96.0%") < sentence.index("95.0%") < sentence.index("and 2 more")


def test_a_bib_without_a_face_is_told_as_such(target: Target, match: Match) -> None:
    read = Evidence(kind="reading", bib="42", score=97.5, weight=0.975, photo_id=PHOTO)
    match(runner("42", "confirmed", read, read=True))
    identity(runners=(runner("42", "confirmed"),))
    (alone,) = explained(target).runners
    assert (alone.face, alone.because) == (None, ("Bib 42 is read here, below no face, 97.5% sure.",))


def test_of_a_face_that_nobody_knows_it_is_said_why(target: Target) -> None:
    unknown = "Nobody knows whose face 3 is: no bib of hers is read here, and it is "
    assert explained(target).strangers == (f"{unknown}in no other photo.",)
    right = {"a": Matched(photo_id=ALONE, similarity=91.0), "o-1": Matched(photo_id=OTHER, similarity=99.0)}
    identity(matches={"f-right": right, "f-left": {"b": Matched(photo_id=OTHER, similarity=99.0)}})
    assert explained(target).strangers == (
        f"{unknown}also in 2 other photos (결승 2.jpg, 99.0% alike; 결승 3.jpg, 91.0% alike), "
        "which do not say either, or not surely enough.",
    )
    identity()
    new = NewPhoto(at=1000, photo_id=PHOTO)
    keep(new, race=RACE)
    assert explained(target).strangers == (f"{unknown}not compared with the other photos yet.",)
    target.records("faces").delete_all([new.place(RACE)])


def test_a_correction_is_told_as_the_organizers_word(target: Target, match: Match) -> None:
    identity(
        corrections=(
            Correction(bib="42", here=True, box=box(0.11), revision=5),
            Correction(bib="8", here=False, box=None, revision=6),
        ),
        cuts=(
            Cut(box=box(0.8), other_photo_id=OTHER, other_box=box(0.3), cut=True, revision=7),
            Cut(box=box(0.1), other_photo_id=ALONE, other_box=box(0.3), cut=False, revision=8),
        ),
    )
    word = Evidence(kind="organizer", bib="42", score=100.0, weight=1.0, photo_id=PHOTO)
    match(runner("42", "confirmed", word, read=True))
    found = explained(target)
    assert found.said == (
        "An organizer said: 42 is in this photo, face 1.",
        "An organizer said: 8 is not in this photo.",
        "An organizer said: face 3 here and one in 결승 2.jpg are different people.",
    )
    assert found.runners[0].because == ("An organizer says that 42 is here.", "Her bib is read here.")


def test_what_was_read_and_seen_is_listed(target: Target) -> None:
    found = explained(target)
    assert found.read == (
        "3 words read, of which 1 bib.",
        "Bib 42 (printed 0042), 97.5% sure, on the roster.",
        "'99', 88.0% sure, is no bib of the roster, but one character off 9.",
    )
    assert found.faces_summary == "3 faces, counted from the left"
    assert [(seen.number, seen.bib, seen.box.left) for seen in found.faces] == [
        (1, "42", 0.1),
        (2, "7", 0.45),
        (3, None, 0.8),
    ]


def test_a_photo_in_progress_says_what_it_waits_for(target: Target) -> None:
    found = explained(target, "결승 3.jpg")
    assert found.summary == "In progress."
    assert found.waits == ("결승 3.jpg: bibs not read yet (ocr), faces not looked for yet (faces).",)
    assert found.faces_summary == "not looked for yet"


def test_faces_that_will_be_compared_once_more_are_told(target: Target) -> None:
    keep(EarlyPhoto(at=1000, photo_id=OTHER), race=RACE)
    assert "Its faces are compared with all others" in explained(target, "결승 2.jpg").waits[-1]
    assert explained(target).waits == ()


def test_no_faces_and_faces_off_are_different_answers(target: Target) -> None:
    identity(faces=(), runners=())
    assert explained(target).faces_summary == "none found"
    keep(IndexedPhoto(photo_id=PHOTO, photo_revision=1, enabled=False), race=RACE)
    assert "nothing biometric" in explained(target).faces_summary
    keep(IndexedPhoto(photo_id=PHOTO, photo_revision=1, enabled=True), race=RACE)


def test_an_upload_that_is_no_photo_says_why(target: Target) -> None:
    key = f"{RACE.prefix}RAW-PHOTOS/misplaced.jpg"
    not_ingested(key, "rejected", "key_wrong_folder", "Wrong folder.")
    found = explained(target, "misplaced.jpg")
    assert (found.photo_id, found.summary) == (None, "Rejected (key_wrong_folder): Wrong folder.")
    assert found.runners == ()
    just_there = f"{RACE.prefix}raw_photos/new.jpg"
    target.client("s3").put_object(Bucket=target.photo_bucket, Key=just_there, Body=b"x")
    assert explained(target, "new.jpg").waits == ("new.jpg: not taken in yet (ingest).",)


def test_a_photo_of_a_folder_is_known_by_its_own_name_where_it_is_the_only_one(target: Target) -> None:
    first, second = (f"{RACE.prefix}raw_photos/{day}--été.jpg" for day in ("day1", "day2"))
    not_ingested(first, "rejected", "not_an_image", "First.")
    for name in ("été.jpg", unicodedata.normalize("NFD", "été.jpg"), "day1--été.jpg", first):
        assert explained(target, name).summary == "Rejected (not_an_image): First."
    not_ingested(second, "rejected", "not_an_image", "Second.")
    with pytest.raises(SnapRaceError, match=r"2 uploads are called été\.jpg \(day1--été\.jpg, day2--été\.jpg\): say"):
        explained(target, "été.jpg")
    assert explained(target, "day2--été.jpg").summary == "Rejected (not_an_image): Second."
    with pytest.raises(SnapRaceError, match="There is no photo"):
        explained(target, "té.jpg")
    not_ingested(second, "withdrawn")
    assert explained(target, "été.jpg").summary == "Rejected (not_an_image): First."


def test_two_misplaced_uploads_of_one_name_are_not_taken_for_one_picture(target: Target) -> None:
    for day in ("a", "b"):
        not_ingested(f"{RACE.prefix}raw_photos/{day}/twin.jpg", "rejected", "key_nested", "So.")
    with pytest.raises(SnapRaceError, match=r"2 uploads are called twin\.jpg \(a/twin\.jpg, b/twin\.jpg\): say"):
        explained(target, "twin.jpg")


@pytest.mark.parametrize(
    ("key", "sentence"),
    [
        ("raw_photos/day1/x.jpg", "Nor could there be one: Folders below 'raw_photos' are not read."),
        ("RAW/x.jpg", "Its key is none of a photo, so nothing looks at it"),
        ("race.json", "It is a file of the race: see snaprace race show."),
        ("raw_photos/x.jpg", "Give a photo id, an upload's key or its file name"),
    ],
)
def test_a_key_under_which_nothing_is_says_why(target: Target, key: str, sentence: str) -> None:
    with pytest.raises(SnapRaceError, match=sentence):
        explained(target, RACE.prefix + key)


@pytest.mark.parametrize("key", ["stray.jpg", f"{RACE.prefix}RAW/x.jpg", "RAW/x.jpg"])
def test_an_upload_that_nothing_looks_at_says_so(target: Target, key: str) -> None:
    target.client("s3").put_object(Bucket=target.photo_bucket, Key=key, Body=b"x")
    with pytest.raises(SnapRaceError, match=r"is uploaded, and is no photo\. Its key is none of a race's photos"):
        explained(target, key)


def test_dead_letters_about_it_are_told_with_their_queue(target: Target) -> None:
    queue = naming.dead_letter_queue(ENV, "ingest", "intake")
    client = target.client("sqs")
    url = client.get_queue_url(QueueName=queue)["QueueUrl"]
    detail = {"bucket": {"name": "b"}, "object": {"key": key_of(3), "sequencer": "01", "size": 1}}
    letter = {"id": "n", "time": "2026-10-25T00:00:00Z", "source": "aws.s3", "detail-type": "Object Created"}
    client.send_message(QueueUrl=url, MessageBody=json.dumps(letter | {"detail": detail}))
    found = explained(target, "결승 3.jpg")
    assert found.summary.startswith("Given up")
    assert any(sentence.startswith(f"Object Created lies in {queue}: ") for sentence in found.waits)
    assert explained(target).waits == ()
    client.purge_queue(QueueUrl=url)


def test_an_explanation_is_json_too(target: Target) -> None:
    told = json.loads(msgspec.json.encode(explained(target)))
    assert told["runners"][1]["evidence"][0]["photo_id"] == OTHER
    assert told["uploads"][0]["state"] == "searchable"


def test_faces_are_counted_from_the_left(target: Target) -> None:
    identity(faces=(face("b", 0.6), face("a", 0.2)), runners=(runner("42", "confirmed", face_id="b"),))
    assert explained(target).runners[0].face == 2


def test_a_deleted_upload_is_told_from_one_that_never_was(target: Target) -> None:
    key = f"{RACE.prefix}raw_photos/gone.jpg"
    not_ingested(key, "withdrawn")
    with pytest.raises(SnapRaceError, match=r"The upload 'gone\.jpg' was deleted"):
        photo_report(target, RACE, "gone.jpg")
    target.client("s3").put_object(Bucket=target.photo_bucket, Key=key, Body=b"x")
    assert explained(target, "gone.jpg").waits == ("gone.jpg: not taken in yet (ingest).",)
