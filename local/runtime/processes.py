"""The child processes of a runtime, waiting for them, and the signals that end a run."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import httpx

from local import tether
from local.runtime.description import CHECKOUT, RuntimeProblem

STOP_SECONDS = tether.GRACE_SECONDS + 3
_READY_SECONDS = 90.0
_POLL_SECONDS = 0.05
_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Part:
    """A child process tied to this one (see local.tether), with its log."""

    def __init__(self, name: str, command: Sequence[str], environment: Mapping[str, str], log: Path) -> None:
        self.name = name
        self.log = log
        self._command = command
        self._environment = environment
        log.write_bytes(b"")
        self._start()

    def _start(self) -> None:
        with self.log.open("ab") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "local.tether", *self._command],
                cwd=CHECKOUT,
                env=self._environment,
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=subprocess.STDOUT,
                process_group=0,
            )
        self._started = time.monotonic()

    def start_again(self) -> float:
        """After it has ended, end what it left, and start it anew. Returns how long it had run, in seconds."""
        ran = time.monotonic() - self._started
        self.signal(signal.SIGKILL)
        within(STOP_SECONDS, lambda: not group_lives(self.pid))
        if self._process.stdin:
            self._process.stdin.close()
        self._start()
        return ran

    @property
    def pid(self) -> int:
        """Its process, and the group of all that it starts."""
        return self._process.pid

    def ended(self) -> bool:
        """Whether the process is gone."""
        return self._process.poll() is not None

    def wait(self, seconds: float) -> int:
        """The exit status. Raises RuntimeProblem when it takes longer."""
        try:
            return self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise RuntimeProblem(f"{self.name} did not finish in {seconds:.0f} seconds; see {self.log}.") from None

    def last_line(self) -> str:
        """The last that it wrote to its log, or its exit status."""
        lines = [line for line in self.log.read_text(errors="replace").splitlines() if line.strip()]
        return lines[-1].strip() if lines else f"exit status {self._process.poll()}"

    def signal(self, number: signal.Signals) -> None:
        """Send SIGTERM to the process, any other signal to its group."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, number) if number is signal.SIGTERM else os.killpg(self.pid, number)


def check(parts: Sequence[Part]) -> None:
    """Raise RuntimeProblem when one of them has ended."""
    for part in parts:
        if part.ended():
            raise RuntimeProblem(f"{part.name} ended unexpectedly: {part.last_line()} (all of it: {part.log})")


def stop_parts(parts: Sequence[Part]) -> None:
    """End them with all they started, those that do not end by themselves in time by force: nothing is lost by that."""
    for part in reversed(parts):
        part.signal(signal.SIGTERM)
    within(STOP_SECONDS, lambda: all(part.ended() for part in parts))
    for part in parts:
        part.signal(signal.SIGKILL)
    within(STOP_SECONDS, lambda: all(part.ended() and not group_lives(part.pid) for part in parts))


def wait_for(url: str, part: Part) -> None:
    """Return when the URL answers. Raises RuntimeProblem when it does not, or when the part that serves it ends."""

    def answers() -> bool:
        check([part])
        try:
            return client.get(url).is_success
        except httpx.TransportError:
            return False

    # One client for all attempts, without the certificates of the web, which nothing of this machine has: to read
    # them takes as long as a poll waits.
    with httpx.Client(timeout=5, trust_env=False, verify=False) as client:  # noqa: S501 - http to this machine
        ready = within(_READY_SECONDS, answers)
    if not ready:
        raise RuntimeProblem(f"{url} did not answer in {_READY_SECONDS:.0f} seconds; see {part.log}.")


def within(seconds: float, holds: Callable[[], bool]) -> bool:
    """Whether it came to hold in that time."""
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(_POLL_SECONDS)
    return True


def group_lives(group: int) -> bool:
    """Whether a process of the group still runs. One that has ended, unnoticed by its parent, does not count."""
    try:
        os.killpg(group, 0)
    except (ProcessLookupError, PermissionError):
        return False
    states = [state for state, of in _process_states() if of == group]
    return not states or any(state not in ("Z", "X") for state in states)


def _process_states() -> Iterator[tuple[str, int]]:
    """Each process's state and group, where there is a /proc (else nothing)."""
    for file in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            state, _parent, group = file.read_text().rpartition(")")[2].split()[:3]
            yield state, int(group)


def signals_raise() -> None:
    """Let each signal that ends a run raise KeyboardInterrupt(number) in the main thread from now on."""

    def interrupt(number: int, _: object) -> None:
        raise KeyboardInterrupt(number)

    if threading.current_thread() is threading.main_thread():
        # SIGINT too: a shell that starts us in the background has it ignored.
        for number in _ENDING:
            signal.signal(number, interrupt)


@contextlib.contextmanager
def signals_ignored() -> Iterator[None]:
    """Ignore them meanwhile: a second Ctrl-C must not leave anything behind. What is done within is bounded in time."""
    ours = threading.current_thread() is threading.main_thread()
    before = {number: signal.signal(number, signal.SIG_IGN) for number in _ENDING if ours}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
