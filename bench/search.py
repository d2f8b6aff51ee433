"""How fast a collection answers as it grows: snaprace bench search.

Fills one collection of a vision server's store with drawn embeddings, to 10,000, 100,000 and 1,000,000 faces. At each
size it says how long a search takes in memory, beside a full search by numpy in the same run (float32, one thread, as
ours), and through HTTP; which share of the searches gave exactly the faces and the order of the full search; the memory
of the server; the time to read the collection; and what adding and removing a face costs. What is in memory is measured
in a process for each set of instructions (AVX-512, AVX2) that this processor has.

The embeddings are drawn to be no easier than real ones, whose strangers are not simply far apart: all share a common
part, people and photos differ in almost all directions, and the photos of a person (five, on average) scatter, some
far. `distances` in the report says how far apart they are.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import boto3
import numpy as np
from botocore.config import Config
from botocore.exceptions import ClientError, ConnectionError

from bench import instructions
from local.runtime.pages import with_large_pages
from vision.collections.index import FaceIndex, Vectors
from vision.collections.similarity import DEFAULT_THRESHOLD, distance_at, similarity
from vision.collections.store import Store
from vision.engine.messages import VECTOR_LENGTH, Box, Face

SIZES = (10_000, 100_000, 1_000_000)
KINDS = {"default": (DEFAULT_THRESHOLD, 80), "top_4096": (0.0, 4096)}
"""Threshold and limit: Rekognition's defaults, and the most that it can be asked for."""

_COLLECTION = "bench"
_PICTURE = 100  # faces: the most that IndexFaces takes from one picture
_ROUNDING = 1e-5  # more than a float32 cosine of 128 numbers can be wrong by
_START_SECONDS = 60.0

# Lengths of the parts that an embedding is the sum of, and how fast the latter two fade over the directions. As on 620
# portraits and 142 faces of race photos: strangers' cosines are .08 and spread by .09, and the 64 longest directions of
# either hold .56 of the other's squared lengths, as good as evenly; here it is .69.
_COMMON, _PERSON, _PHOTO = 0.3, 0.8, 0.5
_PERSON_DIRECTIONS, _PHOTO_DIRECTIONS = 100, 100
_PHOTOS_OF_A_PERSON = 5

P = ParamSpec("P")
R = TypeVar("R")
Seconds = tuple[float, float]  # that passed, and that the thread worked


def run(sizes: Sequence[int], queries: int) -> dict[str, Any]:
    """Measure a collection at each size, with so many searches (a tenth of that for the top 4096)."""
    vectors = draw(max(sizes))
    with tempfile.TemporaryDirectory() as folder:
        data, known = Path(folder), list[str]()
        rows = []
        each_set = instructions.available()
        for size in sorted(sizes):
            filling = asyncio.run(_fill(data, vectors[:size], known))
            row = {"faces": size, "store": filling, **{each: _alone(each, size, queries) for each in each_set}}
            rows.append({**row, "server": _through_http(data, known, queries)})
    return {"cores": os.cpu_count(), "load": os.getloadavg()[0], "distances": _distances(vectors[:4000]), "sizes": rows}


def _alone(name: str, size: int, queries: int) -> dict[str, Any]:
    """What `_in_memory` says in a process of its own that uses these instructions."""
    command = [sys.executable, "-m", "bench.search", name, str(size), str(queries)]
    environment = with_large_pages({**os.environ, **instructions.environment(name)})
    root = Path(__file__).parents[1]
    told = subprocess.run(command, cwd=root, env=environment, stdout=subprocess.PIPE, check=True).stdout
    return dict(json.loads(told))


def draw(count: int) -> Vectors:
    """Embeddings of length 1, the photos of each person one after another."""
    chance = np.random.default_rng(1)
    directions = np.linalg.qr(chance.normal(size=(VECTOR_LENGTH, VECTOR_LENGTH)))[0].astype(np.float32)
    person = np.repeat(np.arange(count), chance.geometric(1 / _PHOTOS_OF_A_PERSON, size=count))[:count]
    people = chance.standard_normal((int(person[-1]) + 1, VECTOR_LENGTH), np.float32)
    people *= _PERSON * _fading(_PERSON_DIRECTIONS)
    people[:, 0] += _COMMON
    drawn = chance.standard_normal((count, VECTOR_LENGTH), np.float32)
    drawn *= _PHOTO * _fading(_PHOTO_DIRECTIONS)
    drawn *= chance.lognormal(-0.06, 0.35, size=(count, 1)).astype(np.float32)
    drawn += people[person]
    drawn = np.matmul(drawn, directions)
    lengths: Vectors = np.linalg.norm(drawn, axis=1, keepdims=True)
    return np.divide(drawn, lengths, out=drawn)


