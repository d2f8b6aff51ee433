"""docs/reasons.md: the reasons for which uploads are rejected."""

from __future__ import annotations

from itertools import groupby

from shared.contracts.reasons import REASONS

HEAD = """# Why an upload is rejected

Made from `shared/contracts/reasons.py` by `python -m catalogue`; a test keeps it true.

A rejection (`PhotoRejected`, `RaceRejected`, `RosterRejected`, see [events.md](events.md)) has its reason as a code and
a sentence about that very file. These are all the codes.
"""


def pages() -> dict[str, str]:
    """The page."""
    lines = [HEAD]
    for stage, reasons in groupby(REASONS.items(), key=lambda item: item[1].stage):
        lines += [f"## Said by {stage}", "", "| reason | what it means | what to do |", "|---|---|---|"]
        lines += [f"| `{code}` | {about.meaning} | {about.remedy} |" for code, about in reasons]
        lines.append("")
    return {"docs/reasons.md": "\n".join(lines)}
