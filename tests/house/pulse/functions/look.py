"""The look function."""

from __future__ import annotations

from datetime import datetime

from services.pulse.stage import STAGE
from shared.kit import worker

handler = worker.by_the_clock(STAGE, "look", lambda _here: lambda time: datetime.fromisoformat(time).timestamp())
