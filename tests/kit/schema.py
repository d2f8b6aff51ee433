"""Whether a JSON value fits a schema of an OpenAPI document: for the tests of the APIs' answers.

Knows the keywords of JSON Schema that our documents use, and raises KeyError for any other: none is passed over.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

Json = Mapping[str, Any]

_TYPES: dict[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "null": (type(None),),
}


def _is(value: Any, kind: str) -> bool:
    return isinstance(value, _TYPES[kind]) and (kind == "boolean" or not isinstance(value, bool))


_CHECKS: dict[str, Callable[[Any, Any], bool]] = {
    "type": _is,
    "enum": lambda value, given: value in given,
    "minimum": lambda value, least: value >= least,
    "maximum": lambda value, most: value <= most,
    "minLength": lambda value, least: len(value) >= least,
    "maxLength": lambda value, most: len(value) <= most,
    "pattern": lambda value, pattern: re.search(pattern, value) is not None,
    "required": lambda value, names: set(names) <= set(value),
    "minItems": lambda value, least: len(value) >= least,
    "maxItems": lambda value, most: len(value) <= most,
}
_SAY_NOTHING = {"title", "description", "examples", "default"}


def violations(value: Any, schema: Json, document: Json, at: str = "$") -> Iterator[str]:
    """Where the value is not as the schema has it; what the schema does not name, it must not hold."""
    for keyword, given in schema.items():
        match keyword:
            case "$ref":
                yield from violations(value, document["components"]["schemas"][given.rsplit("/", 1)[-1]], document, at)
            case "anyOf":
                if all(any(True for _ in violations(value, each, document, at)) for each in given):
                    yield f"{at}: {value!r} is none of {given}"
            case "properties":
                yield from _of_properties(value, given, document, at)
            case "items" if isinstance(value, list):
                for place, item in enumerate(value):
                    yield from violations(item, given, document, f"{at}[{place}]")
            case "items":
                yield f"{at}: {value!r} is no list"
            case _ if keyword not in _SAY_NOTHING and not _CHECKS[keyword](value, given):
                yield f"{at}: {value!r} against {keyword} {given!r}"


def _of_properties(value: Any, properties: Json, document: Json, at: str) -> Iterator[str]:
    if not isinstance(value, dict):
        yield f"{at}: {value!r} is no object"
        return
    for name, held in value.items():
        if name not in properties:
            yield f"{at}.{name} is not described"
        else:
            yield from violations(held, properties[name], document, f"{at}.{name}")
