"""Keeps S3's objects: ministack's own files, written whole or not at all, and their events.

ministack announces an object before it is on disk, in a thread of its own, and answers 200 when it could not be
written. Here an object is written, then its event is put into queues, then the request is answered. The journal has a
row for each key that is being written, so that after a crash in between the key is announced once more.

The file of an object and the sidecar with its metadata are two: both are written beside the old ones and then renamed,
the object first. Whoever finds a renamed object and a sidecar that is not finishes that.
"""

from __future__ import annotations

import contextvars
import errno
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from local.aws.kept.adopted import adopt_in
from local.aws.kept.journal import Journal, NotKept

_STORE = "writes"
_SIDECAR = ".meta.json"
_NEW = ".tmp"  # ministack leaves such files out where it looks for objects

_FULL = (
    "What the embedded AWS is given cannot be written: {}. Make room on the disk that has the runtime's folder; what "
    "was answered before is kept."
)


class _Event(NamedTuple):
    arguments: tuple[Any, ...]
    named: dict[str, Any]

    def fire(self) -> None:
        from ministack.services import s3

        s3._fire_s3_event(*self.arguments, **self.named)


class _Request(NamedTuple):
    """What a request has to do after it has written: tell of events, and end its rows."""

    events: list[_Event]
    rows: list[str]


_request: contextvars.ContextVar[_Request | None] = contextvars.ContextVar("the S3 request", default=None)


def keep(journal: Journal) -> None:
    """Let objects be written in that order, and give buckets that are made again their objects."""
    _finish_renaming(journal)
    from ministack.services import s3

    _adopt_buckets()
    writes = _Writes(journal)
    s3._persist_object = writes.object
    s3._persist_delete_marker = writes.delete_marker
    s3._persist_displaced_version = _write_displaced_version
    s3._delete_persisted_object = writes.before(s3._delete_persisted_object)
    delete_bucket = s3._delete_persisted_bucket
    # A failed deployment deletes what it made.
    s3._delete_persisted_bucket = lambda name: None if journal.deploying else delete_bucket(name)
    s3._record_delete_marker = _all_or_nothing(s3._record_delete_marker)
    s3._fire_s3_event_async = _fire_after_the_request
    s3._dispatch = _announced_when_written(s3._dispatch, journal)


def show_buckets_that_no_template_makes() -> None:
    """Let buckets that somebody made by hand, and their objects, be there again."""
    from ministack.services import s3

    for key, bucket in list(_found.items()):
        s3._buckets._data[key] = bucket


def announce_cut_off_writes(journal: Journal) -> None:
    """Tell of each key that was being written when the last run ended; whoever wrote it was not answered."""
    from ministack.core.responses import request_scope
    from ministack.services import s3

    for name, write in list(journal.rows(_STORE, "")):
        account, bucket, key = write["account"], write["bucket"], write["key"]
        with request_scope(account, s3._buckets._data.get((account, bucket), {}).get("region") or ""):
            if found := s3._buckets.get(bucket, {"objects": {}})["objects"].get(key):
                event: dict[str, Any] = {"event_name": "s3:ObjectCreated:Put", "size": found["size"]}
                event |= {"etag": found["etag"], "version_id": found.get("version_id")}
            else:
                event = {"event_name": "s3:ObjectRemoved:DeleteMarkerCreated", "deletion_type": "Delete Marker Created"}
            event["sequencer"] = s3._next_event_sequencer(event["event_name"])
            s3._fire_s3_event(bucket, key, **event)
        journal.drop(_STORE, "", name)


def _finish_renaming(journal: Journal) -> None:
    for _, write in journal.rows(_STORE, ""):
        file = Path(os.environ["S3_DATA_DIR"]) / write["file"]
        new, new_sidecar = _beside(file, _NEW), _beside(file, _SIDECAR + _NEW)
        if not new.exists() and _is_whole(new_sidecar):
            new_sidecar.replace(_beside(file, _SIDECAR))
        new.unlink(missing_ok=True)
        new_sidecar.unlink(missing_ok=True)


def _is_whole(sidecar: Path) -> bool:
    try:
        return isinstance(json.loads(sidecar.read_text()), dict)
    except (OSError, ValueError):
        return False


def _beside(file: Path, ending: str) -> Path:
    return file.with_name(file.name + ending)


_found: dict[Any, Any] = {}
"""The buckets of which objects are kept, until they are made again."""


def _adopt_buckets() -> None:
    from ministack.services import s3

    _found.update(s3._buckets._data)

    def adopt(key: Any, bucket: Any) -> Any:
        bucket["objects"] = _found.pop(key, {}).get("objects", bucket["objects"])
        return bucket

    adopt_in(s3._buckets, adopt, lambda _: None)


