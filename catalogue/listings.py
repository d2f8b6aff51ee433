"""docs/adding-a-stage.md: behind each comment that names a file stands that file."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = "docs/adding-a-stage.md"

_LISTING = re.compile(r"<!-- (\S+\.py) -->\n(?:\n```python\n.*?\n```\n)?", re.S)


def pages() -> dict[str, str]:
    """The page."""

    def listing(found: re.Match[str]) -> str:
        return f"<!-- {found[1]} -->\n\n```python\n{(ROOT / found[1]).read_text('utf-8').strip()}\n```\n"

    return {PAGE: _LISTING.sub(listing, (ROOT / PAGE).read_text("utf-8"))}
