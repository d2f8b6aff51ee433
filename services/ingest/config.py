"""The environment of the ingest function, typed."""

from __future__ import annotations

import os
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Config:
    """What the stack tells the function."""

    table: str
    bus: str
    derived_bucket: str
    queue_url: str

    @classmethod
    def from_environment(cls) -> Config:
        """Read it; a missing variable raises KeyError with its name."""
        return cls(
            table=os.environ["TABLE_NAME"],
            bus=os.environ["BUS_NAME"],
            derived_bucket=os.environ["DERIVED_BUCKET"],
            queue_url=os.environ["QUEUE_URL"],
        )
