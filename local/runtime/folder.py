"""The folder of a runtime: who runs there, and where its logs and state are."""

from __future__ import annotations

import fcntl
import importlib.metadata
import os
import shutil
from pathlib import Path

import msgspec

from local.runtime.description import Report, Running, RuntimeProblem
from local.runtime.processes import STOP_SECONDS, group_lives, within


class Folder:
    """Whoever runs there holds its lock. The kernel releases it, whatever that process dies of."""

    def __init__(self, home: Path) -> None:
        self.logs = home / "logs"
        self.assembly = home / "cdk.out"
        self._data = home / "data"
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
        return self._data / ("kept" if running.keep else "fresh")

    def mark_whole(self, running: Running) -> None:
        """Note that the state was saved by a run that ended in order."""
        (self.data(running) / "whole.json").write_bytes(_belongs_to(running))

    def prepare_data(self, running: Running, report: Report) -> None:
        """State is saved at the end of a run; what a run that did not end in order left is not whole and not used."""
        data = self.data(running)
        mark = data / "whole.json"
        whole = mark.exists() and mark.read_bytes() == _belongs_to(running)
        if not (running.keep and whole):
            if running.keep and data.exists():
                report("What was kept is of a run that did not end in order, or ran elsewhere; starting empty")
            shutil.rmtree(data, ignore_errors=True)
        mark.unlink(missing_ok=True)
        for part in ("aws", "vision"):
            (data / part).mkdir(parents=True, exist_ok=True)


def _try_lock(file: int, kind: int) -> bool:
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _belongs_to(running: Running) -> bytes:
    """State can be taken up again by the same emulator on the same port (queue URLs are part of the state)."""
    return msgspec.json.encode({"ministack": importlib.metadata.version("ministack"), "port": running.ports.aws})
