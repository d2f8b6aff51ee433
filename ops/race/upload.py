"""Uploading photos: in parallel, with progress, only what is not there yet, and never in the place of another photo.

Every file goes up in one piece, so S3's ETag of it is its MD5: what is there under one of the file's names with the
same MD5 is not sent again, which makes an interrupted upload resumable by the same command. What is there with another
MD5 is another photo, and stays: the file then takes its next name (ops/race/folders.py).
"""

from __future__ import annotations

import base64
import functools
import hashlib
import mimetypes
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from io import BufferedReader
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

import msgspec
from botocore.exceptions import BotoCoreError, ClientError

from ops.race.folders import Names, names_of, require_possible
from ops.reach.errors import Failed, explain
from ops.reach.raw_photos import RawPhoto, raw_photos, uploads_at
from ops.reach.target import Target
from shared.contracts.keys import RaceRef

PARALLEL = 8
# What S3 refuses about one file; anything else it refuses, it refuses for all of them.
_ABOUT_THE_FILE = {"BadDigest": "it changed while it was read", "EntityTooLarge": "it is larger than 5 GB"}
# What S3 answers where somebody else wrote the key first, or is just writing it. Source: Amazon S3 User Guide, "How to
# prevent object overwrites with conditional writes".
_TAKEN = {"PreconditionFailed", "ConditionalRequestConflict"}


class UploadResult(msgspec.Struct, frozen=True, kw_only=True):
    """What an upload did: files sent, files that were there already, and files that failed with why.

    `keys` says where each file lies that is there now. `beside` are files of whose names a photo with other content was
    there before: both are kept.
    """

    sent: tuple[str, ...]
    already_there: tuple[str, ...]
    failed: tuple[tuple[str, str], ...]
    keys: Mapping[Path, str]
    beside: tuple[Path, ...]


class _Came(NamedTuple):
    """Where a file lies, and whether it was sent."""

    key: str
    sent: bool


class Sender:
    """Sends files of one race, from several threads."""

    def __init__(self, target: Target, race: RaceRef, *, metadata: Mapping[str, str], replace: bool) -> None:
        self._target = target
        self._metadata = metadata
        self._replace = replace
        self._client = target.client("s3")  # made before the threads that share it
        self._there: Mapping[str, RawPhoto] = raw_photos(target, race)

    def send(self, path: Path, names: Names) -> _Came:
        """Let the file lie under one of its names. Raises Failed where none of them can be."""
        with path.open("rb") as body:
            md5 = functools.cache(lambda: _digest(body, "md5").hex())  # of a folder that is new nobody asks for it
            if (there := self._where_it_is(names, md5)) is not None:
                return _Came(there, sent=False)
            if self._replace and (replaced := [key for key in names.own if key in self._there]):
                self._put(replaced[-1], path, body, {})
                return _Came(replaced[-1], sent=True)
            for key in names.own:
                if key not in self._there and (came := self._put_as_new(key, path, body, md5)) is not None:
                    return came
            came = self._put_as_new(names.with_digest(md5()), path, body, md5)
        if came is None:
            raise Failed("other photos have all of its names; rename it")
        return came

    def _where_it_is(self, names: Names, md5: Callable[[], str]) -> str | None:
        """The key under which the file lay before; None where it lay under none of its names."""
        if not any(key in self._there for key in (*names.earlier, *names.own)):
            return None
        for key in (*names.earlier, *names.own, names.with_digest(md5())):
            if key in self._there and self._there[key].etag == md5():
                return key
        return None

    def _put_as_new(self, key: str, path: Path, body: BufferedReader, md5: Callable[[], str]) -> _Came | None:
        """Write a key that nobody has; None where somebody has it by now, with other content."""
        try:
            self._put(key, path, body, {"IfNoneMatch": "*"})
        except ClientError as error:
            if error.response["Error"]["Code"] not in _TAKEN:
                raise
            # It may have been this very file: boto3 repeats what it got no answer to.
            there = uploads_at(self._target, key).get(key)
            return _Came(key, sent=True) if there and there.etag == md5() else None
        return _Came(key, sent=True)

    def _put(self, key: str, path: Path, body: BufferedReader, condition: dict[str, Any]) -> None:
        require_possible(key)
        sha256 = _digest(body, "sha256")
        self._client.put_object(
            Bucket=self._target.photo_bucket,
            Key=key,
            Body=body,
            # S3 refuses what does not have this digest, so nothing half-read ever stands there.
            ChecksumSHA256=base64.b64encode(sha256).decode(),
            ContentType=mimetypes.guess_type(path.name)[0] or "application/octet-stream",
            Metadata=self._metadata,
            **condition,
        )


