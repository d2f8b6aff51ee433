"""docs/reasons.md: why an upload is rejected, and what to do about it."""

from __future__ import annotations

from itertools import groupby

from catalogue.markdown import code, table
from shared.contracts.reasons import REASONS

HEAD = """# Why an upload is rejected

Made from `shared/contracts/reasons.py` by `python -m catalogue`; a test keeps it true.

A rejection (`PhotoRejected`, `RaceRejected`, `RosterRejected`, see [events.md](events.md)) has its reason as a code and
a sentence about that very file. These are all the codes.
"""


def pages() -> dict[str, str]:
    """The page."""
    parts = [HEAD]
    for stage, reasons in groupby(REASONS.items(), key=lambda item: item[1].stage):
        rows = [(code(reason), about.meaning, about.remedy) for reason, about in reasons]
        parts.append(f"## Said by {stage}\n\n{table(('reason', 'what it means', 'what to do'), rows)}")
    return {"docs/reasons.md": "\n".join(parts)}
