"""The file that keeps collections: its tables, and what every use of it needs."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from vision.collections.index import Vectors
from vision.engine.messages import EMBEDDING

_SCHEMA = """
CREATE TABLE IF NOT EXISTS collection (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL UNIQUE,
    created REAL NOT NULL,
    tags TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS image (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    collection INTEGER NOT NULL REFERENCES collection(id) ON DELETE CASCADE,
    image_id TEXT NOT NULL,
    digest BLOB NOT NULL,
    external_id TEXT NOT NULL,
    UNIQUE (collection, digest, external_id)
);
CREATE TABLE IF NOT EXISTS face (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    collection INTEGER NOT NULL REFERENCES collection(id) ON DELETE CASCADE,
    image INTEGER NOT NULL REFERENCES image(id) ON DELETE CASCADE,
    face_id TEXT NOT NULL,
    box TEXT NOT NULL,
    confidence REAL NOT NULL,
    vector BLOB NOT NULL,
    UNIQUE (collection, face_id)
);
CREATE INDEX IF NOT EXISTS face_of_image ON face(image);
CREATE INDEX IF NOT EXISTS face_of_collection ON face(collection);
CREATE TABLE IF NOT EXISTS user (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    collection INTEGER NOT NULL REFERENCES collection(id) ON DELETE CASCADE,
    user_id TEXT NOT NULL,
    UNIQUE (collection, user_id)
);
CREATE TABLE IF NOT EXISTS association (
    face INTEGER PRIMARY KEY REFERENCES face(id) ON DELETE CASCADE,
    user INTEGER NOT NULL REFERENCES user(id) ON DELETE CASCADE
);
CREATE INDEX IF NOT EXISTS association_of_user ON association(user);
CREATE TABLE IF NOT EXISTS user_vector (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    collection INTEGER NOT NULL REFERENCES collection(id) ON DELETE CASCADE,
    user INTEGER NOT NULL UNIQUE REFERENCES user(id) ON DELETE CASCADE,
    vector BLOB NOT NULL
);
CREATE INDEX IF NOT EXISTS user_vector_of_collection ON user_vector(collection);
CREATE TABLE IF NOT EXISTS request (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    collection INTEGER NOT NULL REFERENCES collection(id) ON DELETE CASCADE,
    operation TEXT NOT NULL,
    token TEXT NOT NULL,
    digest BLOB NOT NULL,
    answer BLOB NOT NULL,
    done REAL NOT NULL,
    UNIQUE (operation, token)
);
CREATE INDEX IF NOT EXISTS request_of_collection ON request(collection);
CREATE INDEX IF NOT EXISTS request_by_time ON request(done);
CREATE TABLE IF NOT EXISTS secret (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    content BLOB NOT NULL
);
INSERT OR IGNORE INTO secret (id, content) VALUES (1, randomblob(32));
"""
PARTS = ("request", "user_vector", "user", "face", "image")
"""Tables of what belongs to a collection, in an order in which they are erased without a cascade that looks up rows."""
_MAX_VARIABLES = 500  # in one SQL statement; SQLite's own limit is higher


class CannotOpen(Exception):
    """Why the collections in a folder cannot be used, as a sentence."""


def opened(path: Path) -> sqlite3.Connection:
    """The file with all its tables. Raises CannotOpen."""
    database = sqlite3.connect(path, isolation_level=None)
    try:
        database.executescript(
            # FULL: a commit that has returned survives a power cut. secure_delete: a deleted face leaves no bytes.
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;"
            "PRAGMA secure_delete = ON;" + _SCHEMA
        )
        _check_embedding(database, path)
    except sqlite3.Error as error:
        database.close()
        raise CannotOpen(
            f"Cannot use the collections in {path} ({error}); put back a copy of it, or give another --data."
        ) from error
    except CannotOpen:
        database.close()
        raise
    return database


def _check_embedding(database: sqlite3.Connection, path: Path) -> None:
    """Vectors of different networks cannot be compared: the file says which one its faces are of."""
    (kept,) = database.execute("PRAGMA user_version").fetchone()
    if kept != EMBEDDING and database.execute("SELECT 1 FROM face LIMIT 1").fetchone():
        raise CannotOpen(
            f"The faces in {path} were indexed by another version of this server, whose vectors mean something "
            "else; give another --data, and index the pictures there."
        )
    database.execute(f"PRAGMA user_version = {EMBEDDING}")


@contextlib.contextmanager
def transaction(database: sqlite3.Connection) -> Iterator[None]:
    """All of it on the disk, or none."""
    database.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        database.execute("ROLLBACK")
        raise
    database.execute("COMMIT")


def erase_log(database: sqlite3.Connection) -> None:
    """Empty the write-ahead log, which would keep deleted faces until its pages are reused."""
    database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()


def vector_of(content: bytes | None) -> Vectors:
    """The numbers of one embedding, or of several one after another."""
    return np.frombuffer(content or b"", dtype="<f4").astype(np.float32, copy=False)


def chunks(values: Sequence[Any]) -> list[list[Any]]:
    """The values in parts that fit into one statement."""
    return [list(values[start : start + _MAX_VARIABLES]) for start in range(0, len(values), _MAX_VARIABLES)]


def marks(values: Sequence[Any]) -> str:
    """As many question marks."""
    return ",".join("?" * len(values))
