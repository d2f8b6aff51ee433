"""API Gateway's REST events and answers, as small typed things."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

import msgspec

from shared.contracts.api import MAX_BODY, BadJson, Content, Refusal, TooLarge, as_error


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """A request; header names are in lower case, of repeated ones the last counts."""

    method: str
    resource: str
    path: Mapping[str, str]
    query: Mapping[str, str]
    headers: Mapping[str, str]
    raw_body: str
    is_base64: bool

    @classmethod
    def from_event(cls, event: Mapping[str, Any]) -> Request:
        """Read an event of API Gateway's Lambda proxy integration (payload 1.0)."""
        return cls(
            method=event["httpMethod"],
            resource=event["resource"],
            path=event.get("pathParameters") or {},
            query=event.get("queryStringParameters") or {},
            headers={name.lower(): value for name, value in (event.get("headers") or {}).items()},
            raw_body=event.get("body") or "",
            is_base64=bool(event.get("isBase64Encoded")),
        )

    def json(self) -> dict[str, Any] | BadJson | TooLarge:
        """The body as a JSON object."""
        if len(self.raw_body) > MAX_BODY:
            return TooLarge()
        try:
            body = base64.b64decode(self.raw_body, validate=True) if self.is_base64 else self.raw_body.encode()
            return msgspec.json.decode(body, type=dict[str, Any])
        except (msgspec.DecodeError, ValueError, RecursionError):
            return BadJson()


class Response(msgspec.Struct, frozen=True, kw_only=True):
    """An answer, in text."""

    body: str
    status: int = 200
    content_type: str = "application/json"
    headers: Mapping[str, str] = {}

    @classmethod
    def to(cls, outcome: msgspec.Struct | Refusal) -> Response:
        """What a route came to: a refusal, a text, or an answer in JSON."""
        match outcome:
            case Refusal():
                return cls(body=as_error(outcome).decode(), status=outcome.STATUS, headers=outcome.HEADERS)
            case Content():
                return cls(body=outcome.body, content_type=outcome.content_type, headers=outcome.headers)
        return cls(body=msgspec.json.encode(outcome).decode())

    def to_event(self, cors: Mapping[str, str]) -> dict[str, Any]:
        """The form that API Gateway's Lambda proxy integration takes; `cors` are headers of every answer."""
        always = {"Content-Type": self.content_type, "X-Content-Type-Options": "nosniff", "Cache-Control": "no-store"}
        return {"statusCode": self.status, "headers": {**always, **cors, **self.headers}, "body": self.body}
