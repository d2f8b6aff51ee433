"""What is on the wire: AWS's JSON 1.1 protocol, as botocore's own model of Rekognition describes it.

A request names its operation in the header `X-Amz-Target`, and its input is a JSON object in the body in which
blobs are base64 and timestamps are seconds since 1970.
"""

from __future__ import annotations

import base64
import binascii
import json
import math
import re
import uuid
from collections.abc import Callable
from functools import cache
from typing import Any

import botocore.session
from botocore.model import OperationModel, ServiceModel, Shape

from vision.errors import ImageTooLargeException, SerializationException, ServiceError, UnknownOperationException
from vision.errors import ValidationException as Invalid

CONTENT_TYPE = "application/x-amz-json-1.1"
TARGET_PREFIX = "RekognitionService."
EXTENSION = "SnapRace"
"""The field at the top of an answer that says what Rekognition does not; its clients ignore it (docs/vision.md)."""

Json = dict[str, Any]


@cache
def service() -> ServiceModel:
    """Botocore's model of Rekognition."""
    return botocore.session.get_session().get_service_model("rekognition")


def operation_named(target: str | None) -> str:
    """The operation that the header names. Raises UnknownOperationException."""
    name = (target or "").removeprefix(TARGET_PREFIX)
    if not target or name == target or name not in service().operation_names:
        raise UnknownOperationException(f"The X-Amz-Target {target!r} names no operation of Rekognition.")
    return name


def read(operation: str, body: bytes) -> Json:
    """The input in `body`, checked against every constraint of the model. Raises ServiceError."""
    try:
        given = json.loads(body or b"{}")
    except (ValueError, RecursionError) as error:
        raise SerializationException("The body is not JSON.") from error
    model: OperationModel = service().operation_model(operation)
    if model.input_shape is None:
        return {}
    checked: Json = _read(model.input_shape, given, "")
    return checked


def answer(output: Json) -> bytes:
    """The body of an answer; fields that are None are left out."""
    return json.dumps(_plain(output), ensure_ascii=False, separators=(",", ":")).encode()


def refusal(error: ServiceError) -> bytes:
    """The body of an error."""
    # In ASCII: a message may quote half of a surrogate pair, which has no form in UTF-8.
    return json.dumps({"__type": error.code, "Code": error.code, "Message": str(error)}).encode()


def request_id() -> str:
    """A new x-amzn-RequestId."""
    return str(uuid.uuid4())


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(inner) for name, inner in value.items() if inner is not None}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    return value


def _read(shape: Shape, value: Any, path: str) -> Any:
    return _READERS[shape.type_name](shape, value, path)


def _structure(shape: Any, value: Any, path: str) -> Json:
    _require(isinstance(value, dict), path or "The body", "an object")
    given = {name: inner for name, inner in value.items() if inner is not None and name in shape.members}
    for name in shape.required_members:
        if name not in given:
            raise _violation(_join(path, name), None, "Member must not be null")
    return {name: _read(shape.members[name], inner, _join(path, name)) for name, inner in given.items()}


def _list(shape: Any, value: Any, path: str) -> list[Any]:
    _require(isinstance(value, list), path, "a list")
    _check_bounds(shape, "length", len(value), path, value)
    return [_read(shape.member, inner, f"{path}.{number}.member") for number, inner in enumerate(value, start=1)]


def _map(shape: Any, value: Any, path: str) -> Json:
    _require(isinstance(value, dict), path, "an object")
    _check_bounds(shape, "length", len(value), path, value)
    return {
        _read(shape.key, key, f"{path}.key"): _read(shape.value, inner, f"{path}.{key}.member")
        for key, inner in value.items()
    }


def _string(shape: Any, value: Any, path: str) -> Any:
    _require(isinstance(value, str), path, "a string")
    _check_bounds(shape, "length", len(value), path, value)
    pattern = shape.metadata.get("pattern")
    if pattern and not _compiled(pattern).fullmatch(value):
        raise _violation(path, value, f"Member must satisfy regular expression pattern: {pattern}")
    allowed = shape.metadata.get("enum")
    if allowed and value not in allowed:
        raise _violation(path, value, f"Member must satisfy enum value set: [{', '.join(allowed)}]")
    return value


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    """The model's patterns are Java's: Python has no classes of letters, numbers and spaces by property."""
    for java, python in ((r"\p{L}", r"\w"), (r"\p{N}", r"\d"), (r"\p{Z}", r"\s")):
        pattern = pattern.replace(java, python)
    return re.compile(pattern)


def _number(shape: Any, value: Any, path: str) -> Any:
    whole = shape.type_name in ("integer", "long")
    fits = isinstance(value, int if whole else int | float) and not isinstance(value, bool) and _is_finite(value)
    _require(fits, path, f"a {'whole ' if whole else ''}number")
    _check_bounds(shape, "value", value, path, value)
    return value


def _is_finite(value: float) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:  # a whole number beyond all floats
        return False


def _boolean(_shape: Any, value: Any, path: str) -> Any:
    _require(isinstance(value, bool), path, "true or false")
    return value


def _blob(shape: Any, value: Any, path: str) -> bytes:
    _require(isinstance(value, str), path, "base64 text")
    try:
        content = base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError) as error:
        raise SerializationException(f"{path} is not base64.") from error
    if len(content) > shape.metadata.get("max", len(content)):
        raise ImageTooLargeException(
            f"The image has {len(content):,} bytes; as bytes in a request at most {shape.metadata['max']:,} are "
            "allowed. Put larger ones into S3."
        )
    _check_bounds(shape, "length", len(content), path, "<bytes>")
    return content


def _require(holds: bool, path: str, kind: str) -> None:
    if not holds:
        raise SerializationException(f"{path} must be {kind}.")


def _check_bounds(shape: Any, measure: str, measured: float, path: str, value: Any) -> None:
    """Whether the member's `measure`, its length or its value, is one that the model allows."""
    low, high = shape.metadata.get("min"), shape.metadata.get("max")
    if low is not None and measured < low:
        raise _violation(path, value, f"Member must have {measure} greater than or equal to {low}")
    if high is not None and measured > high:
        raise _violation(path, value, f"Member must have {measure} less than or equal to {high}")


def _violation(path: str, value: Any, constraint: str) -> Invalid:
    shown = "Value" if value is None else f"Value '{str(value)[:100]}'"
    return Invalid(f"1 validation error detected: {shown} at '{path}' failed to satisfy constraint: {constraint}")


def _join(path: str, name: str) -> str:
    member = name[:1].lower() + name[1:]
    return f"{path}.{member}" if path else member


_READERS: dict[str, Callable[[Any, Any, str], Any]] = {
    "structure": _structure,
    "list": _list,
    "map": _map,
    "string": _string,
    "integer": _number,
    "long": _number,
    "float": _number,
    "double": _number,
    "boolean": _boolean,
    "blob": _blob,
}
