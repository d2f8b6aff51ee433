"""What the local runtime does not emulate: the table between the markers in README.md and docs/local-runtime.md."""

from __future__ import annotations

from pathlib import Path

from local.aws.limits import as_markdown

ROOT = Path(__file__).parents[1]
BEGIN, END = "<!-- not-emulated: begin (python -m catalogue writes it) -->\n", "<!-- not-emulated: end -->\n"


def pages() -> dict[str, str]:
    """The two pages with the table as it should be; the rest of them is written by hand."""
    return {path: _filled((ROOT / path).read_text("utf-8")) for path in ("README.md", "docs/local-runtime.md")}


def _filled(page: str) -> str:
    """The page with the table between its markers. Raises ValueError where it has none."""
    begin, end = page.index(BEGIN) + len(BEGIN), page.index(END)
    return page[:begin] + as_markdown() + page[end:]
