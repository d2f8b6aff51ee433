"""The stage's environment, typed. Read on the first invocation, never at import."""

from __future__ import annotations

import os
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Config:
    """The environment's name, where the gallery is kept, and where the pictures are that it links to."""

    env: str
    table: str
    derived_bucket: str

    @classmethod
    def from_environment(cls) -> Config:
        """Raises KeyError naming the variable that is missing."""
        return cls(
            env=os.environ["SNAPRACE_ENV"],
            table=os.environ["TABLE_NAME"],
            derived_bucket=os.environ["DERIVED_BUCKET"],
        )
