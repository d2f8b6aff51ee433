"""The folder of a runtime: who runs there, and where its state is."""

from __future__ import annotations

import fcntl
import importlib.metadata
import os
import shutil
from pathlib import Path

import msgspec

from local.runtime.description import Report, Running
from local.runtime.processes import STOP_SECONDS, group_lives, within

LOGS = "logs"
_RUNNING_FILE = "runtime.json"
_WHOLE = "whole.json"


class Lock:
    """Held by the process that runs a home. The kernel releases it, whatever that process dies of."""

    def __init__(self, home: Path) -> None:
        self._path = home / "lock"
        self._file: int | None = None

    def acquire(self) -> bool:
        """Take the lock; whether this process has it now."""
        file = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o644)
        # is_free() of another process may hold it for an instant: so more than one try
        if not within(0.5, lambda: _try_lock(file, fcntl.LOCK_EX)):
            os.close(file)
            return False
        self._file = file
        return True

    def release(self) -> None:
        """Give the lock back, and nothing runs here any more."""
        if self._file is not None:
            self._path.with_name(_RUNNING_FILE).unlink(missing_ok=True)
            os.close(self._file)
            self._file = None

    def is_free(self) -> bool:
        """Whether no process holds the lock."""
        if not self._path.exists():
            return True
        file = os.open(self._path, os.O_RDONLY)
        try:
            return _try_lock(file, fcntl.LOCK_SH)
        finally:
            os.close(file)


def _try_lock(file: int, kind: int) -> bool:
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def write(home: Path, running: Running) -> None:
    """Say in the folder what runs."""
    draft = home / f"{_RUNNING_FILE}.new"
    draft.write_bytes(msgspec.json.format(msgspec.json.encode(running)))
    draft.replace(home / _RUNNING_FILE)


def read(home: Path) -> Running | None:
    """What the folder says that runs; None when it says nothing, also after a run that ended in order."""
    try:
        return msgspec.json.decode((home / _RUNNING_FILE).read_bytes(), type=Running)
    except (FileNotFoundError, msgspec.DecodeError):
        return None


def already_running(home: Path) -> str:
    """A sentence for who starts a second runtime in the folder."""
    running = read(home)
    where = f" (process {running.pid}, {running.front_door})" if running else ""
    return f"SnapRace is already running here{where}; stop it with: snaprace down"


def forget_dead_run(home: Path) -> None:
    """After a kill -9 its children need a moment to notice."""
    dead = read(home)
    if dead is not None:
        within(STOP_SECONDS, lambda: not any(map(group_lives, dead.parts.values())))
    (home / _RUNNING_FILE).unlink(missing_ok=True)


def data_folder(home: Path, *, keep: bool) -> Path:
    """Where the state is."""
    return home / "data" / ("kept" if keep else "fresh")


def _belongs_to(running: Running) -> bytes:
    """State can be taken up again by the same emulator on the same port (queue URLs are part of the state)."""
    return msgspec.json.encode({"ministack": importlib.metadata.version("ministack"), "port": running.ports.aws})


def mark_whole(data: Path, running: Running) -> None:
    """Note that the state was saved by a run that ended in order."""
    (data / _WHOLE).write_bytes(_belongs_to(running))


def prepare_data(data: Path, running: Running, report: Report) -> None:
    """State is saved at the end of a run; what a run that did not end in order left is not whole and not used."""
    mark = data / _WHOLE
    whole = mark.exists() and mark.read_bytes() == _belongs_to(running)
    if not (running.keep and whole):
        if running.keep and data.exists():
            report("What was kept is of a run that did not end in order, or ran elsewhere; starting empty")
        shutil.rmtree(data, ignore_errors=True)
    mark.unlink(missing_ok=True)
    for part in ("aws", "vision"):
        (data / part).mkdir(parents=True, exist_ok=True)
