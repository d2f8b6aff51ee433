"""Collections on the disk and in memory, without pictures."""

from __future__ import annotations

import asyncio
import math
import random
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Awaitable
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.vision.running import ROOT
from vision.collections.database import Database
from vision.collections.index import Vectors
from vision.collections.similarity import BEST_DISTANCE, DEFAULT_THRESHOLD, distance_at, similarity
from vision.collections.sqlite import CannotOpen
from vision.collections.store import MAX_CALLS, Store
from vision.engine.messages import Box, Face
from vision.errors import ThrottlingException

WRITER = """
import asyncio, sys
from pathlib import Path
from tests.vision.test_store import face, unit_vectors
from vision.collections.store import Store

async def write():
    store = Store(Path(sys.argv[1]))
    number = int(sys.argv[2])
    while True:
        vectors = unit_vectors(3, seed=number)
        faces = [face(vector, place) for place, vector in enumerate(vectors)]
        stored = await store.index("race", b"photo %d" % number, f"photo-{number}", faces)
        print(number, *(each.face_id for each in stored), flush=True)
        if number % 5 == 0:
            await store.remove("race", [stored[0].face_id])
            print("removed", stored[0].face_id, flush=True)
        if number % 3 == 0:
            await store.create_user("race", f"user-{number}", None)
            await store.associate("race", f"user-{number}", [each.face_id for each in stored[1:]], 75, None)
            print("user", f"user-{number}", *(each.face_id for each in stored[1:]), flush=True)
        number += 1

asyncio.run(write())
"""


def unit_vectors(count: int, seed: int) -> Vectors:
    drawn = np.random.default_rng(seed).normal(size=(count, 128))
    return (drawn / np.linalg.norm(drawn, axis=1, keepdims=True)).astype(np.float32)


def face(vector: Vectors, place: int = 0) -> Face:
    return Face(
        box=Box(0.1 + 0.3 * place, 0.1, 0.2, 0.2),
        landmarks={},
        roll=0.0,
        yaw=0.0,
        pitch=0.0,
        brightness=50.0,
        sharpness=50.0,
        confidence=99.0,
        vector=vector.tobytes(),
    )


def test_similarity_falls_with_distance_and_is_80_at_the_best_distance() -> None:
    assert similarity(BEST_DISTANCE) == pytest.approx(DEFAULT_THRESHOLD)
    percents = [similarity(distance) for distance in np.linspace(0, 2, 401)]
    assert percents == sorted(percents, reverse=True)
    assert 99.9 < percents[0] <= 100
    assert 0 <= percents[-1] < 0.1
    for away in (-0.2, -0.05, 0.0, 0.15):
        distance = BEST_DISTANCE + away
        assert distance_at(similarity(distance)) == pytest.approx(distance)
    assert distance_at(0) == 2


def test_a_deleted_face_leaves_no_bytes_in_any_file(tmp_path: Path) -> None:
    async def index_and_delete() -> None:
        store = Store(tmp_path)
        await store.create("race", {})
        stored = await store.index("race", b"photo", "private-name", [face(gone, 0), face(kept, 1)])
        await store.index("race", b"other photo", "erased-name", [face(erased)])
        assert occurrences(gone) > 0
        assert occurrences(erased) > 0
        others = [
            each.face_id for each in (await store.faces("race", None, 10)).items if each.external_id == "erased-name"
        ]
        await store.remove("race", [stored[0].face_id, *others])
        assert (occurrences(gone), occurrences(erased), occurrences(b"erased-name")) == (0, 0, 0)
        assert occurrences(kept) == 1
        await store.delete("race")
        assert occurrences(kept) == occurrences(b"private-name") == 0
        store.close()

    def occurrences(content: Vectors | bytes) -> int:
        wanted = content if isinstance(content, bytes) else content.tobytes()
        return sum(path.read_bytes().count(wanted) for path in tmp_path.iterdir())

    gone, kept, erased = unit_vectors(3, seed=3)
    asyncio.run(index_and_delete())


def test_indexing_at_the_same_moment_keeps_each_face_once(tmp_path: Path) -> None:
    async def index() -> None:
        store = Store(tmp_path)
        await store.create("race", {})
        faces = [face(vector, place) for place, vector in enumerate(unit_vectors(3, seed=5))]
        answers = await asyncio.gather(*(store.index("race", b"photo", "p", faces) for _ in range(20)))
        assert all(answer == answers[0] for answer in answers)
        assert (await store.describe("race")).faces == 3
        store.close()

    asyncio.run(index())


