"""What docs/privacy.md says of events holds: no pictures, embeddings or names of runners travel in one.

Mutations that were tried: a runner's name, an embedding and a picture's bytes added to FacesIndexed.
"""

from __future__ import annotations

import typing
from collections.abc import Iterator
from typing import Any

import msgspec

from shared.contracts.events import EVENTS, Meta

# Every text that an event can carry, by the name of its field. Think of docs/privacy.md before a name is added here.
TEXTS = {
    "ids, keys and digests": {
        "organizer_id", "event_id", "photo_id", "other_photo_id", "face_id", "bucket", "key", "keys", "sha256",
        "content_sha256", "revision", "id", "correlation_id", "causation_id", "replay", "roster_revision",
    },
    "the race's own settings": {"name", "date", "timezone", "prefixes", "excluded", "formats"},
    "what is printed on a bib": {"bib", "text", "pattern"},
    "why something was rejected": {"reason", "message"},
    "kinds": {"kind", "status", "guess", "why"},
    "times": {"uploaded_at", "taken_at", "occurred_at"},
    "about the picture": {"camera", "photographer", "placeholder"},
}  # fmt: skip


def fields(kind: Any) -> Iterator[tuple[str, Any]]:
    """The fields of a struct and of the structs in it, each with its type as it is written."""
    for name, hint in typing.get_type_hints(kind).items():
        if typing.get_origin(hint) is typing.ClassVar:
            continue
        inner = list(structs(hint))
        if not inner:
            yield name, hint
        for each in inner:
            yield from fields(each)


def structs(hint: Any) -> Iterator[Any]:
    """The structs in a type, as `tuple[Partial, ...] | UnsetType` has one."""
    if hasattr(hint, "__struct_fields__"):
        yield hint
    for argument in typing.get_args(hint):
        yield from structs(argument)


def plain(hint: Any) -> set[type]:
    """The types of the values in a field: of `tuple[str, ...]` and of `Literal["a"] | None` that is str."""
    if typing.get_origin(hint) is typing.Literal:
        return {type(value) for value in typing.get_args(hint)}
    arguments = [each for each in typing.get_args(hint) if each not in (type(None), msgspec.UnsetType, ...)]
    return set().union(*map(plain, arguments)) if arguments else {hint}


ALL = [field for kind in (*EVENTS, Meta) for field in fields(kind)]


def test_no_text_travels_but_those_that_the_page_tells() -> None:
    assert {name for name, hint in ALL if str in plain(hint)} == set().union(*TEXTS.values())


def test_besides_only_single_numbers_and_yes_or_no_travel() -> None:
    assert set().union(*(plain(hint) for _, hint in ALL)) == {str, int, float, bool}
    rows = {name for name, hint in ALL if typing.get_origin(hint) in (tuple, list, dict) and str not in plain(hint)}
    assert rows == set(), "an embedding is a row of numbers"
