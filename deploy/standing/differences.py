"""How what stands differs from what was asked for."""

from __future__ import annotations

import contextlib
import json
from typing import Any


def difference(wanted: Any, found: Any, path: str) -> str | None:
    """How `found` falls short of `wanted`; more than was wanted is fine, as services fill in defaults."""
    if isinstance(wanted, dict):
        found = _from_json(found)
        if isinstance(found, dict):
            differences = (difference(value, found.get(name), f"{path}.{name}") for name, value in wanted.items())
            return next(filter(None, differences), None)
    elif isinstance(wanted, list):
        found = _from_json(found)
        if isinstance(found, list) and len(found) == len(wanted):
            unmatched = [item for item in wanted if all(difference(item, other, path) for other in found)]
            if not unmatched:
                return None
            if len(wanted) == 1:
                return difference(wanted[0], found[0], f"{path}[0]")
    elif _plain(wanted) == _plain(found):
        return None
    elif _from_json(wanted) != wanted:
        return difference(_from_json(wanted), found, path)
    return f"{path} is {_shown(found)} where {_shown(wanted)} was asked."


def _from_json(value: Any) -> Any:
    """Documents travel as JSON in a string or as they are."""
    if isinstance(value, str) and value[:1] in ("{", "["):
        with contextlib.suppress(ValueError):
            return json.loads(value)
    return value


def _plain(value: Any) -> Any:
    """Templates and services spell scalars differently: 30, 30.0 and "30"; true and "true"."""
    if isinstance(value, bool):
        return str(value).lower()
    try:
        return float(value)
    except (TypeError, ValueError):
        return value


def _shown(value: Any) -> str:
    text = json.dumps(value, default=str, ensure_ascii=False)
    return text if len(text) <= 200 else f"{text[:200]}…"


def least_alike(documents: list[Any], asked: Any) -> Any:
    """The first document that is not as asked; else any of them."""
    return next((document for document in documents if difference(asked, document, "")), documents[0])
