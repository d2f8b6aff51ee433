"""How what stands differs from what was asked for."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Iterator
from typing import Any, NamedTuple


class Differs(NamedTuple):
    """At `path` of a property (as "Environment.Variables.BUS_NAME") there is `found` where `wanted` was asked."""

    path: str
    wanted: Any
    found: Any

    def __str__(self) -> str:
        return f"{self.path} is {shown(self.found)} where {shown(self.wanted)} was asked."


def difference(wanted: Any, found: Any, path: str, *, exact: bool = False) -> Differs | None:
    """How `found` falls short of `wanted`; None where it does not.

    More than was wanted is fine, as services fill in defaults, unless `exact` says otherwise: a field more narrows an
    event pattern, and widens what is allowed.
    """
    if isinstance(wanted, dict):
        found = _from_json(found)
        if isinstance(found, dict):
            return next(_of_fields(wanted, found, path, exact=exact), None)
    elif isinstance(wanted, list):
        found = _from_json(found)
        if isinstance(found, list) and len(found) == len(wanted):
            unmatched = [item for item in wanted if all(difference(item, other, path, exact=exact) for other in found)]
            if not unmatched:
                return None
            if len(wanted) == 1:
                return difference(wanted[0], found[0], f"{path}[0]", exact=exact)
    elif _plain(wanted) == _plain(found) or wanted == _as_cloudformation_tells(found):
        return None
    elif _from_json(wanted) != wanted:
        return difference(_from_json(wanted), found, path, exact=exact)
    return Differs(path, wanted, found)


def _of_fields(wanted: dict[str, Any], found: dict[str, Any], path: str, *, exact: bool) -> Iterator[Differs]:
    for name, value in wanted.items():
        if differs := difference(value, found.get(name), f"{path}.{name}", exact=exact):
            yield differs
    if exact:
        for name in found.keys() - wanted.keys():
            yield Differs(f"{path}.{name}", None, found[name])


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


def _as_cloudformation_tells(value: Any) -> Any:
    """The text as it is in a template that CloudFormation gives back: with ? for all that is not ASCII.

    Source: aws-cdk's toolkit, which compares such templates, too (mangleLikeCloudFormation).
    """
    return re.sub(r"[^\x00-\x7f]", "?", value) if isinstance(value, str) else value


def shown(value: Any) -> str:
    """The value as JSON, of which the beginning is enough."""
    text = json.dumps(value, default=str, ensure_ascii=False)
    return text if len(text) <= 200 else f"{text[:200]}…"


def least_alike(documents: list[Any], asked: Any) -> Any:
    """The first document that is not as asked; else any of them."""
    return next((document for document in documents if difference(asked, document, "", exact=True)), documents[0])
