"""What no alarm watches, by its name after the environment's prefix, and why not."""

from __future__ import annotations

UNWATCHED = {
    "replay": "A queue and its rules, in use only while `snaprace replay` collects: the command counts, and tells.",
    "AccessLogs": "A bucket that S3 itself writes to; whoever reads it, sees when something is missing.",
}
