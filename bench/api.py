"""What many searches at the same time cost: snaprace bench api.

Starts the whole product, configures a race, and asks for the photos of a bib through the front door: first one request
after another, then many at once, by clients that come back when they are told to (503 with Retry-After), until each has
its answer; and the same again, when workers need not be started. Memory and processes are those of the embedded AWS
with its Lambda workers, looked at five times a second.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from local import runtime
from local.runtime import Ports, Running, lifecycle
from ops.reach.target import of_runtime

ONE_AFTER_ANOTHER = 50
_ASKED = "/api/search/races/seoul/bench"
_RACE = b'{"name": "Bench", "date": "2026-11-08", "timezone": "Asia/Seoul"}'
_CONFIGURED_SECONDS = 60.0
_MOST_SECONDS = 60.0  # for one answer
_LOOK_EVERY_SECONDS = 0.2


def run(at_once: int, report: Callable[[str], None]) -> dict[str, Any]:
    """Measure so many requests at once beside the same requests one after another."""
    with (
        tempfile.TemporaryDirectory() as home,
        runtime.start(Path(home), Ports.free(), report, keep=False) as started,
        httpx.Client(
            base_url=started.running.front_door,
            trust_env=False,
            timeout=_MOST_SECONDS,
            limits=httpx.Limits(max_connections=at_once),
        ) as door,
    ):
        report("Configuring a race")
        _configure(started.running, door)
        report("Asking")
        alone = _asked(door, started.running, ONE_AFTER_ANOTHER, 1)
        cold = _asked(door, started.running, at_once, at_once)
        warm = _asked(door, started.running, at_once, at_once)
    return {
        "cores": os.cpu_count(),
        "load": os.getloadavg()[0],
        "one_after_another": alone,
        "at_once_cold": cold,
        "at_once_warm": warm,
        "times_faster_at_once": round(warm["requests_per_s"] / alone["requests_per_s"], 2),
    }


def _configure(running: Running, door: httpx.Client) -> None:
    """Upload the race and wait until search has heard of it."""
    bucket = of_runtime(running).photo_bucket
    running.client("s3").put_object(Bucket=bucket, Key="seoul/bench/race.json", Body=_RACE)
    deadline = time.monotonic() + _CONFIGURED_SECONDS
    while (answer := door.get(_ASKED)).status_code != 200:
        if time.monotonic() > deadline:
            raise RuntimeError(f"The race was not configured: {answer.text}")
        time.sleep(0.1)


def _asked(door: httpx.Client, running: Running, requests: int, at_once: int) -> dict[str, Any]:
    """What became of so many requests, so many of them at the same time."""
    outcomes = Counter[str]()
    counting = threading.Lock()

    def ask(_: int) -> None:
        while True:
            outcome, wait = _outcome(door)
            with counting:
                outcomes[outcome] += 1
            if outcome != "busy":
                return
            time.sleep(wait)

    with _watched(running) as peak, ThreadPoolExecutor(at_once) as clients:
        began = time.monotonic()
        list(clients.map(ask, range(requests)))
        seconds = time.monotonic() - began
    errors = sum(outcomes.values()) - outcomes["answered"] - outcomes["busy"]
    return {
        "requests": requests,
        "answered": outcomes["answered"],
        "told_to_come_back": outcomes["busy"],
        "errors": errors,
        "seconds": round(seconds, 2),
        "requests_per_s": round(outcomes["answered"] / seconds, 1),
        **peak,
    }


def _outcome(door: httpx.Client) -> tuple[str, float]:
    """How one request ended, and after how many seconds to come back."""
    try:
        answer = door.get(f"{_ASKED}/photos?bib=1042")
    except httpx.TransportError as error:
        return type(error).__name__, 0
    if answer.status_code == 503 and "retry-after" in answer.headers:
        return "busy", float(answer.headers["retry-after"])
    return ("answered" if answer.status_code == 200 else str(answer.status_code)), 0


@contextmanager
def _watched(running: Running) -> Iterator[dict[str, int]]:
    """Peak memory (MB, resident) and number of processes of the embedded AWS, known when the context ends."""
    peak = {"peak_memory_mb": 0, "peak_processes": 0}
    over = threading.Event()

    def look() -> None:
        while True:
            memory, processes = _taken(running.parts[lifecycle.AWS])
            peak["peak_memory_mb"] = max(peak["peak_memory_mb"], memory)
            peak["peak_processes"] = max(peak["peak_processes"], processes)
            if over.wait(_LOOK_EVERY_SECONDS):
                return

    watcher = threading.Thread(target=look)
    watcher.start()
    try:
        yield peak
    finally:
        over.set()
        watcher.join()


def _taken(group: int) -> tuple[int, int]:
    """Resident memory (MB) and number of the processes of a group."""
    listed = subprocess.run(["ps", "-A", "-o", "pgid=,rss="], capture_output=True, text=True, check=True).stdout
    sizes = [int(size) for of, size in map(str.split, listed.splitlines()) if int(of) == group]
    return sum(sizes) // 1024, len(sizes)