def test_a_deleted_collection_is_gone_at_once_and_erased_in_parts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vision.collections.database._ERASE_AT_ONCE", 3)
    kept = Database(tmp_path / "collections.sqlite")
    vectors = unit_vectors(10, seed=1)
    for name in ("race", "other"):
        kept.create(name, {})
        kept.index(name, b"photo", "photo", [face(vector, place) for place, vector in enumerate(vectors)])
    kept.retire("race")
    assert kept.names(None, 10).items == ["other"]
    kept.create("race", {})  # a new one of the same name, while the old one is being erased
    left = []
    while kept.erase_some():
        left.append(rows(tmp_path, "face") - 10)
    assert left == [7, 4, 1, 0, 0, 0], "then its image, then itself"
    assert kept.describe("race").faces == 0
    assert kept.describe("other").faces == 10
    kept.close()


def test_deleting_a_collection_ends_when_all_of_it_is_erased(tmp_path: Path) -> None:
    async def fill_and_delete(store: Store) -> None:
        await store.create("race", {})
        await store.index("race", b"photo", "photo", [face(unit_vectors(1, seed=1)[0])])
        await store.delete("race")

    store = Store(tmp_path)
    asyncio.run(fill_and_delete(store))
    assert [rows(tmp_path, table) for table in ("face", "image", "collection")] == [0, 0, 0]
    store.close()


def test_above_so_many_calls_all_are_refused_and_those_of_clients_that_left_are_not_done(tmp_path: Path) -> None:
    async def crowd() -> None:
        store = Store(tmp_path)
        at_work = keep_busy(store)
        leaving = [asyncio.create_task(store.create(f"left-{number}", {})) for number in range(MAX_CALLS - 1)]
        staying = asyncio.create_task(store.create("stayed", {}))
        await asyncio.sleep(0)
        for call in (store.names(None, 100), store.delete("race"), store.search_face("race", "face", 80, 10)):
            with pytest.raises(ThrottlingException, match=f"{MAX_CALLS} calls"):
                await call
        for each in leaving:
            each.cancel()
        await asyncio.wait(leaving)
        last = asyncio.create_task(store.names(None, 100))
        await asyncio.sleep(0)
        at_work.set()
        await staying
        assert (await last).items == ["stayed"]
        store.close()

    asyncio.run(crowd())


def test_a_collection_is_erased_whole_though_its_client_has_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def delete_and_leave() -> None:
        store = Store(tmp_path)
        await store.create("race", {})
        await store.index("race", b"photo", "", [face(vector) for vector in unit_vectors(10, seed=1)])
        at_work = keep_busy(store)
        deleting = asyncio.create_task(store.delete("race"))
        await asyncio.sleep(0)
        deleting.cancel()
        await asyncio.wait([deleting])
        at_work.set()
        for _ in range(20):  # each after another part
            assert (await store.names(None, 10)).items in (["race"], [])
        store.close()

    monkeypatch.setattr("vision.collections.database._ERASE_AT_ONCE", 3)
    asyncio.run(delete_and_leave())
    assert [rows(tmp_path, table) for table in ("face", "image", "collection")] == [0, 0, 0]


def keep_busy(store: Store) -> threading.Event:
    """Give the store's thread work that lasts until the event is set, or until a test that hangs has failed."""
    done = threading.Event()
    store._thread.submit(done.wait, 20)
    return done


def test_a_server_killed_while_erasing_goes_on_when_it_starts(tmp_path: Path) -> None:
    kept = Database(tmp_path / "collections.sqlite")
    kept.create("race", {})
    kept.index("race", b"photo", "photo", [face(vector) for vector in unit_vectors(1, seed=1)])
    kept.retire("race")  # and no more
    kept.close()
    assert rows(tmp_path, "face") == 1
    Store(tmp_path).close()
    assert [rows(tmp_path, table) for table in ("face", "image", "collection")] == [0, 0, 0]


def test_faces_of_another_network_are_refused_and_left_as_they_are(tmp_path: Path) -> None:
    async def fill(store: Store) -> None:
        await store.create("race", {})
        await store.index("race", b"photo", "photo", [face(unit_vectors(1, seed=1)[0])])

    store = Store(tmp_path)
    asyncio.run(fill(store))
    store.close()
    with closing(sqlite3.connect(tmp_path / "collections.sqlite")) as database:
        database.execute("PRAGMA user_version = 0")  # as before networks were told apart
    with pytest.raises(CannotOpen, match="another --data"):
        Store(tmp_path)
    assert rows(tmp_path, "face") == 1


def test_a_file_that_is_no_database_is_refused_in_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "collections.sqlite").write_bytes(b"once upon a time " * 100)
    with pytest.raises(CannotOpen, match="another --data"):
        Store(tmp_path)


