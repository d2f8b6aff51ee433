"""The race and the stand-in of `snaprace bench cost`, spoken to as the stages speak to Rekognition."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.config import Config

from bench.recorded import PHOTOS_OF_A_RUNNER, Race, Recording, picture, race_of, serving
from local.runtime import Ports
from services.faces.domain.links import link_bibs, needs_search
from services.faces.edges import Indexing
from services.faces.records import IdentifiedPhoto
from services.ocr.domain.bibs import read_bibs
from services.ocr.edges import TextDetector
from shared.contracts.events import Bibs, ImageRef
from shared.contracts.keys import RaceRef, photo_id, processed_key
from shared.contracts.race import RaceSettings
from shared.kit.detection import Pictures

REF = RaceRef("bench", "cost")
PHOTOS = 30
PICTURES = Pictures(None)  # type: ignore[arg-type]  # S3 is asked only of a picture that Rekognition does not get


def image(number: int) -> ImageRef:
    photo = photo_id(REF, hashlib.sha256(picture(number)).hexdigest())
    return ImageRef(bucket="derived", key=processed_key(REF, photo), width=320, height=214)


def id_of(number: int) -> str:
    return image(number).key.rsplit("/", 1)[-1].removesuffix(".jpg")


@pytest.fixture(scope="module")
def race() -> Race:
    return race_of(PHOTOS)


@pytest.fixture
def rekognition(race: Race) -> Iterator[Any]:
    port = Ports.free().vision
    with serving(port, Recording(REF, race)):
        config = Config(retries={"total_max_attempts": 1}, proxies={})
        yield boto3.client("rekognition", endpoint_url=f"http://127.0.0.1:{port}", config=config)


@pytest.mark.parametrize("photos", [30, 500, 5000])
def test_a_race_of_any_size_is_the_same_for_each_of_its_photos(photos: int) -> None:
    faces = [someone for people in race_of(photos).photos for someone in people]
    assert len(race_of(photos).photos) == photos
    assert 1.5 < len(faces) / photos < 1.8, "as many people in a photo as in the drawn race"
    times = Counter(someone.bib for someone in faces)
    assert set(times.values()) <= {PHOTOS_OF_A_RUNNER, PHOTOS_OF_A_RUNNER + 1}
    hidden = sum(someone.read is None for someone in faces) / len(faces)
    assert hidden == pytest.approx(0.25, abs=0.02)
    assert all(len({someone.bib for someone in people}) == len(people) for people in race_of(photos).photos)


def test_no_picture_is_like_another() -> None:
    assert len({picture(number) for number in range(200)}) == 200


def test_what_is_recorded_is_what_the_stages_read_and_find(race: Race, rekognition: Any) -> None:
    detector, collections = TextDetector(rekognition, PICTURES), Indexing(rekognition, "dev", PICTURES)
    settings = RaceSettings(name="Bench", date="2026-10-25", faces=True)
    for number, people in enumerate(race.photos):
        bibs = read_bibs(detector.look(image(number)).words, settings, frozenset(race.bibs))
        assert {reading.bib for reading in bibs.readings} == {each.bib for each in people if each.read}
        faces = collections.index(REF, id_of(number), image(number))
        links = link_bibs(IdentifiedPhoto(photo_id=id_of(number), bibs=Bibs(readings=bibs.readings), faces=faces))
        assert [links[face.face_id].bib if face.face_id in links else None for face in faces] == [
            each.bib if each.read else None for each in people
        ], "each bib hangs below its own face"
        unsure = sum(each.read is None or each.read < 90 for each in people)
        assert sum(needs_search(links.get(face.face_id)) for face in faces) == unsure


def test_a_search_finds_the_runners_other_faces_that_are_in_the_collection_by_now(race: Race, rekognition: Any) -> None:
    collections = Indexing(rekognition, "dev", PICTURES)
    runner = race.photos[1][0].bib
    own = [number for number, people in enumerate(race.photos) if runner in {each.bib for each in people}]
    faces = {number: collections.index(REF, id_of(number), image(number)) for number in own[:2]}
    place = [each.bib for each in race.photos[own[0]]].index(runner)
    face_id = faces[own[0]][place].face_id

    def found() -> set[str]:
        answer = rekognition.search_faces(CollectionId="bench", FaceId=face_id)
        return {match["Face"]["ExternalImageId"] for match in answer["FaceMatches"]}

    assert found() == {id_of(own[1])}
    assert collections.index(REF, id_of(own[0]), image(own[0])) == faces[own[0]], "again, and it adds no face"
    assert found() == {id_of(own[1])}
    collections.forget(REF, [face.face_id for face in faces[own[1]]])
    assert found() == set()


def test_what_was_not_recorded_is_refused(rekognition: Any) -> None:
    with pytest.raises(rekognition.exceptions.ResourceNotFoundException, match="Not recorded"):
        TextDetector(rekognition, PICTURES).look(
            ImageRef(bucket="derived", key="bench/cost/processed/x.jpg", width=1, height=1)
        )
