"""Uploading a folder of photos: in parallel, with progress, and only what is not there yet.

Every file goes up in one piece, so S3's ETag of it is its MD5: what is there under the same name with the same MD5 is
not sent again, which makes an interrupted upload resumable by the same command.
"""

from __future__ import annotations

import hashlib
import mimetypes
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from pathlib import Path
from urllib.parse import quote

import msgspec
from botocore.exceptions import BotoCoreError, ClientError

from ops.errors import Failed, explain
from ops.target import Target
from shared.keys import RAW_PHOTOS, RaceRef

PARALLEL = 8
_MAX_KEY_BYTES = 1024
_SYSTEM_FILES = {"thumbs.db", "desktop.ini"}


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
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
    files = sorted(path for path in folder.rglob("*") if path.is_file() and not _hidden(path.relative_to(folder)))
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


def _hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts) or path.name.lower() in _SYSTEM_FILES


def key_of(race: RaceRef, path: Path) -> str:
    """Where a photo goes. The name is taken as it is."""
    return f"{race.prefix}{RAW_PHOTOS}/{path.name}"


def uploaded(target: Target, race: RaceRef) -> dict[str, str]:
    """The raw photos that are there: key → ETag."""
    pages = (
        target.client("s3")
        .get_paginator("list_objects_v2")
        .paginate(Bucket=target.photo_bucket, Prefix=f"{race.prefix}{RAW_PHOTOS}/")
    )
    return {item["Key"]: item["ETag"].strip('"') for page in pages for item in page.get("Contents", ())}


def upload(
    target: Target,
    race: RaceRef,
    files: Sequence[Path],
    *,
    photographer: str | None = None,
    progress: Callable[[], None] = lambda: None,
) -> Outcome:
    """Send what is not there yet; `progress` is called after each file. Ctrl-C stops after those under way."""
    there = uploaded(target, race)
    metadata = {"photographer": quote(photographer, safe=" ")} if photographer else {}
    sent: list[str] = []
    already_there: list[str] = []
    failed: list[tuple[str, str]] = []

    def send(path: Path) -> bool:
        body = path.read_bytes()
        key = key_of(race, path)
        if len(key.encode()) > _MAX_KEY_BYTES:
            raise Failed("its name is too long for S3 (1,024 bytes with the race's prefix); shorten it")
        if there.get(key) == hashlib.md5(body, usedforsecurity=False).hexdigest():
            return False
        kind = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
        client.put_object(Bucket=target.photo_bucket, Key=key, Body=body, ContentType=kind, Metadata=metadata)
        return True

    client = target.client("s3")  # made before the threads that share it
    pool = ThreadPoolExecutor(PARALLEL)
    try:
        for path, done in _as_finished(pool, send, files):
            try:
                (sent if done.result() else already_there).append(path.name)
            except Failed as reason:
                failed.append((path.name, str(reason)))
            except OSError as error:
                failed.append((path.name, error.strerror or str(error)))
            except (BotoCoreError, ClientError) as error:
                failed.append((path.name, explain(error)))
            progress()
    finally:
        pool.shutdown(cancel_futures=True)
    return Outcome(sent=tuple(sent), already_there=tuple(already_there), failed=tuple(failed))


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
