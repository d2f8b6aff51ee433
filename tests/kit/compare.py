"""States of a race compared: without what only remembers the way there, and with the place where they differ."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import Any

from services.faces.records import HiddenPhoto, Rounds
from services.insight.records import FlowCounts
from shared.contracts.records import COUNT

# What remembers the way a table came to be as it is: how often something changed, when it was planned, and which of two
# sure faces knows of the other, of which nothing is made (see services/faces/domain/).
WAYS = {
    "revision", "photo_revision", "ingest_revision", "match_revision", "withdrawn_revision", "bibs_revision",
    "faces_revision", "generation", "former", "version", "matches", "token",
}  # fmt: skip
PLANS = (HiddenPhoto.prefix(), Rounds.prefix())  # photos that were searched in earlier rounds, and when these began

# What a photo of the insight stage has heard last. What follows from it is counted, and compared there.
HEARD = {"ingested", "withdrawn", "read", "indexed", "matched", "matched_of", "complete"}
SHARDS = FlowCounts.prefix()  # each has a part of the race's counts


def settled(items: dict[str, Any]) -> dict[str, Any]:
    """Items without the ways there; a photo that is withdrawn is as good as none, and so is a count of zero."""
    told = {
        key: _without_ways(_without_heard(item))
        for key, item in items.items()
        if not _is_tombstone(item) and not item["SK"].startswith(PLANS)
    }
    return _with_counts_in_one(told)


def _with_counts_in_one(items: dict[str, Any]) -> dict[str, Any]:
    """The items, with one for all shards of a race's counts."""
    found, counts, named = {}, defaultdict[str, Counter[str]](Counter), dict[str, dict[str, Any]]()
    for key, item in items.items():
        numbers = {name: number for name, number in item.items() if name.startswith(COUNT)}
        if not numbers:
            found[key] = item
            continue
        if item["SK"].startswith(SHARDS):
            key, item = f"{item['PK']} {SHARDS}", {"PK": item["PK"], "SK": SHARDS}
        counts[key].update(numbers)
        named[key] = {name: value for name, value in item.items() if name not in numbers}
    for key, numbers in counts.items():
        if told := {name: number for name, number in numbers.items() if number}:
            found[key] = named[key] | told
    return found


def _is_of_insight(item: dict[str, Any]) -> bool:
    """Whether it is a photo of the insight stage."""
    return "told_keys" in item


def _without_heard(item: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in item.items() if name not in HEARD} if _is_of_insight(item) else item


def _is_tombstone(item: dict[str, Any]) -> bool:
    if _is_of_insight(item):
        return bool(item["withdrawn"] > item["ingested"])
    return item.get("withdrawn") is not None or item.get("copies") == [] or item.get("searchable") is False


def _without_ways(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_ways(inner) for name, inner in value.items() if name not in WAYS}
    if isinstance(value, list):
        return [_without_ways(inner) for inner in value]
    return value


def assert_same(one: Any, other: Any, when: str = "") -> None:
    """Both are equal; else each line of the failure names stage, item and attribute: "search PHOTO#1: keys: … != …".

    They are dicts of tables, as `World.tables()` has them, or whole states, as `World.state()` has them.
    """
    found = [] if one == other else list(differences(one, other))
    assert not found, "\n".join([f"{len(found)} differences{when and f' ({when})'}", *found[:MOST]])


MOST = 25  # differences shown

_NOTHING = object()


def differences(one: Any, other: Any, *path: str) -> Iterator[str]:
    """Where two states differ, a line each."""
    if isinstance(one, dict) and isinstance(other, dict):
        for key in sorted(one.keys() | other.keys(), key=str):
            yield from differences(one.get(key, _NOTHING), other.get(key, _NOTHING), *path, _name(key))
    elif isinstance(one, list | tuple) and isinstance(other, list | tuple) and len(one) == len(other):
        for number, (left, right) in enumerate(zip(one, other, strict=True)):
            yield from differences(left, right, *path, str(number))
    elif one != other:
        yield f"{_place(path)}: {_shown(one)} != {_shown(other)}"


def _name(key: Any) -> str:
    """A key of a dict; partition and sort key of an item may stand there as a pair."""
    return " ".join(key) if isinstance(key, tuple) else str(key)


def _place(path: tuple[str, ...]) -> str:
    """Stage and sort key, then what is in the item."""
    stage, *within = path[1:] if path[:1] == ("tables",) else path or ("all",)
    if not within:
        return stage
    item, *attributes = within
    return ": ".join([f"{stage} {_sort_key(item)}", *attributes])


def _sort_key(key: str) -> str:
    """Without the partition, which has no spaces, where the key names it: "ORG#o#EVT#e PHOTO#1"."""
    return key.partition(" ")[2] if key.startswith("ORG#") else key


def _shown(value: Any) -> str:
    text = "nothing" if value is _NOTHING else repr(value)
    return text if len(text) <= 200 else f"{text[:200]}…"
