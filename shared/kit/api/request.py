"""API Gateway's REST events and answers, as small typed things."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping
from typing import Any

import msgspec

from shared.contracts.api import MAX_BODY, BadJson, BodyLimit, Content, Refusal, Revalidated, as_error

_TAGS = re.compile(r'(?:W/)?("[^"]*")')
"""Entity tags without the mark of weak ones: If-None-Match compares weakly, since CloudFront makes the tags of what it
compresses weak (RFC 9110, 8.8.3 and 13.1.2)."""


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """A request; header names are in lower case, of repeated ones the last counts."""

    method: str
    resource: str
    path: Mapping[str, str]
    query: Mapping[str, str]
    headers: Mapping[str, str]
    raw_body: str
    is_base64: bool
    source_ip: str

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
            source_ip=event["requestContext"]["identity"]["sourceIp"],
        )

    @property
    def address(self) -> str:
        """The IP address of the client.

        API Gateway's `sourceIp` is of the connection made to it, which nobody can make up: behind the front door it is
        the door's. The door writes the address of its own client behind whatever that says of X-Forwarded-For (source:
        CloudFront Developer Guide, "Request and response behavior for custom origins", Client IP addresses), and API
        Gateway may write the door's behind that. CloudFront-Viewer-Address would say the same, but takes an origin
        request policy of our own. The front door's requests are those with X-Forwarded-Prefix: who asks API Gateway
        directly can add that, and pass for anybody. Nothing that is to be protected may hang on the address.
        """
        forwarded = self.headers.get("x-forwarded-for", "") if "x-forwarded-prefix" in self.headers else ""
        addresses = [each.strip() for each in forwarded.split(",") if each.strip()]
        if addresses and addresses[-1] == self.source_ip:
            addresses.pop()
        return addresses[-1] if addresses else self.source_ip

    def json(self, limit: BodyLimit) -> dict[str, Any] | Refusal:
        """The body as a JSON object."""
        if len(self.raw_body) > MAX_BODY:
            return limit.otherwise
        try:
            body = base64.b64decode(self.raw_body, validate=True) if self.is_base64 else self.raw_body.encode()
            if len(body) > limit.most_bytes:
                return limit.otherwise
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
    def to(cls, outcome: msgspec.Struct | Refusal, if_none_match: str = "") -> Response:
        """What a route came to: a refusal, a text, or an answer in JSON; or that the client has that answer already.

        `if_none_match` is the request's header, by which it says so.
        """
        match outcome:
            case Refusal():
                return cls(body=as_error(outcome).decode(), status=outcome.STATUS, headers=outcome.HEADERS)
            case Content():
                return cls(body=outcome.body, content_type=outcome.content_type, headers=outcome.headers)
            case Revalidated():
                return cls._revalidated(msgspec.json.encode(outcome), if_none_match)
        return cls(body=msgspec.json.encode(outcome).decode())

    @classmethod
    def _revalidated(cls, body: bytes, if_none_match: str) -> Response:
        """The body with its tag, or 304 where the client has named it.

        304 has the headers that 200 would have, but for those that describe the body (RFC 9110, 15.4.5).
        """
        tag = f'"{hashlib.blake2b(body, digest_size=16).hexdigest()}"'
        headers = {"ETag": tag, "Cache-Control": "no-cache"}
        if if_none_match.strip() == "*" or tag in _TAGS.findall(if_none_match):
            return cls(body="", status=304, content_type="", headers=headers)
        return cls(body=body.decode(), headers=headers)

    def to_event(self, cors: Mapping[str, str]) -> dict[str, Any]:
        """The form that API Gateway's Lambda proxy integration takes; `cors` are headers of every answer."""
        always = {"Content-Type": self.content_type, "X-Content-Type-Options": "nosniff", "Cache-Control": "no-store"}
        headers = {name: value for name, value in {**always, **cors, **self.headers}.items() if value}
        return {"statusCode": self.status, "headers": headers, "body": self.body}
