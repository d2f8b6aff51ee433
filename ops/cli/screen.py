"""What a person sees: on stderr, so that stdout holds a command's answer alone."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

console = Console(stderr=True, highlight=False)
answers = Console(highlight=False, soft_wrap=True)


def facts(title: str, *sections: Iterable[tuple[str, str]], min_width: int | None = None) -> Table:
    """Numbers and what they count, in sections."""
    table = Table(title=title, title_justify="left", show_header=False, min_width=min_width)
    table.add_column(style="bold", justify="right")
    table.add_column()
    for rows in sections:
        for row in rows:
            table.add_row(*row)
        table.add_section()
    return table


class Bars(Progress):
    """Bars on stderr, of which a pipe sees nothing but the end."""

    def __init__(self) -> None:
        columns = SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn()
        super().__init__(*columns, TimeElapsedColumn(), console=console)


class Bar(Bars):
    """One bar, shown in a `with` block; `done` is how far it is."""

    def __init__(self, title: str, total: int | None = None) -> None:
        super().__init__()
        self.done = self._most = 0
        self._task = self.add_task(title, total=total)

    def move(self, done: int, total: int | None = None) -> None:
        """Show how much is done, and of how much where that has changed."""
        self.done = done
        self.update(self._task, completed=done, total=total)

    def leave(self, left: int) -> None:
        """Show how much is left, of the most that there was."""
        self._most = max(self._most, left)
        self.move(self._most - left, self._most)
