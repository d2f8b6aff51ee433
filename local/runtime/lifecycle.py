"""Starts, finds and stops a runtime."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType

import msgspec

from local.runtime import folder, signals
from local.runtime.description import HOME, Ports, Report, Running, RuntimeProblem, require_free
from local.runtime.parts import deploy, start_parts, synthesize
from local.runtime.processes import STOP_SECONDS, Part, check, group_lives, stop_parts, wait_for, within


class Runtime:
    """A runtime that this process started. Leaving the `with` block stops it."""

    def __init__(self, home: Path, lock: folder.Lock, running: Running, parts: Sequence[Part]) -> None:
        self.running = running
        self._home = home
        self._lock = lock
        self._parts = parts

    @property
    def front_door(self) -> str:
        """The page and, under /api/<stage>, the APIs."""
        return self.running.front_door

    @property
    def vision_url(self) -> str:
        """The vision server."""
        return self.running.vision_url

    def environment(self) -> dict[str, str]:
        """See Running.environment."""
        return self.running.environment()

    def check(self) -> None:
        """Raise RuntimeProblem when a part has ended. Call it now and then while waiting for something else."""
        check(self._parts)

    def wait(self) -> None:
        """Never returns: raises KeyboardInterrupt on Ctrl-C or SIGTERM, RuntimeProblem when a part ends."""
        while True:
            self.check()
            time.sleep(0.2)

    def stop(self) -> None:
        """Stop everything and wait for it, a few seconds at most; a second call does nothing."""
        with signals.ignored():
            in_order = stop_parts(self._parts)
            if self._parts and self.running.keep and in_order:
                folder.mark_whole(folder.data_folder(self._home, keep=True), self.running)
            self._parts = []
            self._lock.release()

    def __enter__(self) -> Runtime:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()


def start(
    home: Path = HOME,
    ports: Ports | None = None,
    report: Report = lambda _: None,
    *,
    keep: bool,
    assembly: Path | None = None,
    vision: bool = True,
    seen_by_functions: Mapping[str, str] | None = None,
) -> Runtime:
    """Start everything and return when photos can be uploaded. Raises RuntimeProblem.

    With `keep`, buckets, tables and faces of the last such run that ended in order are there again; without, it
    starts empty and leaves what was kept alone. `assembly` is a cdk.out to deploy; None synthesizes one. Without
    `vision`, somebody else already serves Rekognition's protocol (and /health) at its port. `seen_by_functions` are
    environment variables that are different for the functions.
    """
    signals.raise_interrupts()
    (home / folder.LOGS).mkdir(parents=True, exist_ok=True)
    lock = folder.Lock(home)
    if not lock.acquire():
        raise RuntimeProblem(folder.already_running(home))
    parts: list[Part] = []
    try:
        folder.forget_dead_run(home)
        running = Running(
            pid=os.getpid(),
            ports=ports or Ports(),
            started=datetime.now(UTC).isoformat(timespec="seconds"),
            keep=keep,
        )
        folder.write(home, running)
        require_free(running.ports, vision=vision)
        start_parts(home, running, parts, report, vision=vision, seen_by_functions=seen_by_functions or {})
        running = msgspec.structs.replace(running, parts={part.name: part.pid for part in parts})
        folder.write(home, running)
        assembly = assembly or synthesize(home, running, parts)
        wait_for(f"{running.aws_url}/_ministack/health", parts)
        report("Deploying the stacks")
        deploy(assembly, running, parts)
        wait_for(f"{running.vision_url}/health", parts)
        wait_for(f"{running.front_door}/health", parts)
        running = msgspec.structs.replace(running, ready=True)
        folder.write(home, running)
    except BaseException:
        with signals.ignored():
            stop_parts(parts)
            lock.release()
        raise
    return Runtime(home, lock, running, parts)


def find(home: Path = HOME) -> Running | None:
    """What runs in this home (perhaps not `ready` yet), or None."""
    if not home.is_dir() or folder.Lock(home).is_free():
        return None
    return folder.read(home)


def stop(home: Path = HOME) -> Running | None:
    """End what runs in this home and wait until all of it has ended; None when nothing was running."""
    running = find(home)
    if running is None:
        return None
    with contextlib.suppress(ProcessLookupError):
        os.kill(running.pid, signal.SIGTERM)
    lock = folder.Lock(home)
    if not within(STOP_SECONDS + 2, lock.is_free):
        with contextlib.suppress(ProcessLookupError):
            os.kill(running.pid, signal.SIGKILL)
    within(STOP_SECONDS, lambda: not any(map(group_lives, running.parts.values())))
    return running
