"""Whatever is sent as a picture has a typed answer, and costs a worker neither its life nor more than 512 MB.

The default run sees every kind of `tests/vision/strange.py` a few times. `make soak` sees 10,000 pictures, and prints
what they came to.
"""

from __future__ import annotations

import re
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.vision.running import Server
from tests.vision.strange import KINDS, picture

MAX_GROWTH = 512 * 1024
"""KB that a process of the server may ever have more than when it started."""
REFUSALS = {"InvalidImageFormatException", "ImageTooLargeException", "InvalidParameterException"}
COSTLY = {"large", "strip", "swollen metadata", "page of small print"}
"""Kinds that take seconds to draw or to look at: the soak sees a tenth as many of them."""
SOAK = 10_000

ALWAYS_SEEN = {
    "whole",
    "animated PNG",
    "several in one JPEG",
    "CMYK",
    "16-bit grey",
    "16-bit colour",
    "broken EXIF",
    "broken colour profile",
    "1-bit",
    "palette",
    "see-through",
    "page of small print",
}
ALWAYS_REFUSED = {
    "truncated": {"InvalidImageFormatException"},
    "noise": {"InvalidImageFormatException"},
    "another format": {"InvalidImageFormatException"},
    "swollen metadata": {"InvalidImageFormatException"},
    "many scans": {"InvalidImageFormatException"},
    "decompression bomb": {"ImageTooLargeException", "InvalidParameterException"},
    "tiny": {"InvalidParameterException"},
}

linux = pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads the memory of processes in /proc")


class Watched:
    """A server of two workers, and the memory that each of its processes had when all were ready."""

    def __init__(self, data: Path) -> None:
        self.server = Server(data, "--workers", "2")
        self.server.until_ready(workers=2)
        self.server.client().create_collection(CollectionId="strange")
        self._processes = {self.server.process.pid: "front"} | dict.fromkeys(self.server.workers(), "worker")
        self._before = {pid: _memory(pid, "VmRSS") for pid in self._processes}
        self._clients = threading.local()

    def answer(self, operation: str, content: bytes) -> str:
        """ "" for an answer that fits the service model, else the error's code."""
        client = vars(self._clients).setdefault("client", self.server.client())
        image = {"Bytes": content}
        try:
            match operation:
                case "DetectText":
                    client.detect_text(Image=image)
                case "DetectFaces":
                    client.detect_faces(Image=image)
                case "IndexFaces":
                    client.index_faces(CollectionId="strange", Image=image)
                case "SearchFacesByImage":
                    client.search_faces_by_image(CollectionId="strange", Image=image)
        except ClientError as error:
            assert error.response["ResponseMetadata"]["HTTPStatusCode"] == 400
            return str(error.response["Error"]["Code"])
        return ""

    def growth(self, what: str) -> dict[str, int]:
        """The most KB by which a front and a worker grew: now (VmRSS), or at their peaks (VmHWM)."""
        grown: dict[str, int] = {}
        for pid, name in self._processes.items():
            grown[name] = max(grown.get(name, 0), _memory(pid, what) - self._before[pid])
        return grown


OPERATIONS = ("DetectText", "DetectFaces", "IndexFaces", "SearchFacesByImage")


def _memory(pid: int, what: str) -> int:
    found = re.search(rf"^{what}:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    assert found
    return int(found[1])


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    watching = Watched(tmp_path_factory.mktemp("strange"))
    yield watching
    watching.server.process.kill()
    watching.server.process.wait()


@linux
@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_of_picture_has_a_typed_answer(watched: Watched, kind: str) -> None:
    seen = [(OPERATIONS[seed % 4], seed) for seed in range(3 if kind in COSTLY else 6)]
    answers = {(operation, seed): watched.answer(operation, picture(kind, seed)) for operation, seed in seen}
    assert set(answers.values()) <= {"", *REFUSALS}
    if kind in ALWAYS_SEEN:
        refused = {answer for (operation, _), answer in answers.items() if operation != "SearchFacesByImage"}
        assert refused == {""}
    if kind in ALWAYS_REFUSED:
        assert set(answers.values()) <= ALWAYS_REFUSED[kind]
    assert watched.server.health()["workers_replaced"] == 0
    assert max(watched.growth("VmHWM").values()) < MAX_GROWTH


@linux
@pytest.mark.soak
def test_ten_thousand_strange_pictures(watched: Watched, capsys: pytest.CaptureFixture[str]) -> None:
    names = list(KINDS)
    plan = [(names[number % len(names)], number // len(names)) for number in range(SOAK)]
    plan = [("mutated" if kind in COSTLY and seed % 10 else kind, seed) for kind, seed in plan]

    def look(number: int) -> tuple[str, str, str]:
        kind, seed = plan[number]
        # Not by the number alone: each kind comes to each operation.
        operation = OPERATIONS[(number + seed) % 4]
        return kind, operation, watched.answer(operation, picture(kind, seed))

    with ThreadPoolExecutor(3) as callers:
        answers = list(callers.map(look, range(SOAK)))

    health: dict[str, Any] = watched.server.health()
    report = (
        f"\n{len(answers):,} pictures: {dict(Counter(answer or 'answered' for _, _, answer in answers))}\n"
        f"by operation: {dict(Counter(operation for _, operation, _ in answers))}\n"
        f"workers replaced: {health['workers_replaced']}, engine seconds: {health['engine_seconds']:.0f}\n"
        f"KB more than at the start, at the end: {watched.growth('VmRSS')}, at the peak: {watched.growth('VmHWM')}\n"
    )
    with capsys.disabled():
        print(report)  # noqa: T201 - what the soak is run for
    assert {answer for _, _, answer in answers} <= {"", *REFUSALS}
    assert health["workers_replaced"] == 0
    assert max(watched.growth("VmHWM").values()) < MAX_GROWTH