class _Writes:
    """Writes files, each after its row."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    def _begin(self, bucket: str, key: str) -> Path:
        from ministack.core.responses import get_account_id
        from ministack.services import s3

        file = Path(s3._object_disk_path(bucket, key))
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        place = os.path.relpath(file, os.path.realpath(s3.DATA_DIR))
        row = json.dumps([bucket, key])
        write = {"account": get_account_id(), "bucket": bucket, "key": key, "file": place}
        if request := _request.get():
            request.rows.append(row)
        self._journal.put(_STORE, "", row, write)
        self._journal.commit()
        return file

    def object(self, bucket: str, key: str, record: Any) -> None:
        from ministack.core.responses import get_account_id
        from ministack.services import s3

        file = self._begin(bucket, key)
        metadata = {**s3._object_meta_from_record(record), **s3._key_history_meta(bucket, key), "key": key}
        _replace(file, record["body"], metadata)
        record["body"] = None
        for version in s3._object_versions.get((bucket, key)) or []:
            version["data"] = None  # else each photo would stay in memory
        other = s3._other_key_disk_path(str(Path(s3.DATA_DIR) / get_account_id() / bucket), key, str(file))
        s3._remove_key_files(other)

    def delete_marker(self, bucket: str, key: str, marker: Any) -> None:
        from ministack.services import s3

        file = self._begin(bucket, key)
        metadata = {
            "is_delete_marker": True,
            "version_id": marker.get("version_id"),
            "last_modified": marker.get("last_modified", ""),
            **s3._key_history_meta(bucket, key),
            "key": key,
        }
        _replace(file, None, metadata)

    def before(self, delete: Callable[[str, str], None]) -> Callable[[str, str], None]:
        def begin_and_delete(bucket: str, key: str) -> None:
            self._begin(bucket, key)
            delete(bucket, key)

        return begin_and_delete


def _replace(file: Path, body: bytes | None, metadata: dict[str, Any]) -> None:
    """Write an object's file (unless it stays as it is) and its sidecar."""
    new, new_sidecar = _beside(file, _NEW), _beside(file, _SIDECAR + _NEW)
    try:
        if body is not None:
            new.write_bytes(body)
        new_sidecar.write_text(json.dumps(metadata))
    except OSError:
        new.unlink(missing_ok=True)
        new_sidecar.unlink(missing_ok=True)
        raise
    if body is not None:
        new.replace(file)
    new_sidecar.replace(_beside(file, _SIDECAR))


def _write_displaced_version(bucket: str, key: str, prior: Any, versioning: str) -> None:
    """Copy the object that another takes the place of to where versions are."""
    from ministack.services import s3

    if versioning == "Suspended":
        s3._delete_version_file(bucket, key, "null")
    version = (prior or {}).get("version_id") or "null"
    if prior is None or (versioning == "Suspended" and version == "null"):
        return
    file = Path(s3._version_disk_path(bucket, key, version))
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    s3._atomic_write(str(file), s3._read_body(bucket, key, prior))


def _fire_after_the_request(*arguments: Any, **named: Any) -> None:
    from ministack.services import s3

    bucket, _key, name = arguments[:3]
    if bucket not in s3._bucket_notifications:
        return
    event = _Event(arguments, {**named, "sequencer": s3._next_event_sequencer(name)})
    if request := _request.get():
        request.events.append(event)
    else:
        event.fire()


Dispatch = Callable[..., tuple[int, Any, Any]]


def _announced_when_written(dispatch: Dispatch, journal: Journal) -> Dispatch:
    from ministack.services import s3

    def dispatch_and_announce(method: str, bucket: str, key: str, *others: Any) -> tuple[int, Any, Any]:
        request = _Request([], [])
        token = _request.set(request)
        try:
            with _undone_on_failure(bucket, key):
                answer = dispatch(method, bucket, key, *others)
        except (OSError, NotKept) as error:
            if isinstance(error, OSError) and error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
                raise
            why = error.strerror if isinstance(error, OSError) else error
            # Source: S3's error responses; SDKs try again after it.
            answer = s3._error("ServiceUnavailable", _FULL.format(why), 503)
            request.events.clear()
        finally:
            _request.reset(token)
        for event in request.events:
            event.fire()
        for row in request.rows:
            journal.drop(_STORE, "", row)
        return answer

    return dispatch_and_announce


@contextmanager
def _undone_on_failure(bucket: str, key: str) -> Iterator[None]:
    """Put the key back to what it was, in memory, when it could not be written."""
    from ministack.services import s3

    objects = s3._buckets.get(bucket, {}).get("objects", {})
    before = objects.get(key)
    versions = [dict(version) for version in s3._object_versions.get((bucket, key)) or []]
    try:
        yield
    except (OSError, NotKept):
        if before is None:
            objects.pop(key, None)
        else:
            objects[key] = before
        if versions:
            s3._object_versions[bucket, key] = versions
        else:
            s3._object_versions.pop((bucket, key), None)
        raise


def _all_or_nothing(record_delete_marker: Callable[..., Any]) -> Callable[..., Any]:
    def record_or_undo(bucket: str, key: str, prior: Any) -> Any:
        with _undone_on_failure(bucket, key):
            return record_delete_marker(bucket, key, prior)

    return record_or_undo
