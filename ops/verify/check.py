"""One check of a deployment, and what comes of many."""

from __future__ import annotations

import msgspec


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """What was seen of something, and what was expected; `advice` says what to do, mostly a command.

    `name` is the subject's, or of one thing in it ("rules: snaprace-dev-ocr-…"). Advice of what is ok is a notice.
    """

    name: str
    ok: bool
    seen: str
    expected: str = ""
    advice: str = ""


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """All checks; `ok` is whether every one of them is."""

    ok: bool
    checks: tuple[Check, ...]

    @classmethod
    def of(cls, checks: tuple[Check, ...]) -> Verdict:
        """The verdict on these."""
        return cls(ok=all(check.ok for check in checks), checks=checks)
