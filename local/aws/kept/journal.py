"""The journal: what is kept, a row each, in one SQLite file.

Changes are noted where they happen and written together by `commit`, which is called before a request is answered.
What a request changes is so written whole or not at all, and a crash loses only what nobody was told is done.
"""

from __future__ import annotations

import base64
import json
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

FORMAT = 1
"""Of the file, in its user_version. A later version raises it and says how the earlier one is read."""

Row = tuple[str, str, str]
"""Names a row: the store, the resource it belongs to (an ARN), and a key within it."""

_GONE = object()
_BYTES = "bytes in base64"


class NotKept(Exception):
    """What changed could not be written, as when the disk is full. It stays noted, and the next commit tries again."""


class UnknownFormat(Exception):
    """The file was written by a later version of this program."""


def examine(file: Path) -> None:
    """Raise UnknownFormat or NotKept where a journal cannot be used; one that does not exist yet can be."""
    if file.exists():
        Journal(file).close()


class Journal:
    """Whoever changes more than one row that belong together holds `lock` meanwhile. Threads share one journal."""

    def __init__(self, file: Path | None, *, deploying: bool = False) -> None:
        """Open the file, or make it. Without one nothing is kept. Raises UnknownFormat, NotKept if that is impossible.

        While stacks are `deploying`, a resource that is deleted takes nothing along: a failed deployment deletes.
        """
        self.lock = threading.RLock()
        self.deploying = deploying
        self._closed = False
        self._noted: dict[Row, Any] = {}
        self.changes = 0
        """How many changes were noted so far, by whomever."""
        self._next = 0
        self.keeps = file is not None
        try:
            self._database = sqlite3.connect(file or ":memory:", isolation_level=None, check_same_thread=False)
            self._prepare()
        except sqlite3.Error as error:
            raise NotKept(f"{file} cannot be used: {error}") from error

    def _prepare(self) -> None:
        execute = self._database.execute
        (found,) = execute("PRAGMA user_version").fetchone()
        if found > FORMAT:
            raise UnknownFormat(f"format {found}; this version knows formats up to {FORMAT}")
        # A process that dies loses nothing that it wrote, with or without fsync; WAL with NORMAL also survives a
        # power failure without damage, less the last moments. Source: sqlite.org/pragma.html, "synchronous".
        execute("PRAGMA journal_mode = WAL")
        execute("PRAGMA synchronous = NORMAL")
        execute(
            "CREATE TABLE IF NOT EXISTS kept (store TEXT, resource TEXT, key TEXT, value TEXT, "
            "PRIMARY KEY (store, resource, key)) WITHOUT ROWID"
        )
        execute(f"PRAGMA user_version = {FORMAT}")
        appended = execute("SELECT max(key) FROM kept WHERE key GLOB '#*'").fetchone()[0]
        self._next = int(appended[1:]) + 1 if appended else 0

    def rows(self, store: str, resource: str) -> Iterator[tuple[str, Any]]:
        """Keys and values of what is kept of a resource, appended ones in their order. Noted changes are not seen."""
        with self.lock:
            found = self._database.execute(
                "SELECT key, value FROM kept WHERE store = ? AND resource = ? ORDER BY key", (store, resource)
            ).fetchall()
        for key, value in found:
            yield key, json.loads(value, object_hook=_bytes_from_json)

    def is_empty(self) -> bool:
        """Whether nothing is kept and nothing noted."""
        with self.lock:
            return not self._noted and self._database.execute("SELECT 1 FROM kept LIMIT 1").fetchone() is None

    def put(self, store: str, resource: str, key: str, value: Any) -> None:
        """Note a new value. It is read at the next commit, so what is changed in place meanwhile counts."""
        self._note((store, resource, key), value)

    def append(self, store: str, resource: str, value: Any) -> str:
        """Note one more value, after all that were appended before; returns its key."""
        with self.lock:
            key = f"#{self._next:020d}"
            self._next += 1
            self._note((store, resource, key), value)
        return key

    def drop(self, store: str, resource: str, key: str) -> None:
        """Note that a value is gone."""
        self._note((store, resource, key), _GONE)

    def drop_all(self, store: str, resource: str) -> None:
        """Note that a resource is gone with all that is kept of it, unless the stacks are being deployed."""
        if self.deploying:
            return
        with self.lock:
            for row in [row for row in self._noted if row[:2] == (store, resource)]:
                del self._noted[row]
            for key, _ in list(self.rows(store, resource)):
                self._note((store, resource, key), _GONE)

    def _note(self, row: Row, value: Any) -> None:
        if self.keeps:
            with self.lock:
                self._noted[row] = value
                self.changes += 1

    @property
    def behind(self) -> bool:
        """Whether something is noted and not written."""
        return bool(self._noted)

    def commit(self) -> None:
        """Write all that is noted. Raises NotKept; then it is still noted."""
        with self.lock:
            if not self._noted:
                return
            if self._closed:
                raise NotKept("the embedded AWS is ending")
            gone = [row for row, value in self._noted.items() if value is _GONE]
            new = [(*row, _as_text(value)) for row, value in self._noted.items() if value is not _GONE]
            execute, execute_many = self._database.execute, self._database.executemany
            try:
                execute("BEGIN IMMEDIATE")
                execute_many("DELETE FROM kept WHERE store = ? AND resource = ? AND key = ?", gone)
                execute_many("INSERT OR REPLACE INTO kept VALUES (?, ?, ?, ?)", new)
                execute("COMMIT")
            except sqlite3.Error as error:
                if self._database.in_transaction:
                    execute("ROLLBACK")
                raise NotKept(str(error)) from error
            self._noted.clear()

    def close(self) -> None:
        """Write what is noted and close the file; nothing is kept afterwards. Raises NotKept."""
        with self.lock:
            try:
                self.commit()
            finally:
                self._closed = True
                self._database.close()


def _as_text(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False, default=_bytes_as_json)


def _bytes_as_json(value: Any) -> Any:
    if isinstance(value, bytes):
        return {_BYTES: base64.b64encode(value).decode("ascii")}
    raise TypeError(f"The journal cannot keep a {type(value).__name__}.")


def _bytes_from_json(value: dict[str, Any]) -> Any:
    return base64.b64decode(value[_BYTES]) if value.keys() == {_BYTES} else value
