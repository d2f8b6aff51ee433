"""`snaprace bench crash`: which photos and processes it chooses, and how races of different ids are compared."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from collections.abc import Iterator
from unittest import mock

import httpx
import pytest

from bench.crash import in_turn, to_correct
from bench.disturbed import renamed
from bench.faults import Faults
from bench.killing import EVERYTHING, PARTS, SUPERVISOR, VISION_WORKER, WORKER, Process, kill, victims
from local.runtime import Ports, Running
from local.runtime.lifecycle import AWS, DOOR, VISION
from ops.demo.fewer import chosen
from services.search.records import ExplainedRunner, ShownPhoto
from shared.contracts.events import Evidence
from tests.kit.small_truth import TRUTH

RUNNING = Running(pid=1, ports=Ports(), started="", keep=True, parts={AWS: 10, VISION: 20, DOOR: 30})
PROCESSES = [
    Process(11, 10, "anon_pipe_read"),
    Process(12, 10, "poll_schedule_timeout"),
    Process(21, 20, "pipe_read"),
    Process(22, 20, "pipe_read"),
    Process(31, 99, "-"),
]


def test_what_is_corrected_matters_for_a_hidden_bib() -> None:
    assert to_correct(TRUTH, chosen(TRUTH, 5)) == ("e.jpg", "11")


def test_every_part_is_killed_before_any_is_killed_again() -> None:
    order = in_turn(PARTS, 2 * len(PARTS) + 1, random.Random(1))
    assert sorted(order[: len(PARTS)]) == sorted(order[len(PARTS) : 2 * len(PARTS)]) == sorted(PARTS)
    assert len(order) == 2 * len(PARTS) + 1


@pytest.mark.parametrize(
    ("part", "pids"),
    [
        (AWS, {10}),
        (VISION, {20}),
        (DOOR, {30}),
        (WORKER, {12}),  # the other one waits for its next order
        (SUPERVISOR, {1}),
        (EVERYTHING, {1, 10, 20, 30, 11, 12, 21, 22}),
    ],
)
def test_the_processes_of_a_part(part: str, pids: set[int]) -> None:
    assert set(victims(RUNNING, part, PROCESSES, random.Random(1))) == pids


def test_of_idle_workers_any_is_killed_and_where_there_is_none_nothing() -> None:
    seen = {pid for seed in range(20) for pid in victims(RUNNING, VISION_WORKER, PROCESSES, random.Random(seed))}
    assert seen == {21, 22}
    assert victims(RUNNING, WORKER, PROCESSES[2:], random.Random(1)) == []


@pytest.fixture
def child() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        yield process
        process.kill()


def test_a_worker_is_found_among_all_processes_and_killed(child: subprocess.Popen[bytes]) -> None:
    with mock.patch.dict(RUNNING.parts, {AWS: os.getpid()}), mock.patch("bench.killing.at_work") as at_work:
        at_work.side_effect = lambda worker: worker.pid == child.pid
        assert kill(RUNNING, WORKER, random.Random(1))
    assert child.wait(10) == -signal.SIGKILL


def test_a_photo_of_another_race_is_the_same_by_its_file_names() -> None:
    def photo(photo_id: str, other: str, race: str) -> ShownPhoto:
        evidence = Evidence(kind="match", bib="11", score=99.0, weight=0.9, photo_id=other)
        runner = ExplainedRunner(bib="11", status="inferred", confidence=90.0, read=False, evidence=(evidence,))
        return ShownPhoto(photo_id=photo_id, keys=(f"{race}/raw_photos/a.jpg",), runners=(runner,))

    first = renamed(photo("1", "2", "one"), {"1": "a.jpg", "2": "b.jpg"})
    second = renamed(photo("7", "8", "two"), {"7": "a.jpg", "8": "b.jpg"})
    assert first == second
    assert (first.keys, first.runners[0].evidence[0].photo_id) == (("a.jpg",), "b.jpg")
    assert renamed(photo("1", "2", "one"), {"1": "a.jpg", "2": "c.jpg"}) != first


def test_while_nobody_listens_behind_the_door_a_call_fails_as_aws_has_it() -> None:
    ports = Ports.free()
    with Faults(behind=f"http://127.0.0.1:{ports.aws}", port=ports.vision, chance=None) as door:
        target = {"X-Amz-Target": "RekognitionService.DetectText"}
        answer = httpx.post(door.url, json={}, headers=target, timeout=10, trust_env=False)
    assert (answer.status_code, answer.json()["__type"]) == (500, "InternalServerError")
