"""API Gateway's REST events and answers, as small typed things."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

import msgspec

from shared.contracts.errors import RequestRefused

# Pages of other origins may ask too: nothing here depends on cookies, and all of it is public.
CORS = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Methods": "GET, POST, OPTIONS",
    "Access-Control-Allow-Headers": "Content-Type",
    "Access-Control-Max-Age": "86400",
}


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

    def json(self, max_length: int) -> dict[str, Any]:
        """The body as a JSON object of at most `max_length` characters. Raises RequestRefused."""
        if len(self.raw_body) > max_length:
            raise RequestRefused("too_large", f"The request is too large; at most {max_length // 1_000_000} MB.", 413)
        try:
            body = base64.b64decode(self.raw_body, validate=True) if self.is_base64 else self.raw_body.encode()
            return msgspec.json.decode(body, type=dict[str, Any])
        except (msgspec.DecodeError, ValueError, RecursionError):
            raise RequestRefused("bad_json", "Send a JSON object as the request's body.") from None


class Response(msgspec.Struct, frozen=True, kw_only=True):
    """An answer, in text."""

    body: str
    status: int = 200
    content_type: str = "application/json"
    headers: Mapping[str, str] = {}

    def to_event(self) -> dict[str, Any]:
        """The form that API Gateway's Lambda proxy integration takes."""
        always = {"Content-Type": self.content_type, "X-Content-Type-Options": "nosniff", "Cache-Control": "no-store"}
        return {"statusCode": self.status, "headers": {**always, **CORS, **self.headers}, "body": self.body}


def as_json(answer: msgspec.Struct, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """An answer's struct as the response."""
    return Response(body=msgspec.json.encode(answer).decode(), status=status, headers=headers or {})
