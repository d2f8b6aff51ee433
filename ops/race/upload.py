"""Uploading a folder of photos: in parallel, with progress, and only what is not there yet.

Every file goes up in one piece, so S3's ETag of it is its MD5: what is there under the same name with the same MD5 is
not sent again, which makes an interrupted upload resumable by the same command.
"""

from __future__ import annotations

import base64
import hashlib
import mimetypes
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from io import BufferedReader
from pathlib import Path
from urllib.parse import quote

import msgspec
from botocore.exceptions import BotoCoreError, ClientError

from ops.reach.errors import Failed, explain
from ops.reach.raw_photos import raw_photos
from ops.reach.target import Target
from shared.contracts.keys import RAW_PHOTOS, RaceRef

PARALLEL = 8
_MAX_KEY_BYTES = 1024
_SYSTEM_FILES = {"thumbs.db", "desktop.ini"}
# What S3 refuses about one file; anything else it refuses, it refuses for all of them.
_ABOUT_THE_FILE = {"BadDigest": "it changed while it was read", "EntityTooLarge": "it is larger than 5 GB"}


class UploadResult(msgspec.Struct, frozen=True, kw_only=True):
    """What an upload did: files sent, files that were there already, and files that failed with why."""

    sent: tuple[str, ...]
    already_there: tuple[str, ...]
    failed: tuple[tuple[str, str], ...]


def photos_in(folder: Path) -> list[Path]:
    """All files of a folder and its sub-folders, but hidden ones. Raises Failed for what cannot be uploaded."""
    if not folder.exists():
        raise Failed(f"There is no folder {folder}.")
    if not folder.is_dir():
        raise Failed(f"{folder} is a file; name the folder that holds the photos.")
    files = sorted(_files(folder))
    if not files:
        raise Failed(f"There are no files in {folder}.")
    by_name: dict[str, Path] = {}
    for path in files:
        if (other := by_name.setdefault(path.name, path)) is not path:
            raise Failed(
                f"Two files are called {path.name}: {other.relative_to(folder)} and {path.relative_to(folder)}. "
                "Rename one, or upload the sub-folders one by one."
            )
    return files


def _files(folder: Path) -> Iterator[Path]:
    for where, folders, names in os.walk(folder, onerror=_cannot_look_into):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for path in (Path(where, name) for name in names if not _hidden(name)):
            # A link that leads nowhere is a photo that cannot be read: it is tried, and told of.
            if path.is_file() or not path.exists():
                yield path


def _cannot_look_into(error: OSError) -> None:
    raise Failed(f"The folder {error.filename} cannot be read: {error.strerror}.")


def _hidden(name: str) -> bool:
    return name.startswith(".") or name.lower() in _SYSTEM_FILES


def key_of(race: RaceRef, path: Path) -> str:
    """Where a photo goes. The name is taken as it is."""
    return f"{race.prefix}{RAW_PHOTOS}/{path.name}"


def upload(
    target: Target,
    race: RaceRef,
    files: Sequence[Path],
    *,
    photographer: str | None = None,
    progress: Callable[[int], None] = lambda _done: None,
) -> UploadResult:
    """Send what is not there yet; `progress` is told how many are done. Ctrl-C stops after those under way."""
    there = raw_photos(target, race)
    metadata = {"photographer": quote(photographer, safe=" ")} if photographer else {}
    client = target.client("s3")  # made before the threads that share it
    sent: list[str] = []
    already_there: list[str] = []
    failed: list[tuple[str, str]] = []

    def send(path: Path) -> bool:
        key = _checked(key_of(race, path))
        with path.open("rb") as body:
            if key in there and there[key].etag == _digest(body, "md5").hex():
                return False
            client.put_object(
                Bucket=target.photo_bucket,
                Key=key,
                Body=body,
                # S3 refuses what does not have this digest, so nothing half-read ever stands there.
                ChecksumSHA256=base64.b64encode(_digest(body, "sha256")).decode(),
                ContentType=mimetypes.guess_type(path.name)[0] or "application/octet-stream",
                Metadata=metadata,
            )
        return True

    pool = ThreadPoolExecutor(PARALLEL)
    try:
        for path, done in _as_finished(pool, send, files):
            try:
                (sent if done.result() else already_there).append(path.name)
            except (BotoCoreError, ClientError) as error:
                failed.append((path.name, _about_the_file(error, len(sent) + len(already_there), len(files))))
            except Failed as reason:
                failed.append((path.name, str(reason)))
            except OSError as error:
                failed.append((path.name, error.strerror or str(error)))
            progress(len(sent) + len(already_there) + len(failed))
    finally:
        pool.shutdown(cancel_futures=True)
    return UploadResult(sent=tuple(sent), already_there=tuple(already_there), failed=tuple(failed))


def _checked(key: str) -> str:
    """The key, if S3 can take it. Raises Failed."""
    try:
        size = len(key.encode())
    except UnicodeEncodeError:
        raise Failed("its name is not UTF-8; rename it") from None
    if size > _MAX_KEY_BYTES:
        raise Failed(f"its name is too long for S3 ({_MAX_KEY_BYTES:,} bytes with the race's prefix); shorten it")
    return key


def _digest(body: BufferedReader, algorithm: str) -> bytes:
    """The digest of a whole file, which is then at its beginning again."""
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
    pool: ThreadPoolExecutor, send: Callable[[Path], bool], files: Sequence[Path]
) -> Iterable[tuple[Path, Future[bool]]]:
    """Submit a few at a time, so that a folder of 200,000 photos is not queued at once."""
    waiting: dict[Future[bool], Path] = {}
    remaining = iter(files)
    while True:
        while len(waiting) < 2 * PARALLEL and (path := next(remaining, None)) is not None:
            waiting[pool.submit(send, path)] = path
        if not waiting:
            return
        finished, _ = wait(waiting, return_when=FIRST_COMPLETED)
        for future in finished:
            yield waiting.pop(future), future
