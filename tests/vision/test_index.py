"""Searching a collection in memory, against comparing with every face in double precision."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vision.collections import index as index_module
from vision.collections.index import FaceIndex, Match, Vectors
from vision.collections.similarity import similarity
from vision.engine.messages import VECTOR_LENGTH

Faces = dict[int, Vectors]

# Small blocks, so that a few faces fill several; the server's are the same but for their size.
BLOCK = 7
LEAST = 2
PEOPLE = np.random.default_rng(1).normal(size=(3, VECTOR_LENGTH))
LEAST_PERCENT = 1e-6  # percent; far below it, a similarity has no exact distance
AXES = np.eye(VECTOR_LENGTH)[[0, 1, 127]]  # all of their length in one component
CENTRES = np.concatenate([PEOPLE, -PEOPLE, AXES, -AXES, np.ones((1, VECTOR_LENGTH))])


@pytest.fixture(params=["copies", "dense"], scope="module", autouse=True)
def looked_at(request: pytest.FixtureRequest) -> Iterator[None]:
    """Once with what short copies leave over, however much that is, and once as it is."""
    with pytest.MonkeyPatch.context() as patch:
        if request.param == "copies":
            patch.setattr(index_module, "_DENSE", 1)
        yield


@st.composite
def vectors(draw: st.DrawFn) -> Vectors:
    """Equal, almost equal, alike, opposite and unlike ones, of length 1."""
    centre = CENTRES[draw(st.integers(0, len(CENTRES) - 1))]
    centre = centre / np.linalg.norm(centre)
    away = draw(st.sampled_from([0.0, 1e-8, 1e-6, 1e-3, 0.02, 0.05, 0.5]))
    noise = np.random.default_rng(draw(st.integers(0, 50))).normal(size=VECTOR_LENGTH)
    return unit(centre + away * noise / np.linalg.norm(noise))


def unit(vector: Any) -> Vectors:
    return (vector / np.linalg.norm(vector)).astype(np.float32)


adding = st.tuples(st.just("add"), st.lists(vectors(), min_size=1, max_size=20))
removing = st.tuples(st.just("remove"), st.lists(st.integers(1, 60), max_size=20))


@settings(max_examples=100, deadline=None)
@given(changes=st.lists(st.one_of(adding, removing), min_size=1, max_size=8), data=st.data())
def test_a_search_finds_exactly_what_comparing_with_every_face_finds(changes: list[Any], data: st.DataObject) -> None:
    index, faces, last = FaceIndex(BLOCK, LEAST), Faces(), 0
    for change, what in changes:
        if change == "add":
            new = dict(zip(range(last + 1, last + 1 + len(what)), what, strict=True))
            index.add(list(new), np.stack(what))
            faces |= new
            last += len(what)
        else:
            index.remove(what)
            faces = {key: vector for key, vector in faces.items() if key not in what}
    assert len(index) == len(faces)
    searched = data.draw(vectors() if not faces else st.one_of(vectors(), st.sampled_from(list(faces.values()))))
    exactly_at = [percent for _, percent in everyone(faces, searched) if percent > LEAST_PERCENT]
    threshold = data.draw(st.sampled_from([0.0, 80.0, 99.0, *exactly_at]))
    limit = data.draw(st.integers(1, len(faces) + 2))
    leave_out = data.draw(st.sampled_from([None, *faces]))
    assert index.search(searched, threshold, limit, leave_out) == full_search(
        faces, searched, threshold, limit, leave_out
    )
    for key in range(1, last + 1):
        if key in faces:
            assert (index.vector(key) == faces[key]).all()
        else:
            with pytest.raises(KeyError):
                index.vector(key)


@pytest.mark.parametrize("apart", [0.003, 0.01, 0.03, 0.1])
def test_faces_that_rounding_puts_in_another_order_are_found_in_the_true_one(apart: float) -> None:
    chance = np.random.default_rng(5)
    near = [unit(PEOPLE[0] / np.linalg.norm(PEOPLE[0]) + apart * each) for each in _directions(2000, chance)]
    faces = dict(enumerate(near, start=1))
    index = FaceIndex(500, 100)
    index.add(list(faces), np.stack(near))
    for searched in (unit(PEOPLE[0]), unit(PEOPLE[1]), near[0]):
        nearest = everyone(faces, searched)
        for limit in (1, 10, 400):
            assert index.search(searched, 0, limit) == full_search(faces, searched, 0, limit)
            threshold = max(nearest[limit][1], LEAST_PERCENT)
            assert index.search(searched, threshold, 4096) == full_search(faces, searched, threshold, 4096)


def test_of_faces_that_are_equally_near_the_older_comes_first() -> None:
    index = FaceIndex(BLOCK, LEAST)
    index.add(range(1, 41), np.repeat(unit(PEOPLE[0])[None], 40, axis=0))
    index.remove([2, 9, 38])
    assert [match.key for match in index.search(unit(PEOPLE[0]), 80, 10)] == [1, 3, 4, 5, 6, 7, 8, 10, 11, 12]
    assert [match.key for match in index.search(unit(PEOPLE[0]), 80, 3, leave_out=3)] == [1, 4, 5]


def test_removing_most_faces_gives_their_memory_back_and_keeps_the_rest() -> None:
    faces = {key: unit(vector) for key, vector in enumerate(np.random.default_rng(2).normal(size=(210, 128)), start=1)}
    index = FaceIndex(BLOCK, LEAST)
    index.add(list(faces), np.stack(list(faces.values())))
    assert index.blocks == 30
    index.remove(key for key in faces if key % 5)  # each block keeps one or two
    kept = {key: vector for key, vector in faces.items() if key % 5 == 0}
    assert index.blocks == 6
    assert index.search(faces[1], 0, 100) == full_search(kept, faces[1], 0, 100)
    index.remove(kept)
    assert (len(index), index.blocks, index.search(faces[1], 0, 100)) == (0, 0, [])


def _directions(count: int, chance: np.random.Generator) -> Any:
    drawn = chance.normal(size=(count, VECTOR_LENGTH))
    return drawn / np.linalg.norm(drawn, axis=1, keepdims=True)


def everyone(faces: Faces, searched: Vectors) -> list[tuple[int, float]]:
    """All keys with their similarity, the nearest first, of equals the older first."""
    if not faces:
        return []
    distances = np.linalg.norm(np.stack(list(faces.values())).astype(np.float64) - searched, axis=1)
    ordered = sorted(zip(distances.tolist(), faces, strict=True))
    return [(key, similarity(distance)) for distance, key in ordered]


def full_search(
    faces: Faces, searched: Vectors, threshold: float, limit: int, leave_out: int | None = None
) -> list[Match]:
    found = [(key, percent) for key, percent in everyone(faces, searched) if percent >= threshold and key != leave_out]
    return [Match(key, percent) for key, percent in found[:limit]]