def upload(
    target: Target,
    race: RaceRef,
    files: Sequence[Path],
    *,
    folders: Sequence[Path] = (),
    photographer: str | None = None,
    replace: bool = False,
    progress: Callable[[int], None] = lambda _done: None,
) -> UploadResult:
    """Send what is not there yet; `progress` is told how many are done. Ctrl-C stops after those under way.

    `folders` are those in which the files were found, from which their names begin. With `replace` a file takes the
    place of the photo that has its name.
    """
    metadata = {"photographer": quote(photographer, safe=" ")} if photographer else {}
    sender = Sender(target, race, metadata=metadata, replace=replace)
    named = names_of(race, files, folders)
    sent: list[str] = []
    already_there: list[str] = []
    failed: list[tuple[str, str]] = []
    keys: dict[Path, str] = {}

    pool = ThreadPoolExecutor(PARALLEL)
    try:
        for path, done in _as_finished(pool, lambda path: sender.send(path, named[path]), files):
            try:
                came = done.result()
                keys[path] = came.key
                (sent if came.sent else already_there).append(named[path].shown)
            except (BotoCoreError, ClientError) as error:
                failed.append((named[path].shown, _about_the_file(error, len(sent) + len(already_there), len(files))))
            except Failed as reason:
                failed.append((named[path].shown, str(reason)))
            except OSError as error:
                failed.append((named[path].shown, error.strerror or str(error)))
            progress(len(sent) + len(already_there) + len(failed))
    finally:
        pool.shutdown(cancel_futures=True)
    return UploadResult(
        sent=tuple(sent),
        already_there=tuple(already_there),
        failed=tuple(failed),
        keys=keys,
        beside=tuple(path for path in files if path in keys and keys[path] not in named[path].earlier),
    )


def _digest(body: BufferedReader, algorithm: str) -> bytes:
    """The digest of a whole file, which is then at its beginning again."""
    body.seek(0)
    digest = hashlib.file_digest(body, lambda: hashlib.new(algorithm, usedforsecurity=False)).digest()
    body.seek(0)
    return digest


def _about_the_file(error: BotoCoreError | ClientError, up: int, total: int) -> str:
    """Why S3 refused this file. Raises Failed for what will not be better with the next one."""
    code = error.response["Error"]["Code"] if isinstance(error, ClientError) else ""
    if code not in _ABOUT_THE_FILE:
        raise Failed(f"{explain(error)} {up:,} of {total:,} files are up; the same command sends the rest.") from error
    return _ABOUT_THE_FILE[code]


def _as_finished(
    pool: ThreadPoolExecutor, send: Callable[[Path], _Came], files: Sequence[Path]
) -> Iterable[tuple[Path, Future[_Came]]]:
    """Submit a few at a time, so that a folder of 200,000 photos is not queued at once."""
    waiting: dict[Future[_Came], Path] = {}
    remaining = iter(files)
    while True:
        while len(waiting) < 2 * PARALLEL and (path := next(remaining, None)) is not None:
            waiting[pool.submit(send, path)] = path
        if not waiting:
            return
        finished, _ = wait(waiting, return_when=FIRST_COMPLETED)
        for future in finished:
            yield waiting.pop(future), future
