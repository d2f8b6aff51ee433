"""Users and page tokens on the disk and in memory, without pictures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.vision.test_store import face, unit_vectors
from vision.collections.database import Database
from vision.collections.index import Vectors
from vision.collections.pages import Tokens
from vision.collections.similarity import similarity
from vision.collections.users import MAX_FACES_OF_A_USER, FoundUser, Users
from vision.errors import InvalidPaginationTokenException


class Kept:
    """A database with a collection "race" of these faces, whose ids are `ids`."""

    def __init__(self, folder: Path, vectors: Vectors) -> None:
        self.database = Database(folder / "collections.sqlite")
        self.users = Users(self.database)
        if not self.database.names(None, 1).items:
            self.database.create("race", {})
            for number, vector in enumerate(vectors):
                self.database.index("race", b"%d" % number, "", [face(vector)])
        self.ids = [each.face_id for each in self.database.faces("race", None, 4096).items]

    def search(self, vector: Vectors) -> list[FoundUser]:
        found = None
        while found is None:  # it reads some at a time
            found = self.users.search("race", vector.tobytes(), 0, 10)
        return found


@pytest.mark.parametrize("place", [1, 2**40])
def test_a_token_is_good_for_its_list_and_its_secret_alone(place: int) -> None:
    tokens = Tokens(b"secret")
    token = tokens.token("faces of 1", place)
    assert Tokens(b"secret").place("faces of 1", token) == place
    altered = [f"{token[:at]}{'B' if token[at] == 'A' else 'A'}{token[at + 1 :]}" for at in range(len(token))]
    for wrong in (*altered, "", "1", "page two", "٣", "\ud800", token + "=", token[:-1], token * 2):
        with pytest.raises(InvalidPaginationTokenException):
            tokens.place("faces of 1", wrong)
    for others, listed in ((tokens, "faces of 2"), (tokens, "users of 1"), (Tokens(b"other"), "faces of 1")):
        with pytest.raises(InvalidPaginationTokenException):
            others.place(listed, token)


def test_a_token_outlives_a_restart_and_not_its_collection(tmp_path: Path) -> None:
    vectors = unit_vectors(3, seed=1)
    kept = Kept(tmp_path, vectors)
    page = kept.database.faces("race", None, 2)
    kept.database.close()
    again = Kept(tmp_path, vectors).database
    rest = again.faces("race", page.token, 2)
    assert [each.face_id for each in rest.items] == kept.ids[2:]
    assert rest.token is None
    again.retire("race")
    again.create("race", {})
    with pytest.raises(InvalidPaginationTokenException):
        again.faces("race", page.token, 2)
    again.close()


def test_a_user_takes_100_faces_and_no_more(tmp_path: Path) -> None:
    near = unit_vectors(1, seed=1) + 0.01 * unit_vectors(MAX_FACES_OF_A_USER + 5, seed=2)
    kept = Kept(tmp_path, (near / np.linalg.norm(near, axis=1, keepdims=True)).astype(np.float32))
    kept.users.create("race", "ann", None)
    first = kept.users.associate("race", "ann", kept.ids[:3], 75, None)
    rest = kept.users.associate("race", "ann", kept.ids[3:], 75, None)
    assert len(first.done) + len(rest.done) == MAX_FACES_OF_A_USER
    assert [(each.face_id, each.reason) for each in rest.refused] == [(face_id, None) for face_id in kept.ids[-5:]]
    kept.database.close()


def test_faces_that_cancel_each_other_out_are_still_a_user(tmp_path: Path) -> None:
    one = unit_vectors(1, seed=3)
    kept = Kept(tmp_path, np.concatenate([one, -one]))
    kept.users.create("race", "ann", None)
    kept.users.associate("race", "ann", kept.ids, 0, None)
    (found,) = kept.search(one[0])
    assert found.similarity == 100
    kept.database.close()


CHANGES = st.lists(
    st.tuples(st.sampled_from(["associate", "disassociate", "delete"]), st.integers(0, 2), st.sets(st.integers(0, 9))),
    max_size=12,
)


@settings(max_examples=40, deadline=None)
@given(changes=CHANGES, restart=st.booleans())
def test_a_user_is_always_the_mean_of_her_faces(
    tmp_path_factory: pytest.TempPathFactory, changes: list[tuple[str, int, set[int]]], restart: bool
) -> None:
    vectors, searched = unit_vectors(10, seed=4), unit_vectors(1, seed=5)[0]
    folder = tmp_path_factory.mktemp("users")
    kept = Kept(folder, vectors)
    assert kept.search(searched) == []  # in memory from the beginning
    whose: dict[int, int] = {}
    there: set[int] = set()
    for what, user, some in changes:
        name, ids = f"user-{user}", [kept.ids[number] for number in sorted(some)]
        if user not in there:
            kept.users.create("race", name, None)
            there.add(user)
        if what == "associate":
            kept.users.associate("race", name, ids, 0, None)
            whose |= {number: user for number in some if number not in whose}
        elif what == "disassociate":
            kept.users.disassociate("race", name, ids, None)
            whose = {number: owner for number, owner in whose.items() if owner != user or number not in some}
        else:
            kept.users.delete("race", name, None)
            there.discard(user)
            whose = {number: owner for number, owner in whose.items() if owner != user}
    if restart:
        kept.database.close()
        kept = Kept(folder, vectors)
    expected = {}
    for user in set(whose.values()):
        mean = vectors[[number for number, owner in whose.items() if owner == user]].astype(np.float64).mean(axis=0)
        expected[f"user-{user}"] = similarity(float(np.linalg.norm(mean / np.linalg.norm(mean) - searched)))
    assert {each.user.user_id: each.similarity for each in kept.search(searched)} == pytest.approx(expected, rel=1e-4)
    assert kept.database.describe("race").users == len(there)
    kept.database.close()


def test_a_request_that_is_sent_again_is_done_once(tmp_path: Path) -> None:
    kept = Kept(tmp_path, unit_vectors(2, seed=6))
    for _ in range(2):
        kept.users.create("race", "ann", "first")
    first = kept.users.associate("race", "ann", kept.ids[:1], 75, "second")
    kept.users.disassociate("race", "ann", kept.ids[:1], None)
    assert kept.users.associate("race", "ann", kept.ids[:1], 75, "second") == first
    assert kept.database.faces("race", None, 10, user_id="ann").items == [], "it was not done again"
    for _ in range(2):
        kept.users.delete("race", "ann", "third")
    kept.database.close()


def test_a_deleted_user_leaves_no_bytes_in_any_file(tmp_path: Path) -> None:
    def occurrences(content: bytes) -> int:
        return sum(path.read_bytes().count(content) for path in tmp_path.iterdir())

    vectors = unit_vectors(2, seed=7)
    kept = Kept(tmp_path, vectors)
    mean = vectors.astype(np.float64).mean(axis=0)
    vector = (mean / np.linalg.norm(mean)).astype("<f4").tobytes()
    for user in ("private-one", "private-two"):
        kept.users.create("race", user, None)
    kept.users.associate("race", "private-one", kept.ids, 0, None)
    assert occurrences(vector) > 0
    assert occurrences(b"private-one") > 0
    kept.users.delete("race", "private-one", None)
    assert (occurrences(vector), occurrences(b"private-one")) == (0, 0)
    assert occurrences(vectors[0].tobytes()) == 1, "the faces stay"
    kept.users.associate("race", "private-two", kept.ids, 0, "token")
    kept.database.retire("race")
    while kept.database.erase_some():
        pass
    assert [occurrences(each) for each in (b"private-two", vector, vectors[0].tobytes())] == [0, 0, 0]
    kept.database.close()
