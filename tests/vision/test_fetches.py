"""Pictures that the server fetches: how many at a time, and none in vain."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from typing import Any

import pytest

from vision.collections.store import Store
from vision.engine.pool import Pool
from vision.errors import ThrottlingException
from vision.front.backend import MAX_FETCHES, Backend
from vision.front.text import detect_text


class Silent:
    """Objects that are given out once `told` is set; `asked` are their keys."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.told = threading.Event()

    def get(self, bucket: str, key: str, version: str | None) -> bytes:
        self.asked.append(key)
        self.told.wait(20)  # or until a test that hangs has failed
        return b"picture"


def request(key: str) -> dict[str, Any]:
    return {"Image": {"S3Object": {"Bucket": "photos", "Name": key}}}


def test_no_more_objects_are_fetched_than_may_be_though_clients_leave(tmp_path: Path) -> None:
    async def come_and_go(silent: Silent, backend: Backend) -> None:
        leaving = [asyncio.create_task(detect_text(backend, request("left"))) for _ in range(3 * MAX_FETCHES)]
        while len(silent.asked) < MAX_FETCHES:
            await asyncio.sleep(0.01)
        for each in leaving:
            each.cancel()
        await asyncio.wait(leaving)
        staying = asyncio.create_task(detect_text(backend, request("stayed")))
        await asyncio.sleep(0.2)
        assert silent.asked == ["left"] * MAX_FETCHES
        silent.told.set()
        while silent.asked[-1] != "stayed":
            await asyncio.sleep(0.01)
        assert silent.asked == [*["left"] * MAX_FETCHES, "stayed"]
        staying.cancel()

    silent, store = Silent(), Store(tmp_path)
    try:
        asyncio.run(come_and_go(silent, Backend(Pool(1, 10), store, silent)))
    finally:
        silent.told.set()
        store.close()


def test_nothing_is_fetched_for_a_queue_that_is_full(tmp_path: Path) -> None:
    silent, store = Silent(), Store(tmp_path)
    with pytest.raises(ThrottlingException):
        asyncio.run(detect_text(Backend(Pool(1, 0), store, silent), request("any")))
    assert silent.asked == []
    store.close()
