"""`kill -9` at any moment, under load: what was acknowledged stays, nothing is half written, no worker is left.

The default run kills a few times; `make soak` kills 50 times.
"""

from __future__ import annotations

import random
import time
from pathlib import Path

import pytest

from tests.vision.killing import Clients
from tests.vision.running import Server, alive

END_OF_WORKERS = 20.0


def kill_again_and_again(data: Path, kills: int, seed: int) -> Clients:
    dice = random.Random(seed)
    clients = Clients(seed)
    server = Server(data, "--workers", "1")
    try:
        clients.prepare(server)
        for number in range(kills):
            # Some die while their workers still load models, when only collections change; most under full load.
            loading = number % 4 == 1
            server.until_ready(workers=0 if loading else 1)
            with clients.working_on(server):
                clients.until_indexed(0 if loading else dice.randrange(1, 5))
                time.sleep(dice.uniform(0, 1))
                kill(server)
            server = Server(data, "--workers", "1", ready=False)
            clients.check(server)
        server.until_ready()
        clients.check_repeated(server)
        clients.check(server)
    finally:
        kill(server)  # at rest, for once
    return clients


def kill(server: Server) -> None:
    """End the front and nothing else, and wait until its workers have ended by themselves."""
    workers = server.workers()
    server.process.kill()
    server.process.wait()
    deadline = time.monotonic() + END_OF_WORKERS
    while any(alive(worker) for worker in workers):
        assert time.monotonic() < deadline, "a worker outlives its server"
        time.sleep(0.05)


def test_nothing_acknowledged_is_lost_in_a_few_kills(tmp_path: Path) -> None:
    clients = kill_again_and_again(tmp_path / "data", kills=3, seed=1)
    assert set(clients.acknowledged) == {"IndexFaces", "DeleteFaces", "CreateCollection", "DeleteCollection"}


@pytest.mark.soak
def test_nothing_acknowledged_is_lost_in_50_kills(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    clients = kill_again_and_again(tmp_path / "data", kills=50, seed=2)
    with capsys.disabled():
        print(f"\n50 kills; acknowledged: {clients.acknowledged}")  # noqa: T201 - what the soak is run for
    assert min(clients.acknowledged.values()) >= 25
