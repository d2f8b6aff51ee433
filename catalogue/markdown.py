"""Markdown as the generated documents have it."""

from __future__ import annotations

import inspect
import re
import typing
from collections.abc import Iterable, Sequence
from typing import Any


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; a '|' in a cell is escaped."""
    escaped = ([cell.replace("|", "\\|") for cell in row] for row in rows)
    lines = [_line(head), "|" + "---|" * len(head), *map(_line, escaped)]
    return "".join(f"{line}\n" for line in lines)


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def code(text: str) -> str:
    """Text as it is typed."""
    return f"`{text}`"


def type_name(hint: Any) -> str:
    """A type as it is written, without the modules that its names come from."""
    text = hint.__name__ if inspect.isclass(hint) and not typing.get_args(hint) else str(hint)
    return re.sub(r"\b(?:\w+\.)+(?=\w)", "", text).replace("NoneType", "None")


def in_one_line(about: object) -> str:
    """An object's docstring without its line breaks."""
    return " ".join((inspect.getdoc(about) or "").split())
