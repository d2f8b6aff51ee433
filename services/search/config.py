"""The stage's environment, typed. Read on the first invocation, never at import."""

from __future__ import annotations

import os
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Config:
    """Where the gallery is kept, and where the pictures are that it links to."""

    table: str
    derived_bucket: str

    @classmethod
    def from_environment(cls) -> Config:
        """Raises KeyError naming the variable that is missing."""
        return cls(table=os.environ["TABLE_NAME"], derived_bucket=os.environ["DERIVED_BUCKET"])
