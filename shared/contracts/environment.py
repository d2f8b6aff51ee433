"""What a stack tells a function of its surroundings, and under which variables: written and read from one place."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

DEAD_LETTERS = "DEAD_LETTER_QUEUE_URL"
"""The variable of `dead_letter_queue_url`."""


class Environment(msgspec.Struct, frozen=True, kw_only=True, rename="upper"):
    """A function's surroundings. The names of table and stream and the queues' URLs are "" where it has none."""

    snaprace_env: str
    bus_name: str
    photo_bucket: str
    derived_bucket: str
    table_name: str = ""
    stream_name: str = ""
    queue_url: str = ""
    dead_letter_queue_url: str = ""

    def variables(self) -> dict[str, str]:
        """As environment variables; those that are "" are left out."""
        told: dict[str, str] = msgspec.to_builtins(self)
        return {name: value for name, value in told.items() if value}

    @classmethod
    def of(cls, variables: Mapping[str, str]) -> Environment:
        """Read it. Raises msgspec.ValidationError with the name of a variable that is missing."""
        return msgspec.convert(dict(variables), cls)
