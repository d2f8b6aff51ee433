"""Serves requests when all stands, and answers them when what they changed is kept.

From its start until `POST /_snaprace/open` the embedded AWS takes requests of the deployment alone, which carry a
header, and functions get no work: an event that came before its rules would reach nobody.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from local.aws.clients import DEPLOYING
from local.aws.kept import archives, objects
from local.aws.kept.journal import Journal, NotKept

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[MutableMapping[str, Any], Receive, Send], Awaitable[None]]

OPEN_PATH = "/_snaprace/open"
HEALTH_PATH = "/_ministack/health"
OWN_ADDRESSES = frozenset({("GET", HEALTH_PATH), ("HEAD", HEALTH_PATH), ("POST", OPEN_PATH)})
"""What the runtime asks of the embedded AWS that is no service of AWS: methods and paths."""

_FULL = "This cannot be kept: {}. Make room on the disk that has the runtime's folder, and try again."

# What functions change in the emulator's own threads is not answered to anybody, so it may be kept a little later.
_COMMIT_EVERY_SECONDS = 0.05


def hold_work_while_deploying(journal: Journal) -> None:
    """Let mappings and schedules wait until all stands."""
    from ministack.services import eventbridge, lambda_svc

    def held(poll: Callable[[], Any]) -> Callable[[], Any]:
        return lambda: False if journal.deploying else poll()

    for module, name in (
        (lambda_svc, "_poll_sqs"),
        (lambda_svc, "_poll_kinesis"),
        (lambda_svc, "_poll_dynamodb_streams"),
        (eventbridge, "_tick_scheduled_rules"),
    ):
        setattr(module, name, held(getattr(module, name)))


def served_when_kept(app: App, journal: Journal) -> App:
    """The application of ministack, kept in that journal."""

    async def serve(scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await app(scope, receive, send)
        elif scope["path"] == OPEN_PATH and scope["method"] == "POST":
            _open(journal)
            await _answer(send, 204, b"")
        elif journal.deploying and scope["path"] != HEALTH_PATH and not _is_of_the_deployment(scope):
            await _refuse(scope, send, "SnapRace is being started; try again in a moment.")
        else:
            await app(scope, receive, _after_commit(journal, scope, send))

    return serve


def _open(journal: Journal) -> None:
    journal.deploying = False
    objects.show_buckets_that_no_template_makes()
    objects.announce_cut_off_writes(journal)
    archives.take_up_replays(journal)


def _is_of_the_deployment(scope: MutableMapping[str, Any]) -> bool:
    return any(name.lower() == DEPLOYING.lower().encode() for name, _ in scope["headers"])


def _after_commit(journal: Journal, scope: MutableMapping[str, Any], send: Send) -> Send:
    """Let the answer wait until the journal has what the request changed, else refuse it; the client tries again."""
    before = journal.changes
    refused = False

    async def send_when_kept(message: Message) -> None:
        nonlocal refused
        if message["type"] == "http.response.start" and journal.behind:
            try:
                journal.commit()
            except NotKept as error:
                refused = journal.changes != before  # a request that only reads is answered
                if refused:
                    await _refuse(scope, send, _FULL.format(error))
        if not refused:
            await send(message)

    return send_when_kept


async def _refuse(scope: MutableMapping[str, Any], send: Send, why: str) -> None:
    """Answer 503 in the protocol of the request, so far as clients read it: JSON with a target, else XML."""
    if any(name.lower() == b"x-amz-target" for name, _ in scope["headers"]):
        body = json.dumps({"__type": "ServiceUnavailable", "message": why}).encode()
        await _answer(send, 503, body, b"application/x-amz-json-1.0")
    else:
        body = f"<Error><Code>ServiceUnavailable</Code><Message>{why}</Message></Error>".encode()
        await _answer(send, 503, body, b"application/xml")


async def _answer(send: Send, status: int, body: bytes, content_type: bytes = b"text/plain") -> None:
    headers = [(b"content-type", content_type), (b"content-length", str(len(body)).encode())]
    if status == 503:
        headers.append((b"retry-after", b"1"))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def commit_now_and_then(journal: Journal) -> None:
    """Commit what changes outside of requests, until cancelled."""
    while True:
        await asyncio.sleep(_COMMIT_EVERY_SECONDS)
        with contextlib.suppress(NotKept):  # a request that needs it says so
            journal.commit()