def rows(data: Path, table: str) -> int:
    with closing(sqlite3.connect(data / "collections.sqlite")) as database:
        (count,) = database.execute(f"SELECT count(*) FROM {table}").fetchone()  # noqa: S608 - ours
    return int(count)


def test_while_a_collection_is_read_other_requests_go_on_and_changes_to_it_count(tmp_path: Path) -> None:
    vectors = unit_vectors(12_000, seed=9)  # read in several parts
    ids: list[str] = []
    answered: list[str] = []

    async def write() -> None:
        store = Store(tmp_path)
        await store.create("race", {})
        await store.create("other", {})
        for start in range(0, len(vectors), 1000):
            photo = b"photo %d" % start
            stored = await store.index("race", photo, "", [face(each) for each in vectors[start : start + 1000]])
            ids.extend(each.face_id for each in stored)
        store.close()

    async def read() -> None:
        store = Store(tmp_path)
        gone = [0, 10, 4_999, 5_000, 11_000, 11_999]

        async def note(what: str, answer: Awaitable[Any]) -> Any:
            result = await answer
            answered.append(what)
            return result

        first, _, _, added, _ = await asyncio.gather(
            note("search", store.search("race", vectors[500].tobytes(), 0, 4096)),
            note("remove", store.remove("race", [ids[place] for place in gone])),
            note("other", store.search("other", vectors[0].tobytes(), 0, 10)),
            note("index", store.index("race", b"new photo", "", [face(unit_vectors(1, seed=10)[0])])),
            note("remove", store.remove("race", [ids[7]])),
        )
        assert answered[-1] == "search"
        everyone = np.concatenate([vectors, unit_vectors(1, seed=10)])
        kept = [place for place in range(len(everyone)) if place not in {*gone, 7}]
        every_id = [*ids, added[0].face_id]
        for place in (500, 11_998, 12_000):
            distances = np.linalg.norm(everyone[kept].astype(np.float64) - everyone[place], axis=1)
            nearest = [every_id[kept[each]] for each in np.argsort(distances, kind="stable")[:4096]]
            found = await store.search("race", everyone[place].tobytes(), 0, 4096)
            assert [match.face.face_id for match in found] == nearest
            if place == 500:
                assert found == first
        assert (await store.describe("race")).faces == len(kept)
        store.close()

    asyncio.run(write())
    asyncio.run(read())


def test_kill_9_while_writing_loses_no_acknowledged_face(tmp_path: Path) -> None:
    chance = random.Random(11)
    kept: dict[str, int] = {}
    removed: set[str] = set()
    users: dict[str, list[str]] = {}
    asyncio.run(_create(tmp_path))
    for round_ in range(5):
        writer = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(tmp_path), str(1 + 100_000 * round_)],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert writer.stdout is not None
        # Killed right after an acknowledgement: after a while it would mostly be waiting for the disk.
        told = [writer.stdout.readline() for _ in range(chance.randrange(5, 50))]
        writer.send_signal(signal.SIGKILL)
        told += [line for line in writer.stdout if line.endswith("\n")]
        writer.wait()
        for line in told:
            first, *ids = line.split()
            if first == "removed":
                removed.add(ids[0])
            elif first == "user":
                users[ids[0]] = ids[1:]
            else:
                kept.update((face_id, int(first)) for face_id in ids)
        asyncio.run(_check(tmp_path, kept, removed, users))
    assert len(kept) > 50
    assert len(users) > 5


async def _create(data: Path) -> None:
    store = Store(data)
    await store.create("race", {})
    store.close()


async def _check(data: Path, kept: dict[str, int], removed: set[str], users: dict[str, list[str]]) -> None:
    store = Store(data)
    stored = {each.face_id: each for each in (await store.faces("race", None, 1_000_000)).items}
    in_doubt = set(kept) - removed - set(stored)
    assert len(in_doubt) <= 1  # a removal that was done, and not yet told when the process was killed
    removed |= in_doubt
    assert not removed & set(stored)
    photos: dict[str, int] = {}
    for each in stored.values():
        photos[each.external_id] = photos.get(each.external_id, 0) + 1
    assert all(count in (2, 3) for count in photos.values())  # a photo's faces are there together
    for face_id in list(stored)[:: max(1, len(stored) // 20)]:
        found = await store.search_face("race", face_id, 0, 1)
        assert found
        assert math.isfinite(found[0].similarity)
    for user_id, faces in users.items():
        of_user = (await store.faces("race", None, 100, user_id=user_id)).items
        assert [each.face_id for each in of_user] == faces
        found = await store.search_users_by_face("race", faces[0], 0, 1)
        assert found[0].user.user_id == user_id
    described = await store.describe("race")
    assert described.faces == len(stored)
    assert len(users) <= described.users <= len(users) + 5  # one in each round may not have been told
    store.close()
