"""Many things in as few requests as their limits allow. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")


def parts(items: Iterable[T], *limits: tuple[Callable[[T], int], int]) -> Iterator[list[T]]:
    """The items in order, as many together as stay within every limit; one that is beyond a limit stands alone.

    A limit is what an item counts (entries, bytes), and the most that may be together.
    """
    together: list[T] = []
    used = [0] * len(limits)
    for item in items:
        weights = [count(item) for count, _ in limits]
        if together and any(u + w > most for u, w, (_, most) in zip(used, weights, limits, strict=True)):
            yield together
            together, used = [], [0] * len(limits)
        together.append(item)
        used = [u + w for u, w in zip(used, weights, strict=True)]
    if together:
        yield together


def one_each(_item: object) -> int:
    """Counts items."""
    return 1
