"""The journal: after a crash it has what was committed, all of it and nothing else; a full disk loses nothing."""

import sqlite3
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from local.aws.kept.journal import FORMAT, Journal, NotKept, UnknownFormat, examine

RESOURCES = st.sampled_from(["arn:a", "arn:b"])
KEYS = st.sampled_from(["k1", "k2", "k3"])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.binary(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


class Crashing(RuleBasedStateMachine):
    """A journal whose process dies now and then, beside dictionaries that say what it must have."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.journal = Journal(self.file)
        self.noted: dict[tuple[str, str], Any] = {}
        self.committed: dict[tuple[str, str], Any] = {}

    @property
    def file(self) -> Path:
        return Path(self.folder.name) / "journal.sqlite"

    def teardown(self) -> None:
        self.folder.cleanup()

    @rule(resource=RESOURCES, key=KEYS, value=VALUES)
    def put(self, resource: str, key: str, value: Any) -> None:
        self.journal.put("store", resource, key, value)
        self.noted[resource, key] = value

    @rule(resource=RESOURCES, value=VALUES)
    def append(self, resource: str, value: Any) -> None:
        self.noted[resource, self.journal.append("store", resource, value)] = value

    @rule(resource=RESOURCES, key=KEYS)
    def drop(self, resource: str, key: str) -> None:
        self.journal.drop("store", resource, key)
        self.noted.pop((resource, key), None)

    @rule(resource=RESOURCES)
    def drop_all(self, resource: str) -> None:
        self.journal.drop_all("store", resource)
        self.noted = {row: value for row, value in self.noted.items() if row[0] != resource}

    @rule()
    def commit(self) -> None:
        self.journal.commit()
        self.committed = dict(self.noted)

    @rule()
    def crash(self) -> None:
        self.journal = Journal(self.file)  # the one before neither commits nor closes
        self.noted = dict(self.committed)

    @invariant()
    def has_what_was_committed(self) -> None:
        for resource in ("arn:a", "arn:b"):
            expected = {key: value for (of, key), value in sorted(self.committed.items()) if of == resource}
            kept = dict(self.journal.rows("store", resource))
            assert list(kept.items()) == list(expected.items())
        assert list(self.journal.rows("other", "arn:a")) == []


TestCrashing = Crashing.TestCase


def test_a_full_disk_loses_nothing_and_is_over_when_there_is_room(tmp_path: Path) -> None:
    file = tmp_path / "journal.sqlite"
    journal = Journal(file)
    journal.put("store", "arn", "before", 1)
    journal.commit()
    journal._database.execute("PRAGMA max_page_count = 4")  # as full as a disk
    journal.put("store", "arn", "large", "x" * 100_000)
    journal.put("store", "arn", "before", 2)
    for _ in range(2):
        with pytest.raises(NotKept, match="full"):
            journal.commit()
    assert dict(Journal(file).rows("store", "arn")) == {"before": 1}

    journal._database.execute("PRAGMA max_page_count = 100000")
    journal.commit()
    assert dict(Journal(file).rows("store", "arn")) == {"before": 2, "large": "x" * 100_000}


def test_what_is_changed_after_it_was_noted_counts() -> None:
    with tempfile.TemporaryDirectory() as folder:
        journal = Journal(Path(folder) / "journal.sqlite")
        message = {"receive_count": 0}
        journal.put("store", "arn", "m", message)
        message["receive_count"] = 1
        journal.commit()
        assert dict(journal.rows("store", "arn")) == {"m": {"receive_count": 1}}


def test_a_resource_that_a_failed_deployment_deletes_takes_nothing_along(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.sqlite", deploying=True)
    journal.put("store", "arn", "k", 1)
    journal.commit()
    journal.drop_all("store", "arn")
    journal.commit()
    assert dict(journal.rows("store", "arn")) == {"k": 1}
    journal.deploying = False
    journal.drop_all("store", "arn")
    journal.commit()
    assert journal.is_empty()


def test_after_its_end_nothing_is_answered_as_kept(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.sqlite")
    journal.put("store", "arn", "k", 1)
    journal.close()
    journal.put("store", "arn", "k", 2)
    with pytest.raises(NotKept):
        journal.commit()
    assert dict(Journal(tmp_path / "journal.sqlite").rows("store", "arn")) == {"k": 1}


def test_without_a_file_nothing_is_noted() -> None:
    journal = Journal(None)
    journal.put("store", "arn", "k", 1)
    journal.append("store", "arn", 2)
    assert not journal.behind


def test_a_later_format_and_a_damaged_file_are_told_apart_from_a_usable_one(tmp_path: Path) -> None:
    file = tmp_path / "journal.sqlite"
    examine(file)  # there is none yet
    Journal(file).close()
    examine(file)
    with sqlite3.connect(file) as database:
        database.execute(f"PRAGMA user_version = {FORMAT + 1}")
    with pytest.raises(UnknownFormat, match=str(FORMAT + 1)):
        examine(file)
    damaged = tmp_path / "damaged.sqlite"
    damaged.write_bytes(b"no database" * 100)
    with pytest.raises(NotKept):
        examine(damaged)
