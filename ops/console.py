"""What a person sees: on stderr, so that stdout holds a command's answer alone."""

from __future__ import annotations

from rich.console import Console

console = Console(stderr=True, highlight=False)
answers = Console(highlight=False, soft_wrap=True)
