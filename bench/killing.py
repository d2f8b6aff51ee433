"""The parts of a local runtime that can die, and how each is killed with -9."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
from collections.abc import Iterator
from typing import NamedTuple

from local.runtime import Running
from local.runtime.lifecycle import AWS, DOOR, VISION

WORKER, VISION_WORKER = "A Lambda worker", "A worker of the vision server"
SUPERVISOR, EVERYTHING = "The supervisor", "Everything"
PARTS = (AWS, WORKER, VISION, VISION_WORKER, DOOR, SUPERVISOR, EVERYTHING)

ENDS_THE_RUNTIME = (SUPERVISOR, EVERYTHING)
"""After these nobody starts anything again but the user."""


class Process(NamedTuple):
    """A process, its parent, and what it waits for in the kernel ("-" or "0" when it does not wait)."""

    pid: int
    parent: int
    waits_for: str


def kill(running: Running, part: str, chance: random.Random) -> bool:
    """Kill the part with -9; False when there is none, as of workers before the first is needed."""
    chosen = victims(running, part, list(_processes()), chance)
    for pid in chosen:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    return bool(chosen)


def victims(running: Running, part: str, processes: list[Process], chance: random.Random) -> list[int]:
    """The processes to kill: of workers one, which is at work if any is."""
    match part:
        case "A Lambda worker" | "A worker of the vision server":
            workers = workers_of(running.parts.get(AWS if part == WORKER else VISION), processes)
            chosen = [each for each in workers if at_work(each)] or workers
            return [chance.choice(chosen).pid] if chosen else []
        case "The supervisor":
            return [running.pid]
        case "Everything":
            parts = list(running.parts.values())
            return [running.pid, *parts, *(each.pid for pid in parts for each in workers_of(pid, processes))]
        case _:
            return [running.parts[part]] if part in running.parts else []


def workers_of(parent: int | None, processes: list[Process]) -> list[Process]:
    """The processes that a part has started, in the order of their ids."""
    return sorted(each for each in processes if each.parent == parent)


def at_work(worker: Process) -> bool:
    """Whether a worker does anything but wait for its next order, which comes through a pipe."""
    return "pipe" not in worker.waits_for


def _processes() -> Iterator[Process]:
    table = subprocess.run(
        ["ps", "-A", "-o", "pid=,ppid=,stat=,wchan:32="],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    for line in table.splitlines():
        pid, parent, state, *waits_for = line.split()
        if not state.startswith("Z"):
            yield Process(int(pid), int(parent), "".join(waits_for))
