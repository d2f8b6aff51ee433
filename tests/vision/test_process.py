"""The server as a process: started, overloaded, hurt, stopped and killed."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import BotoCoreError, ClientError

from tests.vision.drawing import heads, jpeg, nobody
from tests.vision.running import ROOT, Server, alive
from vision.engine.hardware import HARDWARE, offered


@pytest.fixture(scope="module")
def slow_picture() -> bytes:
    """One that keeps a worker busy for a second or more."""
    return jpeg(nobody(1600, 1400))


@pytest.fixture
def started(tmp_path: Path) -> Iterator[Callable[..., Server]]:
    servers: list[Server] = []

    def start(*options: str, environment: dict[str, str] | None = None) -> Server:
        servers.append(Server(tmp_path / "data", *options, environment=environment))
        return servers[-1]

    yield start
    for server in servers:
        server.process.kill()
        server.process.wait()


def code_of(call: Callable[[], Any]) -> str:
    """ "" for an answer, else the error's code."""
    try:
        call()
    except ClientError as error:
        return str(error.response["Error"]["Code"])
    return ""


def until(condition: Callable[[], bool], seconds: float = 20.0) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def test_health_counts_requests_and_the_time_that_workers_were_busy(server: Server, rekognition: Any) -> None:
    server.until_ready(workers=2)
    before = server.health()
    began = time.perf_counter()
    rekognition.detect_text(Image={"Bytes": jpeg(nobody(400, 300))})
    took = time.perf_counter() - began
    rekognition.list_collections()
    after = server.health()
    assert after["status"] == "ready"
    assert after["workers"] == after["workers_ready"] == 2
    assert after["queue"] == 0
    assert after["engine"] == {"embedder": next(filter(offered, HARDWARE))}
    assert after["requests"]["DetectText"] == before["requests"].get("DetectText", 0) + 1
    assert after["requests"]["ListCollections"] == before["requests"].get("ListCollections", 0) + 1
    assert 0.25 * took < after["engine_seconds"] - before["engine_seconds"] <= took


def test_a_worker_that_dies_is_replaced_and_only_its_request_fails(server: Server, slow_picture: bytes) -> None:
    server.until_ready(workers=2)
    victim, bystander = server.workers()
    with ThreadPoolExecutor(2) as callers:
        clients = [server.client() for _ in range(2)]
        answers = [
            callers.submit(code_of, lambda client=client: client.detect_text(Image={"Bytes": slow_picture}))
            for client in clients
        ]
        assert until(lambda: server.health()["workers_busy"] == 2)
        os.kill(victim, signal.SIGKILL)
        assert sorted(answer.result() for answer in answers) == ["", "InternalServerError"]
    server.until_ready(workers=2)
    assert bystander in server.workers()
    assert victim not in server.workers()
    assert code_of(lambda: server.client().detect_faces(Image={"Bytes": jpeg(nobody())})) == ""


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="reads what processes hold open in /proc")
def test_the_engine_keeps_no_log_of_its_use_for_others(server: Server, rekognition: Any) -> None:
    rekognition.detect_text(Image={"Bytes": jpeg(nobody())})
    for worker in server.workers():
        held = [str(each.readlink()) for each in Path(f"/proc/{worker}/fd").iterdir()]
        assert not [path for path in held if "onnxruntime" in path and ".db" in path]


def test_a_picture_whose_client_has_gone_is_not_looked_at(server: Server) -> None:
    server.until_ready(workers=2)
    workers, image = server.workers(), {"Bytes": jpeg(nobody())}
    for worker in workers:
        os.kill(worker, signal.SIGSTOP)
    try:
        with ThreadPoolExecutor(2) as callers:
            answers = [callers.submit(code_of, lambda: server.client().detect_faces(Image=image)) for _ in range(2)]
            assert until(lambda: server.health()["workers_busy"] == 2)
            with pytest.raises(BotoCoreError):
                server.client(read_timeout=0.3).detect_faces(Image=image)
            assert until(lambda: server.health()["queue"] == 0)
            for worker in workers:
                os.kill(worker, signal.SIGCONT)
            assert [answer.result() for answer in answers] == ["", ""]
    finally:
        for worker in workers:
            os.kill(worker, signal.SIGCONT)


