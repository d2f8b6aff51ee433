"""How the accuracy of faces is counted, with vectors and boxes made by hand."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from bench.faces import Area, count_found, run, score_search
from bench.labelled import CannotMeasure
from vision.collections.index import Vectors
from vision.collections.similarity import BEST_DISTANCE

NEAR = 2 * math.asin(BEST_DISTANCE / 2) * 0.9
"""An angle whose chord is a little below the distance at which two faces match."""


def at(angle: float) -> Vectors:
    """A vector of length 1; two of them are as far apart as their angles."""
    vector = np.zeros(128, dtype=np.float32)
    vector[:2] = math.cos(angle), math.sin(angle)
    return vector


def square(left: float, top: float, side: float = 10) -> Area:
    return Area(left, top, left + side, top + side)


def test_a_pair_of_one_person_counts_both_ways() -> None:
    score = score_search(["ann", "ann", "ben"], [at(0), at(NEAR), at(math.pi)])
    assert score == {"search_precision": 1.0, "search_recall": 1.0, "f1": 1.0}


def test_a_stranger_within_the_threshold_costs_precision() -> None:
    score = score_search(["ann", "ann", "ben"], [at(0), at(NEAR), at(2 * NEAR)])
    assert score == {"search_precision": 0.5, "search_recall": 1.0, "f1": 0.6667}


def test_a_person_beyond_the_threshold_costs_recall() -> None:
    score = score_search(["ann", "ann", "ann"], [at(0), at(NEAR), at(2 * NEAR)])
    assert score == {"search_precision": 1.0, "search_recall": 0.6667, "f1": 0.8}


def test_a_portrait_without_a_face_misses_all_its_pairs() -> None:
    score = score_search(["ann", "ann", "ann"], [at(0), None, at(NEAR)])
    assert score == {"search_precision": 1.0, "search_recall": 0.3333, "f1": 0.5}


def test_a_face_is_found_where_its_middle_and_the_labels_lie_in_each_other() -> None:
    assert count_found([square(0, 0)], [square(4, 4)]) == 1
    assert count_found([square(0, 0)], [square(6, 0)]) == 0
    assert count_found([square(0, 0)], [square(0, 0, 100)]) == 0, "a crowd is no face"
    assert count_found([square(0, 0)], [square(1, 1, 2)]) == 0, "an eye is no face"


def test_one_found_face_counts_for_one_label() -> None:
    assert count_found([square(0, 0), square(2, 0)], [square(1, 0)]) == 1
    assert count_found([square(0, 0)], [square(0, 0), square(1, 0)]) == 1
    assert count_found([square(0, 0), square(4, 0)], [square(3, 0), square(5, 0)]) == 2


def test_a_folder_without_its_truth_is_refused_with_the_missing_file(tmp_path: Path) -> None:
    with pytest.raises(CannotMeasure, match=r"boxes\.csv is missing; --data names a folder"):
        run(tmp_path)


def test_a_missing_picture_is_refused_by_its_name(tmp_path: Path) -> None:
    (tmp_path / "bibs").mkdir()
    (tmp_path / "bibs" / "boxes.csv").write_text("filename\n")
    (tmp_path / "bibs" / "ground_truth.csv").write_text("filename\ngone.jpg\n")
    with pytest.raises(CannotMeasure, match=r"gone\.jpg cannot be used"):
        run(tmp_path)


def test_tables_without_rows_are_refused(tmp_path: Path) -> None:
    (tmp_path / "bibs").mkdir()
    for name in ("boxes.csv", "ground_truth.csv"):
        (tmp_path / "bibs" / name).write_text("filename\n")
    with pytest.raises(CannotMeasure, match="names no photo"):
        run(tmp_path)


def test_boxes_without_numbers_are_refused(tmp_path: Path) -> None:
    (tmp_path / "bibs").mkdir()
    (tmp_path / "bibs" / "boxes.csv").write_text("filename,face_c0\na.jpg,left\n")
    with pytest.raises(CannotMeasure, match="as numbers in every row"):
        run(tmp_path)
