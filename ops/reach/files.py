"""Files that a command names."""

from __future__ import annotations

from pathlib import Path

from ops.reach.errors import Failed


def read_file(path: Path) -> bytes:
    """A file's bytes. Raises Failed with a sentence."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise Failed(f"There is no file {path}.") from None
    except IsADirectoryError:
        raise Failed(f"{path} is a folder, not a file.") from None
    except OSError as error:
        raise Failed(f"{path} cannot be read: {error.strerror}.") from None