def test_a_full_queue_throttles_at_once_and_a_signal_stops_everything(
    started: Callable[..., Server], slow_picture: bytes
) -> None:
    silent = socket.create_server(("127.0.0.1", 0))  # takes connections, and never says a word
    s3 = f"http://127.0.0.1:{silent.getsockname()[1]}"
    server = started("--workers", "1", "--queue", "2", environment={"AWS_ENDPOINT_URL_S3": s3})
    workers = server.workers()
    clients = [server.client() for _ in range(7)]

    def ask(client: Any) -> tuple[str, float]:
        began = time.perf_counter()
        try:
            code = code_of(lambda: client.detect_text(Image={"Bytes": slow_picture}))
        except BotoCoreError:
            code = "cut off"
        return code, time.perf_counter() - began

    def ask_for_object(client: Any) -> str:
        try:
            return code_of(lambda: client.detect_text(Image={"S3Object": {"Bucket": "photos", "Name": "a.jpg"}}))
        except BotoCoreError:
            return "cut off"

    with ThreadPoolExecutor(7) as callers:
        first = callers.submit(ask, clients[0])
        assert until(lambda: server.health()["workers_busy"] == 1)
        rest = [callers.submit(ask, client) for client in clients[1:6]]
        assert until(lambda: sum(answer.done() for answer in rest) == 3)
        throttled = [answer.result() for answer in rest if answer.done()]
        code, took = first.result()
        assert code == ""
        assert [code for code, _ in throttled] == ["ThrottlingException"] * 3
        assert max(seconds for _, seconds in throttled) < took / 2
        fetching = callers.submit(ask_for_object, clients[6])
        time.sleep(0.2)
        assert not fetching.done()
        began = time.perf_counter()
        assert server.stop(signal.SIGTERM) == 0
        assert time.perf_counter() - began < 2
    assert {answer.result()[0] for answer in rest} <= {"", "ThrottlingException", "InternalServerError", "cut off"}
    assert fetching.result() in {"InternalServerError", "cut off"}
    silent.close()
    assert until(lambda: not any(alive(worker) for worker in workers), 5)


@pytest.mark.soak
def test_faces_that_were_acknowledged_survive_kill_9_and_workers_do_not(started: Callable[..., Server]) -> None:
    picture = jpeg(heads(4, unit=60))
    acknowledged: dict[str, str] = {}
    server = started("--workers", "1")
    workers = server.workers()
    client = server.client()
    client.create_collection(CollectionId="race")

    def index() -> None:
        for number in range(1000):
            name = f"photo-{number}"
            try:
                answer = client.index_faces(CollectionId="race", Image={"Bytes": picture}, ExternalImageId=name)
            except (BotoCoreError, ClientError):
                return
            acknowledged[name] = answer["FaceRecords"][0]["Face"]["FaceId"]

    writer = threading.Thread(target=index)
    writer.start()
    assert until(lambda: len(acknowledged) >= 3)
    server.process.kill()
    server.process.wait()
    writer.join()
    assert until(lambda: not any(alive(worker) for worker in workers), 5)

    client = started("--workers", "1").client()
    kept = {face["ExternalImageId"]: face["FaceId"] for face in client.list_faces(CollectionId="race")["Faces"]}
    assert acknowledged.items() <= kept.items()
    assert client.describe_collection(CollectionId="race")["FaceCount"] == len(kept)
    one = next(iter(acknowledged.values()))
    found = client.search_faces(CollectionId="race", FaceId=one, MaxFaces=4096)["FaceMatches"]
    assert {match["Face"]["FaceId"] for match in found} == set(kept.values()) - {one}


@pytest.mark.parametrize("taken", ["port", "data"])
def test_what_is_taken_is_said_in_one_sentence(server: Server, tmp_path: Path, taken: str) -> None:
    port, data = (server.port, tmp_path) if taken == "port" else (0, server.data)
    ended = subprocess.run(
        [sys.executable, "-m", "vision", "--port", str(port), "--data", str(data)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert ended.returncode == 1
    assert ended.stderr.count("\n") == 1
    assert f"--{taken}" in ended.stderr
