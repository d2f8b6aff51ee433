"""Many requests to an API at once: few are worked on, some wait, and the rest is told to come back."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from local.aws.turns import BUSY, MOST_WAITING, Turns
from local.runtime import Running
from shared.contracts import naming
from tests.runtime.conftest import Client, until

AT_ONCE = 100


class Work:
    """A handler of requests that counts how many it has at the same time, and answers each when told to."""

    def __init__(self) -> None:
        self.now, self.most, self.done = 0, 0, list[str]()
        self.go_on = asyncio.Event()

    async def handle(self, name: str, *, fail: bool = False) -> Any:
        self.now += 1
        self.most = max(self.most, self.now)
        try:
            await self.go_on.wait()
            if fail:
                raise RuntimeError(name)
            self.done.append(name)
            return 200, {}, name.encode()
        finally:
            self.now -= 1


def test_so_many_are_worked_on_so_many_wait_and_the_rest_is_busy() -> None:
    async def run() -> None:
        work = Work()
        handle = Turns(2, most_waiting=3).bound(work.handle)
        asked = [asyncio.ensure_future(handle(f"{number}")) for number in range(8)]
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert [task.done() for task in asked] == [False] * 5 + [True] * 3
        assert [task.result() for task in asked[5:]] == [BUSY] * 3
        work.go_on.set()
        assert [(await task)[0] for task in asked[:5]] == [200] * 5
        assert (work.most, work.done) == (2, ["0", "1", "2", "3", "4"])
        assert await handle("later") == (200, {}, b"later")

    asyncio.run(run())


def test_who_has_waited_too_long_is_told_to_come_back_and_leaves_the_queue() -> None:
    async def run() -> None:
        work = Work()
        handle = Turns(1, most_waiting=1, most_seconds=0.05).bound(work.handle)
        first = asyncio.ensure_future(handle("first"))
        await asyncio.sleep(0)
        for _ in range(3):
            assert await handle("late") == BUSY
        work.go_on.set()
        assert (await first)[0] == 200
        assert work.done == ["first"]

    asyncio.run(run())


def test_a_request_that_fails_or_is_given_up_frees_its_turn() -> None:
    async def run() -> None:
        work = Work()
        handle = Turns(1).bound(work.handle)
        given_up, waiting = (asyncio.ensure_future(handle(name)) for name in ("first", "second"))
        await asyncio.sleep(0)
        given_up.cancel()
        waiting.cancel()
        await asyncio.wait([given_up, waiting])
        work.go_on.set()
        with pytest.raises(RuntimeError, match="third"):
            await handle("third", fail=True)
        assert (await handle("fourth"))[0] == 200

    asyncio.run(run())


def test_busy_is_said_as_the_apis_say_it() -> None:
    status, headers, body = BUSY
    assert (status, headers["Retry-After"]) == (503, "1")
    assert json.loads(body)["error"]["code"] == "busy"


@pytest.fixture
def workers(embedded: Running) -> Callable[[], dict[int, str]]:
    """Gives the workers of search's API: their process ids. Those of other functions come and go with their work."""
    worker = f"-{naming.function('dev', 'search', 'api')}-"

    def listed() -> dict[int, str]:
        table = subprocess.run(
            ["ps", "-A", "-ww", "-o", "pid=,ppid=,args="], capture_output=True, text=True, check=True
        ).stdout
        rows = [line.split(None, 2) for line in table.splitlines()]
        [server] = [pid for pid, _, args in rows if f"local.aws --port {embedded.ports.aws} " in args]
        return {int(pid): args for pid, parent, args in rows if parent == server and worker in args}

    return listed


def test_a_hundred_requests_at_once_take_few_processes_and_all_are_answered(
    embedded: Running, client: Client, workers: Callable[[], dict[int, str]]
) -> None:
    url = client("ssm").get_parameter(Name=naming.api_url_parameter("dev", "search"))["Parameter"]["Value"]
    api_id, path = url.removeprefix("https://").split(".", 1)[0], httpx.URL(url).path
    unknown = f"{embedded.aws_url}{path}races/seoul/nowhere"
    limits = httpx.Limits(max_connections=AT_ONCE)
    with (
        httpx.Client(trust_env=False, timeout=60, limits=limits) as browser,
        ThreadPoolExecutor(AT_ONCE) as threads,
    ):

        def ask(_: int = 0) -> httpx.Response:
            return browser.get(unknown, headers={"Host": f"{api_id}.execute-api.127.0.0.1:{embedded.ports.aws}"})

        def ask_patiently(_: int) -> int:
            return int(until(lambda: (answer := ask()).status_code != 503 and answer.status_code, seconds=60))

        before = workers()
        answers = list(threads.map(ask, range(AT_ONCE)))
        said = Counter((answer.status_code, answer.json()["error"]["code"]) for answer in answers)
        assert (404, "unknown_race") in said
        assert set(said) <= {(404, "unknown_race"), (503, "busy")}
        assert said[503, "busy"] <= AT_ONCE - MOST_WAITING
        assert {answer.headers["retry-after"] for answer in answers if answer.status_code == 503} <= {"1"}

        warm = workers()
        assert len(warm) - len(before) <= 2 * max(2, os.cpu_count() or 1)
        assert set(threads.map(ask_patiently, range(AT_ONCE))) == {404}
        assert workers() == warm