def _fading(directions: int) -> Vectors:
    """The share of each direction in a length of 1."""
    variance = np.exp(-np.arange(VECTOR_LENGTH) / directions)
    share: Vectors = np.sqrt(variance / variance.sum()).astype(np.float32)
    return share


def full_search(vectors: Vectors, place: int, threshold: float, limit: int) -> list[int]:
    """The places of the faces like the one at `place`, by a scan of all in float32, ordered in double precision."""
    likeness = vectors @ vectors[place]
    likeness[place] = -2  # not the face itself
    near = np.flatnonzero(likeness >= 1 - distance_at(threshold) ** 2 / 2 - _ROUNDING)
    if len(near) > limit:
        least = np.partition(likeness[near], len(near) - limit)[len(near) - limit]
        near = near[likeness[near] >= least - _ROUNDING]
    distances = np.linalg.norm(vectors[near].astype(np.float64) - vectors[place], axis=1)
    ordered = np.argsort(distances, kind="stable")[:limit]
    return [int(near[each]) for each in ordered if similarity(float(distances[each])) >= threshold]


def _in_memory(vectors: Vectors, queries: int) -> dict[str, Any]:
    index = FaceIndex()
    index.add(range(len(vectors)), vectors)
    chance = np.random.default_rng(2)
    report: dict[str, Any] = {}
    for kind, (threshold, limit) in KINDS.items():
        count = queries if kind == "default" else max(1, queries // 10)
        ours, full, exact, matches = list[Seconds](), list[Seconds](), 0, list[int]()
        for place in chance.integers(len(vectors), size=count).tolist():
            found, seconds = _timed(index.search, vectors[place], threshold, limit, leave_out=place)
            ours.append(seconds)
            expected, seconds = _timed(full_search, vectors, place, threshold, limit)
            full.append(seconds)
            exact += [match.key for match in found] == expected
            matches.append(len(found))
        report[kind] = {
            "search": _spread(ours, cpu=True),
            "full_search": _spread(full, cpu=True),
            "times_faster": round(float(np.median(full, axis=0)[1] / np.median(ours, axis=0)[1]), 2),
            "searches": count,
            "exact": exact / count,
            "matches_median": float(np.median(matches)),
        }
    new = range(len(vectors), len(vectors) + 50)
    report["add_one"] = _spread([_timed(index.add, [key], vectors[:1])[1] for key in new], cpu=True)
    some = chance.choice(len(vectors), size=50, replace=False).tolist()
    report["remove_one"] = _spread([_timed(index.remove, [key])[1] for key in some], cpu=True)
    return report


async def _fill(data: Path, vectors: Vectors, known: list[str]) -> dict[str, Any]:
    """Bring the collection to these faces, a hundred in a picture; `known` are the ids of those in it."""
    store = Store(data)
    started, before = time.perf_counter(), len(known)
    if not known:
        await store.create(_COLLECTION, {})
    for start in range(before, len(vectors), _PICTURE):
        faces = [_face(vector, place) for place, vector in enumerate(vectors[start : start + _PICTURE])]
        known.extend(face.face_id for face in await store.index(_COLLECTION, b"%d" % start, "", faces))
    seconds = time.perf_counter() - started
    store.close()
    on_disk = sum(path.stat().st_size for path in data.iterdir())
    return {"filled_faces_per_second": round((len(known) - before) / seconds), "disk_mb": round(on_disk / 1e6, 1)}


def _face(vector: Vectors, place: int) -> Face:
    box = Box(place % 10 / 10, place // 10 / 10, 0.1, 0.1)
    return Face(
        box=box,
        landmarks={},
        roll=0,
        yaw=0,
        pitch=0,
        brightness=50,
        sharpness=50,
        confidence=99,
        vector=vector.tobytes(),
    )


def _through_http(data: Path, known: Sequence[str], queries: int) -> dict[str, Any]:
    """What a client of a fresh server sees; the first search reads the collection from the disk."""
    with _server(data) as (process, client):
        empty = _resident_mb(process)
        waits, loaded = list[Seconds](), threading.Event()

        def others() -> None:
            while not loaded.wait(0.02):
                waits.append(_timed(client.list_collections)[1])

        other = threading.Thread(target=others)
        other.start()
        first = _timed(client.search_faces, CollectionId=_COLLECTION, FaceId=known[0])[1]
        loaded.set()
        other.join()
        report: dict[str, Any] = {
            "first_search_seconds": round(first[0], 2),
            "longest_wait_of_others_meanwhile_ms": round(1000 * max(waits)[0], 1),
        }
        chance = np.random.default_rng(3)
        for kind, (threshold, limit) in KINDS.items():
            asked = chance.choice(len(known), size=max(3, queries // (4 if kind == "default" else 40)))
            given = [
                {"CollectionId": _COLLECTION, "FaceId": known[p], "FaceMatchThreshold": threshold, "MaxFaces": limit}
                for p in asked.tolist()
            ]
            report[kind] = _spread([_timed(client.search_faces, **each)[1] for each in given])
        return {**report, "resident_mb": _resident_mb(process), "resident_mb_before": empty}


@contextmanager
def _server(data: Path) -> Iterator[tuple[subprocess.Popen[bytes], Any]]:
    """A vision server of its own, as soon as it answers, and a client for it."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    command = [sys.executable, "-m", "vision", "--data", str(data), "--port", port, "--workers", "1"]
    process = subprocess.Popen(command, cwd=Path(__file__).parents[1], env=with_large_pages(os.environ))
    client = boto3.client(
        "rekognition",
        endpoint_url=f"http://127.0.0.1:{port}",
        region_name="us-east-1",
        aws_access_key_id="bench",
        aws_secret_access_key="bench",  # noqa: S106 - any will do
        config=Config(retries={"total_max_attempts": 1}, read_timeout=300, proxies={}),
    )
    try:
        deadline = time.monotonic() + _START_SECONDS
        while True:
            try:
                client.list_collections()
                break
            except (ClientError, ConnectionError):
                if process.poll() is not None or time.monotonic() > deadline:
                    raise
                time.sleep(0.1)
        yield process, client
    finally:
        process.terminate()
        process.wait(timeout=30)


def _resident_mb(process: subprocess.Popen[bytes]) -> float:
    """Memory of the front process, without its worker."""
    listed = subprocess.run(["ps", "-o", "rss=", "-p", str(process.pid)], capture_output=True, text=True, check=True)
    return round(int(listed.stdout) * 1024 / 1e6, 1)


def _distances(vectors: Vectors) -> dict[str, list[float]]:
    """Percentiles of the distances between neighbours in the order of drawing, most of one person, and of all."""
    exact = vectors.astype(np.float64)
    neighbours = np.linalg.norm(exact[1:] - exact[:-1], axis=1)
    all_pairs = np.sqrt(np.maximum(0, 2 - 2 * exact @ exact.T))[np.triu_indices(len(exact), 1)]
    return {
        "one_after_another_1_50_75": np.percentile(neighbours, [1, 50, 75]).round(3).tolist(),
        "all_pairs_01_1_50_99": np.percentile(all_pairs, [0.1, 1, 50, 99]).round(3).tolist(),
    }


def _timed(call: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> tuple[R, Seconds]:
    started, cpu = time.perf_counter(), time.thread_time()
    result = call(*args, **kwargs)
    return result, (time.perf_counter() - started, time.thread_time() - cpu)


def _spread(times: list[Seconds], *, cpu: bool = False) -> dict[str, float]:
    """Of the time that passed; with `cpu` also of the time that this thread worked, steadier on a busy machine."""
    median, worked = 1000 * np.median(times, axis=0)
    spread = {"median_ms": round(median, 3), "p95_ms": round(1000 * np.percentile(times, 95, axis=0)[0], 3)}
    return {**spread, "cpu_median_ms": round(worked, 3)} if cpu else spread


if __name__ == "__main__":
    instructions.restrict(sys.argv[1])
    json.dump(_in_memory(draw(int(sys.argv[2])), int(sys.argv[3])), sys.stdout)
