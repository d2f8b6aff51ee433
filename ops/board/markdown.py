"""Markdown as HTML, for a page that runs no scripts but its own: HTML within it is shown, not meant."""

from __future__ import annotations

from pathlib import Path

from markdown_it import MarkdownIt

from local.runtime import CHECKOUT

DOCS = CHECKOUT / "docs"

_MARKDOWN = MarkdownIt("commonmark", {"html": False}).enable("table")


def as_html(text: str) -> str:
    """The text's HTML."""
    return str(_MARKDOWN.render(text))


def document(path: str) -> str | None:
    """A document of docs/ as HTML by its path there, as runbooks/queue-age.md; None where there is none."""
    file: Path = (DOCS / path).resolve()
    if not file.is_relative_to(DOCS.resolve()) or file.suffix != ".md" or not file.is_file():
        return None
    return as_html(file.read_text(encoding="utf-8"))
