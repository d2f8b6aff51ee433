"""Which files of a photographer's folders are photos, and the names that each may have in its race.

All raw photos of a race lie in one folder of the bucket, but a camera's numbering starts again on every card and every
day. So the folders of a file become the beginning of its name: day1/cam2/IMG_1.jpg goes up as day1--cam2--IMG_1.jpg.
docs/decisions/upload-names.md says why.
"""

from __future__ import annotations

import hashlib
import os
import stat
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from ops.reach.errors import Failed
from shared.contracts.keys import FOLDER_SEPARATOR, MAX_KEY_BYTES, RAW_PHOTOS, RaceRef

_SYSTEM_FILES = {"thumbs.db", "desktop.ini"}

LeftOut = Callable[[Path, str], None]
"""Is told of what in a folder is not uploaded, and why."""


# --- which files ------------------------------------------------------------------------------------------


def _refuse(path: Path, why: str) -> None:
    raise Failed(f"{path} cannot be uploaded: {why}.")


def photos_in(*folders: Path, left_out: LeftOut = _refuse) -> list[Path]:
    """All files of folders and their sub-folders, each once, but hidden ones. Raises Failed for no folder or no file.

    `left_out` is told of sub-folders that cannot be read, of links to folders elsewhere, and of what is no file. Links
    are not followed: a link to the home folder would put private pictures before all runners.
    """
    found: list[Path] = []
    seen: set[str] = set()
    for folder in folders:
        _require_folder(folder)
        for where, names in _walk(folder, folders, seen, left_out):
            found += sorted(path for name in names if _is_to_send(path := where / name, left_out))
    if not found:
        raise Failed(f"There are no files in {', '.join(map(str, folders))}.")
    return found


def _require_folder(folder: Path) -> None:
    try:
        mode = folder.stat().st_mode
    except FileNotFoundError:
        raise Failed(f"There is no folder {folder}.") from None
    except OSError as error:
        raise Failed(f"The folder {shortened(folder)} cannot be read: {error.strerror}.") from None
    if not stat.S_ISDIR(mode):
        raise Failed(f"{folder} is a file; name the folder that holds the photos.")


def shortened(path: Path) -> str:
    """A path for a sentence: of a very long one the beginning."""
    text = str(path)
    return text if len(text) <= 200 else f"{text[:200]}…"


def _walk(folder: Path, given: Sequence[Path], seen: set[str], left_out: LeftOut) -> Iterator[tuple[Path, list[str]]]:
    """The folder and its sub-folders with the names of their files, but those whose real place is in `seen`."""

    def unreadable(error: OSError) -> None:
        where = Path(error.filename)
        if where == folder:
            raise Failed(f"The folder {shortened(folder)} cannot be read: {error.strerror}.")
        left_out(where, f"the folder cannot be read ({error.strerror})")

    for where, folders, names in os.walk(folder, onerror=unreadable):
        place = Path(where)
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in [name for name in folders if (place / name).is_symlink()]:
            real = os.path.realpath(place / name)
            if not _is_walked(real, given):
                left_out(place / name, f"it is a link to the folder {real}; name that one, too, to upload it")
        real = os.path.realpath(where)
        if real not in seen:
            seen.add(real)
            yield place, [name for name in names if not _hidden(name)]


def _is_walked(real: str, given: Sequence[Path]) -> bool:
    """Whether a folder's real place is one of the given folders or below, and its files go up from there."""
    for folder in given:
        top = Path(os.path.realpath(folder))
        if Path(real).is_relative_to(top):
            return not any(part.startswith(".") for part in Path(real).relative_to(top).parts)
    return False


def _is_to_send(path: Path, left_out: LeftOut) -> bool:
    """Whether it is a file. What cannot be looked at is taken for one: it is tried, and its failure is told."""
    try:
        mode = path.stat().st_mode
    except OSError:
        return True
    if not stat.S_ISREG(mode):
        left_out(path, "it is no file")
    return stat.S_ISREG(mode)


def _hidden(name: str) -> bool:
    return name.startswith(".") or name.lower() in _SYSTEM_FILES


# --- which names ------------------------------------------------------------------------------------------


class Names(NamedTuple):
    """The keys that a file may have in its race, the plainest first; `shown` is what people call the file.

    `own` are keys that no other file has of those that go up together. `earlier` are those under which it lies if no
    other photo was in its way, also by versions of this command that knew no folders. Where all of `own` hold other
    photos, `with_digest` tells them apart by their content.
    """

    race: RaceRef
    shown: str
    folders: tuple[str, ...]
    filename: str
    own: tuple[str, ...]
    earlier: tuple[str, ...]

    def with_digest(self, digest: str) -> str:
        """The key that no file with other content has; `digest` is the content's, in hex."""
        name = Path(self.filename)
        return _key(self.race, self.folders, f"{name.stem}{FOLDER_SEPARATOR}{digest[:12]}{name.suffix}")


def names_of(race: RaceRef, files: Iterable[Path], folders: Sequence[Path] = ()) -> dict[Path, Names]:
    """The names of files that go up together, each found in one of these folders, or (without them) in its own.

    The names follow from the path below the given folder, and then from the given folder's own name. So the same folder
    has the same names again. Where two files want the same one, the first has it.
    """
    taken: dict[str, Path] = {}
    named = {}
    for path in files:
        root = next((folder for folder in folders if path.is_relative_to(folder)), path.parent)
        *below, _ = path.relative_to(root).parts
        top = root.resolve().name
        whole = tuple(map(_composed, [top, *below] if top else below))
        filename = _composed(path.name)
        plain = _key(race, tuple(map(_composed, below)), filename)
        own = tuple(key for key in (plain, _key(race, whole, filename)) if taken.setdefault(key, path) == path)
        named[path] = Names(
            race=race,
            shown="/".join([*([top] if len(folders) > 1 else []), *below, path.name]),
            folders=whole,
            filename=filename,
            own=tuple(dict.fromkeys(own)),
            earlier=(_key(race, (), path.name), _key(race, (), filename), plain),
        )
    return named


def key_of(race: RaceRef, path: Path) -> str:
    """Where a photo goes that lies in the given folder itself, and whose name no other photo has."""
    return _key(race, (), _composed(path.name))


def _composed(name: str) -> str:
    """The name in one spelling: macOS's disks take é apart into e and an accent, others keep it whole."""
    return unicodedata.normalize("NFC", name)


def _key(race: RaceRef, folders: Sequence[str], filename: str) -> str:
    """The key of a file in folders; of folders whose names are too long together a digest stands there."""
    key = f"{race.prefix}{RAW_PHOTOS}/{FOLDER_SEPARATOR.join([*folders, filename])}"
    if not folders or _size(key) <= MAX_KEY_BYTES:
        return key
    digest = hashlib.sha256("/".join(folders).encode(errors="surrogateescape")).hexdigest()[:16]
    return _key(race, (), f"{digest}{FOLDER_SEPARATOR}{filename}")


def _size(key: str) -> int:
    return len(key.encode(errors="surrogateescape"))


def require_possible(key: str) -> None:
    """Raise Failed with what is wrong with the file's name where S3 cannot have such a key."""
    try:
        size = len(key.encode())
    except UnicodeEncodeError:
        raise Failed("its name is not UTF-8; rename it") from None
    if size > MAX_KEY_BYTES:
        raise Failed(f"its name is too long for S3 ({MAX_KEY_BYTES:,} bytes with the race's prefix); shorten it")
