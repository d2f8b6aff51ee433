"""How the accuracy of faces is counted, with vectors and boxes made by hand."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from msgspec import UNSET

from bench import bursts
from bench.faces import score_pairs, score_search
from bench.labelled import CannotMeasure
from bench.matching import Seen, is_one_person
from bench.race_faces import Area, Person, Runner, labelled, paired, told_apart, worn_by_strangers
from services.faces.domain.similarity import Quality, Sight
from shared.contracts.events import FaceQuality
from vision.collections.similarity import BEST_DISTANCE, DEFAULT_THRESHOLD

NEAR = 2 * math.asin(BEST_DISTANCE / 2) * 0.9
"""An angle whose chord is a little below the distance at which two faces match."""
BARELY = NEAR / 0.9 * 0.95
"""One at which other clothes part them, and like clothes and the time join them in sunglasses."""


def at(angle: float, quality: Quality = UNSET) -> Seen:
    """A face whose embedding is of length 1; two of them are as far apart as their angles."""
    vector = np.zeros(128, dtype=np.float32)
    vector[:2] = math.cos(angle), math.sin(angle)
    return Seen(vector, Sight(quality))


def square(left: float, top: float, side: float = 10) -> Area:
    return Area(left, top, left + side, top + side)


def runner(face: Area) -> Runner:
    return Runner("42", face, square(900, 900))


class TestPortraits:
    def test_a_pair_of_one_person_counts_both_ways(self) -> None:
        score = score_search(["ann", "ann", "ben"], [at(0), at(NEAR), at(math.pi)], DEFAULT_THRESHOLD)
        assert score.told() == {"precision": 1.0, "recall": 1.0, "f1": 1.0}

    def test_a_stranger_within_the_threshold_costs_precision(self) -> None:
        score = score_search(["ann", "ann", "ben"], [at(0), at(NEAR), at(2 * NEAR)], DEFAULT_THRESHOLD)
        assert score.told() == {"precision": 0.5, "recall": 1.0, "f1": 0.6667}

    def test_a_person_beyond_the_threshold_costs_recall(self) -> None:
        score = score_search(["ann", "ann", "ann"], [at(0), at(NEAR), at(2 * NEAR)], DEFAULT_THRESHOLD)
        assert score.told() == {"precision": 1.0, "recall": 0.6667, "f1": 0.8}

    def test_a_portrait_without_a_face_misses_all_its_pairs(self) -> None:
        score = score_search(["ann", "ann", "ann"], [at(0), None, at(NEAR)], DEFAULT_THRESHOLD)
        assert score.told() == {"precision": 1.0, "recall": 0.3333, "f1": 0.5}

    def test_the_faces_stage_asks_more_of_two_faces_in_sunglasses(self) -> None:
        glasses = FaceQuality(sharpness=80, brightness=50, sunglasses=99)
        people = ["ann", "ann", "ben"]
        seen = score_pairs(people, [at(0), at(NEAR), at(math.pi)])
        behind = score_pairs(people, [at(0, glasses), at(NEAR, glasses), at(math.pi)])
        assert (seen.recall, behind.recall) == (1.0, 0.0)


class TestRunners:
    def test_a_face_is_hers_where_its_middle_and_the_labels_lie_in_each_other(self) -> None:
        assert paired([runner(square(0, 0))], [square(4, 4)]) == {0: 0}
        assert paired([runner(square(0, 0))], [square(6, 0)]) == {}
        assert paired([runner(square(0, 0))], [square(0, 0, 100)]) == {}, "a crowd is no face"
        assert paired([runner(square(0, 0))], [square(1, 1, 2)]) == {}, "an eye is no face"

    def test_one_found_face_is_one_runners(self) -> None:
        assert paired([runner(square(0, 0)), runner(square(2, 0))], [square(1, 0)]) == {0: 0}
        assert paired([runner(square(0, 0))], [square(0, 0), square(1, 0)]) == {0: 0}
        assert paired([runner(square(0, 0)), runner(square(4, 0))], [square(3, 0), square(5, 0)]) == {1: 0, 0: 1}

    def test_same_people_are_of_one_race_and_strangers_of_two(self) -> None:
        seen = [
            Person("spring", "42", at(0)),
            Person("spring", "42", at(NEAR)),
            Person("spring", "42", at(-2 * NEAR)),
            Person("spring", None, at(0)),
            Person("autumn", "42", at(NEAR)),
            Person("autumn", None, at(math.pi)),
        ]
        assert told_apart(seen, is_one_person) == {
            "precision": 0.25,
            "recall": 0.3333,
            "f1": 0.2857,
            "pairs_of_one_person": 3,
            "pairs_of_strangers": 8,
            "strangers_taken_for_one_another": 3.0,
            "one_stranger_in": 3,
        }

    def test_nobody_taken_for_another_is_no_rate(self) -> None:
        told = told_apart([Person("spring", None, at(0)), Person("autumn", None, at(math.pi))], is_one_person)
        assert (told["strangers_taken_for_one_another"], told["one_stranger_in"]) == (0, None)


BOXES = "filename,number,face_r0,face_r1,face_c0,face_c1,tag_r0,tag_r1,tag_c0,tag_c1\n"


class TestLabels:
    @pytest.fixture
    def data(self, tmp_path: Path) -> Path:
        for folder, columns, name in (
            ("bibs", "filename,set", "x.jpg,spring"),
            ("bibs-modern", "filename", "city07.jpg"),
        ):
            (tmp_path / folder).mkdir()
            (tmp_path / folder / "ground_truth.csv").write_text(f"{columns}\n{name}\n")
            (tmp_path / folder / name.split(",", maxsplit=1)[0]).write_text("a picture")
        (tmp_path / "bibs" / "boxes.csv").write_text(f"{BOXES}x.jpg,42,1,2,3,4,5,6,7,8\n")
        return tmp_path

    def test_a_photo_is_of_its_set_or_of_the_race_that_its_name_begins_with(self, data: Path) -> None:
        older, modern = labelled(data)
        assert (older.race, modern.race) == ("bibs/spring", "bibs-modern/city")
        assert older.runners == (Runner("42", Area(3, 1, 4, 2), Area(7, 5, 8, 6)),)
        assert modern.runners == ()

    @pytest.mark.parametrize(
        "missing", ["bibs/boxes.csv", "bibs/ground_truth.csv", "bibs/x.jpg", "bibs-modern/city07.jpg"]
    )
    def test_what_is_missing_is_named(self, missing: str, data: Path) -> None:
        (data / missing).unlink()
        with pytest.raises(CannotMeasure, match=missing.rpartition("/")[2].replace(".", r"\.")):
            labelled(data)

    @pytest.mark.parametrize(
        ("boxes", "sentence"),
        [
            (f"{BOXES}x.jpg,42,left\n", "as numbers in every row"),
            (f"{BOXES}y.jpg,42,1,2,3,4,5,6,7,8\n", "y.jpg, of which ground_truth.csv has no row"),
            ("filename\nx.jpg\n", "must have the column number"),
        ],
    )
    def test_boxes_that_cannot_be_used_are_refused_in_a_sentence(self, boxes: str, sentence: str, data: Path) -> None:
        (data / "bibs" / "boxes.csv").write_text(boxes)
        with pytest.raises(CannotMeasure, match=sentence):
            labelled(data)

    def test_tables_without_rows_are_refused(self, data: Path) -> None:
        for table in data.glob("*/*.csv"):
            table.write_text(table.read_text().splitlines()[0] + "\n")
        with pytest.raises(CannotMeasure, match="names no race photo"):
            labelled(data)


class TestClothes:
    RED, BLUE = (1.0, 0.0), (0.0, 1.0)

    def test_whose_clothes_are_certainly_two_peoples(self) -> None:
        red, blue = at(0).wearing(self.RED), at(0).wearing(self.BLUE)
        seen = [
            Person("spring", "42", red, "a"),
            Person("spring", "7", blue, "b"),
            Person("spring", None, blue, "b"),
            Person("spring", None, at(0), "b"),
            Person("autumn", "7", blue, "b"),
        ]
        assert worn_by_strangers(seen) == [(self.RED, self.BLUE), (self.BLUE, self.BLUE)]

    def test_strangers_of_two_races_are_judged_in_clothes_of_strangers_at_one(self) -> None:
        # Mutation: told_apart with the clothes that they wear. Whoever wears another race's shirt would be told apart.
        seen = [Person("spring", None, at(0).wearing(self.RED)), Person("autumn", None, at(BARELY).wearing(self.BLUE))]
        alike, unlike = (self.RED, self.RED), (self.RED, self.BLUE)
        for worn, taken in (([alike], 1.0), ([unlike], 0.0), ([alike, unlike, unlike, unlike], 0.25)):
            told = told_apart(seen, is_one_person, worn)
            assert told["strangers_taken_for_one_another"] == taken

    def test_who_is_blurred_is_found_by_clothes_and_the_camera(self) -> None:
        glasses = FaceQuality(sharpness=80, brightness=50, sunglasses=99)
        clear = (at(0), at(NEAR))
        shaded = (at(0, glasses).wearing(self.RED), at(BARELY, glasses).wearing(self.RED))
        assert bursts.told([clear, shaded]) == {
            "faces": 2,
            "by_face_alone": 0.5,
            "with_clothes": 0.5,
            "with_clothes_and_time": 1.0,
            "by_the_default_threshold": 1.0,
        }


def test_a_later_frame_says_where_everything_is() -> None:
    picture = np.zeros((200, 300, 3), dtype=np.uint8)
    picture[50:60, 220:230] = 255
    for number in (0, 1, 2):
        later = bursts.later_frame(picture, face_width=20, number=number)
        rows, columns = np.nonzero(later.pixels[:, :, 0] > later.pixels.max() / 2)
        assert np.hypot(*np.subtract(later.place((225, 55)), (columns.mean(), rows.mean()))) < 2
        assert later.pixels.shape == picture.shape
