"""What is printed into pages that are otherwise written by hand.

In README.md and docs/local-runtime.md what the local runtime does not emulate, and in docs/capacity.md how long races
take, each a table between markers; in docs/adding-a-stage.md behind each comment that names a file that file.
"""

from __future__ import annotations

import re
from pathlib import Path

from bench import capacity
from catalogue.markdown import table
from local.aws.limits import as_markdown

ROOT = Path(__file__).parents[1]

_TABLE = r"(<!-- {0}: begin .*? -->\n).*?(<!-- {0}: end -->\n)"
_LISTING = re.compile(r"<!-- (\S+\.py) -->\n(?:\n```python\n.*?\n```\n)?", re.S)


def pages() -> dict[str, str]:
    """The pages as they should be."""
    listed = _LISTING.sub(_listing, _read("docs/adding-a-stage.md"))
    return {
        **{path: _with("not-emulated", as_markdown(), path) for path in ("README.md", "docs/local-runtime.md")},
        "docs/capacity.md": _with("capacity", _races(), "docs/capacity.md"),
        "docs/adding-a-stage.md": listed,
    }


def _read(path: str) -> str:
    return (ROOT / path).read_text("utf-8")


def _with(name: str, text: str, path: str) -> str:
    """The page with the text between the markers of that name. Raises ValueError where it has none."""
    markers = re.compile(_TABLE.format(name), re.S)
    filled, number = markers.subn(lambda found: found[1] + text + found[2], _read(path))
    if not number:
        raise ValueError(f"{path} has no markers for {name}.")
    return filled


def _races() -> str:
    """How long races take by default quotas, and what to ask for so that they are done in two hours."""
    rows = []
    for region in ("us-east-1", "ap-northeast-2"):
        for photos in (5_000, 30_000, 200_000):
            found = capacity.run(photos, region, 2.0, {})
            asked = found["ask_for"]["rekognition_calls_a_second"]
            wanted = ", ".join(f"{operation} {number}" for operation, number in asked.items()) or "nothing"
            rows.append((f"{photos:,}", region, f"{found['hours']:g} h", found["limited_by"], wanted))
    head = ("Photos", "Region", "Done in", "Limited by", "To be done in 2 hours, ask for calls a second of")
    return table(head, rows)


def _listing(found: re.Match[str]) -> str:
    return f"<!-- {found[1]} -->\n\n```python\n{_read(found[1]).strip()}\n```\n"
