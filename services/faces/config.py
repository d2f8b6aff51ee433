"""The environment of the faces functions, typed."""

from __future__ import annotations

import os
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Config:
    """What the stack tells both functions."""

    env: str
    table: str
    bus: str
    queue_url: str

    @classmethod
    def from_environment(cls) -> Config:
        """Read it; a missing variable raises KeyError with its name."""
        return cls(
            env=os.environ["SNAPRACE_ENV"],
            table=os.environ["TABLE_NAME"],
            bus=os.environ["BUS_NAME"],
            queue_url=os.environ["QUEUE_URL"],
        )
