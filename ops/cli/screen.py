"""What a person sees: on stderr, so that stdout holds a command's answer alone."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from ops.mend.progress import Advance

console = Console(stderr=True, highlight=False)
answers = Console(highlight=False, soft_wrap=True)


def progress_bars() -> Progress:
    """Bars on stderr, of which a pipe sees nothing but the end."""
    return Progress(
        SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
        console=console, transient=False,
    )  # fmt: skip


@contextmanager
def bar(title: str, total: int | None) -> Iterator[Advance]:
    """A bar; what is given moves it."""
    with progress_bars() as bars:
        task = bars.add_task(title, total=total)

        def advance(done: int, of: int | None = None) -> None:
            bars.update(task, completed=done, total=of)

        yield advance
