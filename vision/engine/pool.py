"""The worker processes and the bounded queue before them."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import sys
import time
from asyncio.subprocess import PIPE, Process
from pathlib import Path

import msgspec

from vision import errors
from vision.engine.hardware import Hardware
from vision.engine.messages import HEADER_BYTES, Failed, Job, Ready, Reply, frame, length_in, reply_in
from vision.errors import InternalServerError, ThrottlingException

JOB_SECONDS = 120.0
"""A worker that is busy for longer with one picture is stuck, and is replaced."""
START_SECONDS = 120.0

_MAX_RESTART_DELAY = 10.0  # seconds between tries to start a worker that fails to start
_ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1"}

_Answer = asyncio.Future[Reply]

log = logging.getLogger("vision")


class WorkerDied(Exception):
    """The process ended, or said nothing for too long."""


class Pool:
    """`size` worker processes, and at most `capacity` jobs waiting for one of them.

    `busy_seconds` is the time that workers were occupied with jobs, summed over all of them. `embedder` is what the
    network for faces runs on: as asked for, or the fastest that the workers found; None before one is ready.
    """

    def __init__(self, size: int, capacity: int, embedder: Hardware | None = None) -> None:
        self.size = size
        self.embedder = embedder
        self.busy_seconds = 0.0
        self.ready = 0
        self.busy = 0
        self.restarts = 0
        self._capacity = capacity
        self._waiting: dict[_Answer, Job] = {}
        self._turns: asyncio.Queue[_Answer] = asyncio.Queue()  # whose turn it is; some may not wait any more
        self._processes: set[Process] = set()
        self._tasks: list[asyncio.Task[None]] = []
        self._closed = False

    @property
    def waiting(self) -> int:
        """Jobs that no worker has taken yet."""
        return len(self._waiting)

    @property
    def full(self) -> bool:
        """Whether a further job would be refused."""
        return self.waiting >= self._capacity

    def start(self) -> None:
        """Start the workers; they take jobs as soon as each has loaded its models."""
        self._tasks = [asyncio.create_task(self._keep_a_worker()) for _ in range(self.size)]

    async def run(self, job: Job) -> Reply:
        """The worker's reply. Raises ServiceError: Throttling when the queue is full, or what the worker found."""
        if self._closed:
            raise InternalServerError("The server is stopping.")
        if self.full:
            raise ThrottlingException(f"{self.waiting} images are waiting already. Try again.")
        future: _Answer = asyncio.get_running_loop().create_future()
        self._waiting[future] = job
        self._turns.put_nowait(future)
        try:
            reply = await future
        finally:
            self._waiting.pop(future, None)  # still there if whoever asked has gone: then nobody looks at it
        if isinstance(reply, Failed):
            raise errors.of_code(reply.code, reply.message)
        return reply

    def stop(self) -> None:
        """Kill the workers; whoever waits for one is answered with InternalServerError."""
        self._closed = True
        for task in self._tasks:
            task.cancel()
        for process in self._processes:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
        for future in self._waiting:
            _fail(future, "The server is stopping.")

    async def _keep_a_worker(self) -> None:
        """Run one worker after another, for as long as the pool is open."""
        failures = 0
        while True:
            try:
                process = await _started(self.embedder)
            except OSError as reason:  # no memory, no file, no process left; somebody may give some back
                log.error("Cannot start a vision worker (%s); trying again.", reason.strerror)
                await asyncio.sleep(_MAX_RESTART_DELAY)
                continue
            self._processes.add(process)
            try:
                ready = await _receive(process, START_SECONDS)
                assert isinstance(ready, Ready)  # noqa: S101 - what a worker begins with
                self.embedder = ready.embedder
                self.ready += 1
                failures = 0
                try:
                    await self._serve(process)
                finally:
                    self.ready -= 1
            except WorkerDied as reason:
                log.error("A vision worker (process %s) %s; starting another.", process.pid, reason)
            finally:
                with contextlib.suppress(ProcessLookupError):
                    process.kill()
                self._processes.discard(process)
            await process.wait()
            self.restarts += 1
            failures += 1
            if failures > 1:
                await asyncio.sleep(min(2.0**failures / 4, _MAX_RESTART_DELAY))

    async def _serve(self, process: Process) -> None:
        """Give jobs to the worker until it dies, which raises WorkerDied."""
        ended = asyncio.create_task(process.wait())
        try:
            while True:
                taken = asyncio.create_task(self._turns.get())
                try:
                    await asyncio.wait({taken, ended}, return_when=asyncio.FIRST_COMPLETED)
                finally:
                    if not taken.done():
                        taken.cancel()
                        with contextlib.suppress(asyncio.CancelledError):
                            await taken
                if not taken.done() or taken.cancelled():
                    raise WorkerDied(f"ended with code {process.returncode} while idle")
                future = taken.result()
                job = self._waiting.pop(future, None)
                if job is not None:
                    await self._do(process, job, future)
        finally:
            ended.cancel()

    async def _do(self, process: Process, job: Job, future: _Answer) -> None:
        began = time.perf_counter()
        self.busy += 1
        try:
            assert process.stdin is not None  # noqa: S101 - started with a pipe
            process.stdin.write(frame(job))
            await process.stdin.drain()
            reply = await _receive(process, JOB_SECONDS)
        except (WorkerDied, ConnectionError) as error:
            _fail(future, "The worker that looked at this image ended. Try again.")
            raise WorkerDied(str(error) or "ended while at work") from error
        except asyncio.CancelledError:
            _fail(future, "The server is stopping.")
            raise
        finally:
            self.busy -= 1
            self.busy_seconds += time.perf_counter() - began
        if not future.done():
            future.set_result(reply)


async def _started(embedder: Hardware | None) -> Process:
    root = str(Path(__file__).parents[2])
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "vision.engine.worker",
        *([embedder] if embedder else []),
        stdin=PIPE,
        stdout=PIPE,
        cwd=root,
        env={**os.environ, **_ONE_THREAD},
        start_new_session=True,  # Ctrl-C at the terminal is for the front alone, which then stops its workers
    )


async def _receive(process: Process, seconds: float) -> Reply:
    assert process.stdout is not None  # noqa: S101 - started with a pipe
    try:
        async with asyncio.timeout(seconds):
            header = await process.stdout.readexactly(HEADER_BYTES)
            return reply_in(await process.stdout.readexactly(length_in(header)))
    except asyncio.IncompleteReadError as error:
        raise WorkerDied("ended") from error
    except msgspec.DecodeError as error:
        raise WorkerDied("said something that is no reply") from error
    except TimeoutError as error:
        raise WorkerDied(f"said nothing for {seconds:.0f} s") from error


def _fail(future: _Answer, message: str) -> None:
    if not future.done():
        future.set_result(Failed(code=InternalServerError.__name__, message=message))
