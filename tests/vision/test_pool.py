"""The pool of workers, where the machine has no room for another process."""

from __future__ import annotations

import asyncio

import pytest

from tests.vision.drawing import jpeg, nobody
from vision.engine import pool as pool_module
from vision.engine.hardware import Hardware
from vision.engine.messages import Faces, FindFaces
from vision.engine.pool import Pool, Process


def test_a_worker_that_cannot_be_started_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    start = pool_module._started
    refusals = [OSError(24, "Too many open files"), OSError(12, "Cannot allocate memory")]

    async def crowded(embedder: Hardware | None) -> Process:
        if refusals:
            raise refusals.pop()
        return await start(embedder)

    monkeypatch.setattr(pool_module, "_started", crowded)
    monkeypatch.setattr(pool_module, "_MAX_RESTART_DELAY", 0.01)

    async def ask() -> object:
        pool = Pool(1, 1)
        pool.start()
        try:
            return await asyncio.wait_for(pool.run(FindFaces(picture=jpeg(nobody()))), 60)
        finally:
            pool.stop()

    assert asyncio.run(ask()) == Faces(faces=[])
    assert not refusals
