"""Who asks: AWS's Signature Version 4, checked with botocore's own canonical form.

A signature covers the method, the path, the headers it names and the SHA-256 of the body. It is good for 15 minutes
and can be sent again for as long, here as on AWS; it does not encrypt. Keys are long-lived: there is no STS here, so a
session token is refused.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.compat import HTTPHeaders
from botocore.credentials import Credentials

from vision.errors import (
    IncompleteSignatureException,
    InvalidSignatureException,
    MissingAuthenticationTokenException,
    UnrecognizedClientException,
)

SERVICE = "rekognition"
FRESH_SECONDS = 15 * 60
"""A signature made longer ago, or as far in the future, is refused; so AWS does."""

_AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 +Credential=(?P<key>[\w.+-]+)/(?P<day>\d{8})/(?P<region>[\w-]+)/(?P<service>[\w-]+)/aws4_request"
    r" *, *SignedHeaders=(?P<headers>[\w;.-]+) *, *Signature=(?P<signature>[0-9a-f]{64})",
    re.ASCII,
)
_TIMESTAMP = re.compile(r"\d{8}T\d{6}Z", re.ASCII)

Headers = Sequence[tuple[str, str]]
"""Names in lower case and values, in the order they were sent; a name may come more than once."""


def keys_in(lines: Iterable[str]) -> dict[str, str]:
    """Secrets by access key id, from lines of `ACCESS_KEY_ID SECRET`; blank lines and `#` comments are left out.

    Raises ValueError, which names the line but never shows it.
    """
    keys: dict[str, str] = {}
    for number, line in enumerate(lines, start=1):
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        if len(words) != 2 or not re.fullmatch(r"[\w.+-]+", words[0], re.ASCII):
            raise ValueError(f"line {number} is not an access key id and a secret with a space between them")
        if words[0] in keys:
            raise ValueError(f"line {number} has an access key id for the second time")
        keys[words[0]] = words[1]
    if not keys:
        raise ValueError("there is no key in it")
    return keys


class Claim(NamedTuple):
    """What a request's headers claim; nothing of it is believed before `Signatures.check`."""

    key: str
    region: str
    timestamp: str
    signed: tuple[str, ...]
    signature: str


class Signatures:
    """The keys that may ask, and the clock (seconds since 1970) that says what is fresh."""

    def __init__(self, keys: Mapping[str, str], clock: Callable[[], float] = time.time) -> None:
        self._keys = dict(keys)
        self._clock = clock

    def claim(self, headers: Headers) -> Claim:
        """What can be refused before the body is read: no signature, an incomplete or stale one, an unknown key."""
        sent = dict(headers)
        if "authorization" not in sent:
            raise MissingAuthenticationTokenException("Missing Authentication Token: sign the request (SigV4).")
        parts = _AUTHORIZATION.fullmatch(sent["authorization"].strip())
        timestamp = sent.get("x-amz-date", "")
        if parts is None or not _TIMESTAMP.fullmatch(timestamp):
            raise IncompleteSignatureException(
                "The request needs an Authorization header of AWS4-HMAC-SHA256 and an X-Amz-Date header."
            )
        if parts["key"] not in self._keys or "x-amz-security-token" in sent:
            raise UnrecognizedClientException("The security token included in the request is invalid.")
        if parts["service"] != SERVICE or parts["day"] != timestamp[:8]:
            raise InvalidSignatureException(
                f"Credential should be scoped to the service {SERVICE} and to the day of X-Amz-Date."
            )
        self._check_age(timestamp)
        signed = tuple(parts["headers"].split(";"))
        # Of x-amz- headers all count: x-amz-target, for one, names the operation.
        required = {"host"} | {name for name in sent if name.startswith("x-amz-")}
        if missing := sorted(required - set(signed)):
            raise InvalidSignatureException(f"These headers must be signed: {', '.join(missing)}.")
        return Claim(parts["key"], parts["region"], timestamp, signed, parts["signature"])

    def check(self, claim: Claim, path: str, headers: Headers, body: bytes | bytearray) -> None:
        """Whether the claim is true of a POST of this body to this path. Raises InvalidSignatureException."""
        digest = hashlib.sha256(body).hexdigest()
        if any(name == "x-amz-content-sha256" and value != digest for name, value in headers):
            raise InvalidSignatureException("The body is not the one that X-Amz-Content-SHA256 was made of.")
        request = AWSRequest(method="POST", url=f"http://server{path}")
        request.headers = HTTPHeaders()
        for name, value in headers:
            if name in claim.signed:
                request.headers.add_header(name, value)
        request.context.update(timestamp=claim.timestamp, digest=digest)
        signer = _Signer(Credentials(claim.key, self._keys[claim.key]), SERVICE, claim.region)
        expected = signer.signature(signer.string_to_sign(request, signer.canonical_request(request)), request)
        if not hmac.compare_digest(expected, claim.signature):
            raise InvalidSignatureException(
                "The request signature we calculated does not match the signature you provided. Check your AWS Secret "
                "Access Key and signing method."
            )

    def _check_age(self, timestamp: str) -> None:
        try:
            made = datetime.strptime(timestamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC).timestamp()
        except ValueError as error:
            raise IncompleteSignatureException(f"X-Amz-Date is no date: {timestamp}") from error
        if abs(self._clock() - made) > FRESH_SECONDS:
            now = datetime.fromtimestamp(self._clock(), UTC).strftime("%Y%m%dT%H%M%SZ")
            raise InvalidSignatureException(
                f"Signature expired or not yet current: {timestamp} is more than 15 minutes from {now}."
            )


class _Signer(SigV4Auth):
    """Botocore's signer over exactly the headers that the client says it has signed, and the body that came."""

    def headers_to_sign(self, request: AWSRequest) -> HTTPHeaders:
        return request.headers

    def payload(self, request: AWSRequest) -> str:
        return str(request.context["digest"])
