"""A DynamoDB table in memory, for what needs thousands of runs, and workers that take turns at every call.

`MemoryTable` stands in for `shared.kit.table.Table`; tests/unit/test_table.py runs the same story on it and on
moto. It evaluates the few forms of conditions that we write, and refuses all others.
"""

from __future__ import annotations

import bisect
import random
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import msgspec
from greenlet import getcurrent, greenlet

from shared.contracts.records import Addition
from shared.kit.table import Condition, Item, Key, Table


class MemoryTable(Table):
    """Like Table, on a dict. `step` is called before each request, with the request's name."""

    def __init__(self, name: str, step: Callable[[str], None] = lambda _: None) -> None:
        self.name = name
        self.items: dict[Key, Item] = {}
        self._sorted: dict[str, list[str]] = {}
        self._step = step

    def get(self, pk: str, sk: str) -> Item | None:
        self._step("GetItem")
        return _copy(self.items.get((pk, sk)))

    def put(self, item: Item, condition: Condition | None = None) -> bool:
        self._step("PutItem")
        if not self._holds(item, condition):
            return False
        self._put(item)
        return True

    def delete(self, pk: str, sk: str, condition: Condition | None = None) -> bool:
        self._step("DeleteItem")
        if not self._holds({"PK": pk, "SK": sk}, condition):
            return False
        self._delete(pk, sk)
        return True

    def query(self, pk: str, prefix: str = "", *, after: str | None = None, only: Sequence[str] = ()) -> Iterator[Item]:
        self._step("Query")
        found = [sk for sk in self._sorted.get(pk, []) if sk.startswith(prefix) and (after is None or sk > after)]
        return iter([self._sent((pk, sk), only) for sk in found])

    def between(self, pk: str, low: str, high: str, *, descending: bool = False, page: int = 100) -> Iterator[Item]:
        self._step("Query")
        found = [sk for sk in self._sorted.get(pk, []) if low <= sk <= high]
        return iter([self._sent((pk, sk)) for sk in (reversed(found) if descending else found)])

    def batch_get(self, keys: Iterable[Key], *, only: Sequence[str] = ()) -> list[Item]:
        self._step("BatchGetItem")
        return [self._sent(key, only) for key in dict.fromkeys(keys) if key in self.items]

    def put_all(self, items: Iterable[Item]) -> None:
        for item in items:
            self._step("BatchWriteItem")  # item by item: a batch is no transaction
            self._put(item)

    def delete_all(self, keys: Iterable[Key]) -> None:
        for pk, sk in keys:
            self._step("BatchWriteItem")
            self._delete(pk, sk)

    def write_guarded(
        self, puts: Sequence[tuple[Item, Condition]], deletes: Sequence[Key] = (), additions: Sequence[Addition] = ()
    ) -> bool:
        self._step("TransactWriteItems")
        actions = [*((item["PK"], item["SK"]) for item, _ in puts), *deletes, *(each.key for each in additions)]
        assert len(set(actions)) == len(actions) <= 100
        if not all(self._holds(item, condition) for item, condition in puts):
            return False
        for item, _ in puts:
            self._put(item)
        for pk, sk in deletes:
            self._delete(pk, sk)
        for each in additions:
            (pk, sk), item = each.key, self.items.get(each.key, {})
            counted = {name: item.get(name, 0) + number for name, number in each.numbers.items()}
            self._put({"PK": pk, "SK": sk, **item, **each.fields, **counted})
        return True

    def _sent(self, key: Key, only: Sequence[str] = ()) -> Item:
        item = self.items[key]
        return _copy({name: item[name] for name in only if name in item} if only else item)

    def _put(self, item: Item) -> None:
        key = (item["PK"], item["SK"])
        if key not in self.items:
            bisect.insort(self._sorted.setdefault(key[0], []), key[1])
        self.items[key] = {
            name: value
            for name, value in msgspec.to_builtins(item, builtin_types=(bytes,)).items()
            if value is not None
        }

    def _delete(self, pk: str, sk: str) -> None:
        if self.items.pop((pk, sk), None) is not None:
            self._sorted[pk].remove(sk)

    def _holds(self, item: Item, condition: Condition | None) -> bool:
        if condition is None or not condition.expression:
            return True
        held = self.items.get((item["PK"], item["SK"]), {})
        return all(_term(term, condition, held) for term in condition.expression.split(" AND "))


def _copy(item: Any) -> Any:
    """A deep copy of an item, or of none; items are builtins already, of which msgspec makes new ones ten times faster
    than copy.deepcopy.
    """
    return msgspec.to_builtins(item, builtin_types=(bytes,))


def _term(term: str, condition: Condition, held: Item) -> bool:
    if match := re.fullmatch(r"attribute_(not_)?exists\((\S+)\)", term):
        return (condition.names.get(match[2], match[2]) in held) != bool(match[1])
    if match := re.fullmatch(r"(\S+) = (:\w+)", term):
        name = condition.names.get(match[1], match[1])
        return name in held and held[name] == msgspec.to_builtins(condition.values[match[2]])
    raise NotImplementedError(f"MemoryTable does not know the condition '{term}'.")


class Crash(BaseException):
    """The process dies here: nothing may catch it."""


class Workers:
    """Invocations that run at once: at each `step` one of them gives way, and chance says who goes on.

    With `deaths`, that share of the steps kills the invocation, before or after the call that the step announces.
    """

    def __init__(self, chance: random.Random, deaths: float = 0.0) -> None:
        self._chance = chance
        self._deaths = deaths
        self.running: list[greenlet] = []

    def step(self, call: str) -> None:
        """Give way; called from within an invocation before each of its calls."""
        me = getcurrent()
        if me.parent is not None:
            me.parent.switch(call)
            if self._chance.random() < self._deaths:
                raise Crash

    def begin(self, work: Callable[[], None]) -> greenlet:
        """Start an invocation; it runs until its first call."""
        worker = greenlet(work)
        self.running.append(worker)
        self._go_on(worker)
        return worker

    def go_on(self) -> None:
        """Let one of the running go on to its next call."""
        self._go_on(self._chance.choice(self.running))

    def finish(self, worker: greenlet) -> None:
        """Let a running one go on to its end."""
        while not worker.dead:
            self._go_on(worker)

    def kill_after_a_call(self, worker: greenlet) -> None:
        """Let a running one make the call that it is about to make, and die."""
        if not worker.dead:
            self._go_on(worker)
        if not worker.dead:
            worker.throw(Crash)
            self.running.remove(worker)

    def until(self, worker: greenlet, call: str) -> None:
        """Let a running one go on until it is about to make this call; to its end when it never does."""
        while not worker.dead and self._go_on(worker) != call:
            pass

    def _go_on(self, worker: greenlet) -> object:
        call = worker.switch()
        if worker.dead:
            self.running.remove(worker)
        return call
