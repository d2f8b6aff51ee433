"""Requests and answers of CloudWatch in the protocols that its clients speak: JSON, as botocore, or forms and XML.

Source: the service's model in botocore (data/cloudwatch), whose shapes say what a form's flat parameters stand for. The
third protocol, CBOR, ministack understands only with a package that is not among ours.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any
from xml.sax.saxutils import escape

Asked = dict[str, Any]
Answer = dict[str, Any]
Handler = Callable[..., Any]
"""ministack's: a form's parameters, what a body gave, whether that was CBOR or JSON; gives status, headers and body."""


class Refused(Exception):
    """A request that CloudWatch refuses: its code, and a sentence."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code, self.message = code, message


def handler(operation: str, answer: Callable[[Asked], Answer]) -> Handler:
    """The operation for ministack, made of what it answers. Times are datetimes in what it answers."""
    from ministack.services import cloudwatch

    def handle(form: Mapping[str, Any], given: Asked, is_cbor: bool, is_json: bool = False) -> Any:
        if is_cbor:
            refusal = "CBOR is not understood here; use a client that speaks JSON, as boto3 and the AWS CLI do."
            return cloudwatch._error("UnsupportedProtocol", refusal, 415, use_cbor=True)
        try:
            told = answer(request(operation, form, given, structured=is_json))
        except Refused as refused:
            return cloudwatch._error(refused.code, refused.message, 400, use_json=is_json)
        if is_json:
            return cloudwatch._json_ok(_with_times(told))
        result = _as_xml(told, _shape(operation, "output_shape"))
        return cloudwatch._xml(200, f"{operation}Response", f"<{operation}Result>{result}</{operation}Result>")

    return handle


def request(operation: str, form: Mapping[str, Any], given: Asked, *, structured: bool) -> Asked:
    """What is asked for, in CloudWatch's own words: as JSON gave it (`structured`), or made of a form's parameters."""
    asked: Asked = given if structured else _from_form(form, _shape(operation, "input_shape"))
    return asked


def moment(given: Any) -> float:
    """Seconds since 1970 of a time as any protocol gives it. Raises Refused."""
    from ministack.services import cloudwatch

    at = cloudwatch._parse_ts(given)
    if at is None:
        raise Refused("InvalidParameterValue", f"{given} is not a time.")
    return float(at)


@functools.cache
def _model() -> Any:
    import botocore.session

    return botocore.session.get_session().get_service_model("cloudwatch")


@functools.cache
def _shape(operation: str, of: str) -> Any:
    return getattr(_model().operation_model(operation), of)


def _from_form(form: Mapping[str, Any], shape: Any, at: str = "") -> Any:
    """What parameters as `MetricData.member.1.MetricName` stand for; None where there are none."""
    if shape.type_name == "structure":
        members = {name: _from_form(form, member, _below(at, name)) for name, member in shape.members.items()}
        present = {name: value for name, value in members.items() if value is not None}
        return present or (None if at else {})
    if shape.type_name == "list":
        listed: list[Any] = []
        while (value := _from_form(form, shape.member, f"{at}.member.{len(listed) + 1}")) is not None:
            listed.append(value)
        return listed or None
    if at not in form:
        return None
    (text, *_) = form[at] if isinstance(form[at], list) else [form[at]]
    if shape.type_name == "boolean":
        return text == "true"
    kinds: dict[str, Callable[[str], Any]] = {"integer": int, "double": float}
    return kinds.get(shape.type_name, str)(text)


def _below(at: str, name: str) -> str:
    return f"{at}.{name}" if at else name


def _as_xml(value: Any, shape: Any) -> str:
    if shape is None:
        return ""
    if shape.type_name == "structure":
        members = ((name, value[name]) for name in shape.members if value.get(name) is not None)
        return "".join(f"<{name}>{_as_xml(member, shape.members[name])}</{name}>" for name, member in members)
    if shape.type_name == "list":
        return "".join(f"<member>{_as_xml(member, shape.member)}</member>" for member in value)
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    return escape(str(value).lower() if isinstance(value, bool) else str(value))


def _with_times(value: Any) -> Any:
    """With times as JSON has them, in seconds since 1970."""
    if isinstance(value, dict):
        return {name: _with_times(member) for name, member in value.items()}
    if isinstance(value, list):
        return [_with_times(member) for member in value]
    return value.timestamp() if isinstance(value, datetime) else value
