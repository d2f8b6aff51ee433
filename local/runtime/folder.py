"""The folder of a runtime: who runs there, and where its logs and state are.

runtime.json             what runs
logs/                    a log of each part
cdk.out, cdk.out.digest  what was deployed, and of what sources
kept/, fresh/            the state that is kept, and that of a run that keeps none
set-aside-…/             what could not be used
"""

from __future__ import annotations

import fcntl
import os
import shutil
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from local.aws.kept import FILE
from local.aws.kept.journal import NotKept, UnknownFormat, examine
from local.runtime.description import Report, Running, RuntimeProblem
from local.runtime.processes import STOP_SECONDS, group_lives, within


class Folder:
    """Whoever runs there holds its lock. The kernel releases it, whatever that process dies of."""

    def __init__(self, home: Path) -> None:
        self.logs = home / "logs"
        self.assembly = home / "cdk.out"
        self.assembly_digest = home / "cdk.out.digest"
        self._home = home
        self._running = home / "runtime.json"
        self._lock = home / "lock"
        self._held: int | None = None

    def acquire(self) -> None:
        """Take the lock. Raises RuntimeProblem when another process holds it."""
        self.logs.mkdir(parents=True, exist_ok=True)
        file = os.open(self._lock, os.O_RDWR | os.O_CREAT, 0o644)
        # is_free() of another process may hold it for an instant: so more than one try
        if not within(0.5, lambda: _try_lock(file, fcntl.LOCK_EX)):
            os.close(file)
            running = self.read()
            where = f" (process {running.pid}, {running.front_door})" if running else ""
            raise RuntimeProblem(f"SnapRace is already running here{where}; stop it with: snaprace down")
        self._held = file

    def release(self) -> None:
        """Give the lock back, and nothing runs here any more."""
        if self._held is not None:
            self._running.unlink(missing_ok=True)
            os.close(self._held)
            self._held = None

    def is_free(self) -> bool:
        """Whether no process holds the lock."""
        if not self._lock.exists():
            return True
        file = os.open(self._lock, os.O_RDONLY)
        try:
            return _try_lock(file, fcntl.LOCK_SH)
        finally:
            os.close(file)

    def write(self, running: Running) -> None:
        """Say in the folder what runs."""
        draft = self._running.with_name("runtime.json.new")
        draft.write_bytes(msgspec.json.format(msgspec.json.encode(running)))
        draft.replace(self._running)

    def read(self) -> Running | None:
        """What the folder says that runs; None when it says nothing, also after a run that ended in order."""
        try:
            return msgspec.json.decode(self._running.read_bytes(), type=Running)
        except (FileNotFoundError, msgspec.DecodeError):
            return None

    def forget_dead_run(self) -> None:
        """After a kill -9 its children need a moment to notice."""
        dead = self.read()
        if dead is not None:
            within(STOP_SECONDS, lambda: not any(map(group_lives, dead.parts.values())))
        self._running.unlink(missing_ok=True)

    def data(self, running: Running) -> Path:
        """Where the state of such a run is."""
        return self._home / ("kept" if running.keep else "fresh")

    def prepare_data(self, running: Running, report: Report) -> None:
        """Make the folder of the state: empty, or with what was kept. What cannot be used is set aside, and said so."""
        data = self.data(running)
        if not running.keep:
            shutil.rmtree(data, ignore_errors=True)
        elif data.exists():
            self._set_aside_what_is_unreadable(data, report)
        else:
            self._take_over_from_before_the_journal(data, report)
        for part in ("aws", "vision"):
            (data / part).mkdir(parents=True, exist_ok=True)

    def _set_aside_what_is_unreadable(self, data: Path, report: Report) -> None:
        try:
            examine(data / "aws" / FILE)
        except UnknownFormat as unknown:
            self._set_aside(data, f"was kept by a later version ({unknown})", report)
        except NotKept as damaged:
            self._set_aside(data, f"cannot be read ({damaged})", report)

    def _take_over_from_before_the_journal(self, data: Path, report: Report) -> None:
        """Versions without a journal kept state in data/kept, whole only after a run that ended in order.

        The embedded AWS reads it (see local/aws/kept/earlier.py).
        """
        earlier = self._home / "data" / "kept"
        if not earlier.exists():
            return
        if (earlier / "whole.json").exists():
            report("Taking over what an earlier version kept")
            earlier.rename(data)
        else:
            self._set_aside(earlier, "is of an earlier version's run that did not end in order, and not whole", report)

    def _set_aside(self, data: Path, why: str, report: Report) -> None:
        aside = self._home / f"set-aside-{datetime.now(UTC):%Y-%m-%d-%H%M%S}"
        data.rename(aside)
        report(f"What {data} has {why}; it is now {aside}, and the runtime starts empty")


def _try_lock(file: int, kind: int) -> bool:
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
