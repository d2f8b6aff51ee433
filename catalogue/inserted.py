"""What is printed into pages that are otherwise written by hand.

In README.md and docs/local-runtime.md what the local runtime does not emulate, a table between markers; in
docs/adding-a-stage.md behind each comment that names a file that file.
"""

from __future__ import annotations

import re
from pathlib import Path

from local.aws.limits import as_markdown

ROOT = Path(__file__).parents[1]

_LIMITS = re.compile(r"(<!-- not-emulated: begin .*? -->\n).*?(<!-- not-emulated: end -->\n)", re.S)
_LISTING = re.compile(r"<!-- (\S+\.py) -->\n(?:\n```python\n.*?\n```\n)?", re.S)


def pages() -> dict[str, str]:
    """The pages as they should be."""
    listed = _LISTING.sub(_listing, _read("docs/adding-a-stage.md"))
    return {
        **{path: _with_limits(path) for path in ("README.md", "docs/local-runtime.md")},
        "docs/adding-a-stage.md": listed,
    }


def _read(path: str) -> str:
    return (ROOT / path).read_text("utf-8")


def _with_limits(path: str) -> str:
    """The page with the table between its markers. Raises ValueError where it has none."""
    filled, number = _LIMITS.subn(lambda found: found[1] + as_markdown() + found[2], _read(path))
    if not number:
        raise ValueError(f"{path} has no markers for what is not emulated.")
    return filled


def _listing(found: re.Match[str]) -> str:
    return f"<!-- {found[1]} -->\n\n```python\n{_read(found[1]).strip()}\n```\n"
