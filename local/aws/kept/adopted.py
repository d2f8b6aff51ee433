"""Resources of ministack that are given what was kept of them when they are made, and are forgotten when deleted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Adopt = Callable[[Any, Any], Any]
"""Takes the key and the record of a new resource, and returns the record to use."""
Forget = Callable[[Any], None]
"""Takes the record of a resource that is deleted."""


class Adopting(dict[Any, Any]):
    """A dictionary of resources' records."""

    def __init__(self, adopt: Adopt, forget: Forget) -> None:
        super().__init__()
        self._adopt = adopt
        self._forget = forget

    def __setitem__(self, key: Any, record: Any) -> None:
        super().__setitem__(key, record if self.get(key) is record else self._adopt(key, record))

    def setdefault(self, key: Any, default: Any = None) -> Any:
        """The record, the given one if there is none."""
        if key not in self:
            self[key] = default
        return self[key]

    def __delitem__(self, key: Any) -> None:
        self.pop(key)

    def pop(self, key: Any, *default: Any) -> Any:
        """Delete a resource and return its record."""
        if key in self:
            self._forget(self[key])
        return super().pop(key, *default)


class Holding(dict[str, Any]):
    """A record with one list that notes its changes; ministack now and then puts another list in its place.

    The list's `replaced_by` notes what is different, and returns the list to use.
    """

    def __init__(self, record: dict[str, Any], name: str) -> None:
        super().__init__(record)
        self._name = name

    def __setitem__(self, name: str, value: Any) -> None:
        super().__setitem__(name, self[name].replaced_by(value) if name == self._name else value)


def adopt_in(store: Any, adopt: Adopt, forget: Forget) -> None:
    """Let a store of ministack (an AccountScopedDict or AccountRegionScopedDict, still empty) adopt new records."""
    store._data = Adopting(adopt, forget)
