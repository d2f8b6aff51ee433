"""From a request to what a route's method is given, field by field as the route declares them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from shared.contracts.api import Argument, Refusal, Route, Source
from shared.kit.api.request import Request


def arguments(route: Route, request: Request) -> msgspec.Struct | Refusal:
    """What the method is given; or how the request is refused, by the first argument that is wrong."""
    body = request.json(route.body_limit) if route.has_body else {}
    if isinstance(body, Refusal):
        return body
    parts: Mapping[Source, Mapping[str, Any]] = {
        "path": request.path,
        "query": request.query,
        "body": body,
        "header": request.headers,
    }
    values = {}
    for argument in route.arguments:
        is_address = argument.source == "address"
        value = _read(argument, request.address if is_address else parts[argument.source].get(argument.key))
        if isinstance(value, Refusal):
            return value
        values[argument.name] = value
    return route.takes(**values)


_WRITTEN_AS_IN_JSON = (int, float, bool)


def _from_text(argument: Argument, text: str) -> Any:
    """What a path, a query or a header means, which are text. Raises msgspec.DecodeError.

    Numbers and yes or no are written as in JSON. msgspec's own reading of text (`strict=False`) would also take "5.0"
    and "1e1" for whole numbers, and "nan" and "TRUE".
    """
    if argument.plain not in _WRITTEN_AS_IN_JSON:
        return text
    if text != text.strip():  # JSON allows spaces around a value
        raise msgspec.DecodeError("spaces")
    return msgspec.json.decode(text)


def _read(argument: Argument, sent: Any) -> Any:
    """The value, or a refusal."""
    if sent is None or sent == "":
        return argument.missing if argument.required else argument.default
    try:
        plain = msgspec.convert(sent if argument.source == "body" else _from_text(argument, sent), argument.plain)
    except (msgspec.ValidationError, msgspec.DecodeError):
        return argument.mistyped
    try:
        value = msgspec.convert(plain, argument.sent)
    except msgspec.ValidationError:
        return argument.otherwise
    if argument.reads is not None:
        value = argument.reads(value)
    return argument.otherwise if value is None else value
