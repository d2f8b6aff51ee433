"""Clients that say too little, too slowly or too much, and browsers.

The server runs in this process, so that its limits can be short, and without workers.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import http.client
import json
import logging
import resource
import socket
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.vision.running import Server
from vision.collections.store import Store
from vision.engine.pool import Pool
from vision.errors import ThrottlingException
from vision.front import connections
from vision.front import server as server_module
from vision.front.bodies import MAX_WITHOUT_PICTURE, Bodies
from vision.front.connections import SeldomSaid, http_server, raise_file_limit
from vision.front.server import Settings, application

LIST = "RekognitionService.ListCollections"
DETECT = "RekognitionService.DetectText"
HALF_A_HEADER = b"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Amz-"
HEALTH = b"GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"

Start = Callable[..., int]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts a server with such settings; its port."""
    with contextlib.ExitStack() as stack:

        def serve(**settings: object) -> int:
            data = Path(tempfile.mkdtemp(dir=tmp_path))
            store = stack.enter_context(contextlib.closing(Store(data)))
            listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
            port = int(listener.getsockname()[1])
            base = {"data": data, "host": "127.0.0.1", "port": port, "workers": 0, "queue": 0}
            server = http_server(application(Pool(0, 0), store, Settings(**{**base, **settings})))  # type: ignore[arg-type]
            thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
            thread.start()
            stack.callback(thread.join)
            stack.callback(setattr, server, "should_exit", True)
            return port

        yield serve


def ask(port: int, target: str, body: bytes = b"{}", **headers: str) -> tuple[int, str]:
    """The answer's status, and the error's code if it is one."""
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=10)) as connection:
        connection.request("POST", "/", body, {"X-Amz-Target": target, **headers})
        answer = connection.getresponse()
        return answer.status, json.load(answer).get("__type", "")


def ask_as(port: int, page: dict[str, str]) -> tuple[int, str]:
    """The answer to an unsigned request with these headers."""
    return ask(port, LIST, b"{}", Authorization="other", **page)


def rest(line: socket.socket) -> bytes:
    """What comes until the server closes the connection."""
    return b"".join(iter(lambda: line.recv(65536), b""))


@pytest.mark.parametrize("said", [b"", HALF_A_HEADER])
def test_who_asks_nothing_is_cut_off(start: Start, monkeypatch: pytest.MonkeyPatch, said: bytes) -> None:
    monkeypatch.setattr(connections, "REQUEST_SECONDS", 0.3)
    with socket.create_connection(("127.0.0.1", start()), timeout=5) as line:
        line.sendall(said)
        assert rest(line) == b""


def test_who_begins_a_second_request_and_never_ends_it_is_cut_off(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "REQUEST_SECONDS", 0.3)
    with socket.create_connection(("127.0.0.1", start()), timeout=5) as line:
        line.sendall(HEALTH)
        assert line.recv(65536).startswith(b"HTTP/1.1 503")
        line.sendall(HALF_A_HEADER)  # uvicorn's own timer ends here
        assert b"HTTP" not in rest(line)


def test_who_asks_again_in_time_is_answered_and_may_take_long_for_a_body(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "REQUEST_SECONDS", 0.4)
    begun = f"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Amz-Target: {LIST}\r\nContent-Length: 2\r\n\r\n{{".encode()
    with socket.create_connection(("127.0.0.1", start()), timeout=5) as line:
        line.sendall(HEALTH + begun)
        time.sleep(0.8)
        line.sendall(b"}" + HEALTH)
        answers = rest(line)
    assert answers.count(b"HTTP/1.1 503") == 2
    assert answers.count(b"HTTP/1.1 200") == 1


def test_a_body_that_does_not_come_is_given_up(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_module, "BODY_SECONDS", 0.3)
    begun = f"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Amz-Target: {DETECT}\r\nContent-Length: 1000\r\n\r\n{{".encode()
    with socket.create_connection(("127.0.0.1", start()), timeout=5) as line:
        line.sendall(begun)
        answer = rest(line)
    assert answer.startswith(b"HTTP/1.1 408")
    assert b"connection: close" in answer
    assert b'"__type": "RequestTimeoutException"' in answer


def test_a_web_page_is_answered_only_where_a_signature_or_somebody_else_checks_it(start: Start) -> None:
    alone, unsigned, signed = start(), start(unsigned=True), start(keys={"AKRACE": "secret"})
    assert ask(alone, LIST) == ask_as(alone, {"Sec-Fetch-Site": "none"}) == (200, "")
    for page in (
        {"Origin": "http://rebound.example:4567"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:8080"},
        {"Referer": "http://old.example/"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ):
        assert ask_as(alone, page) == (403, "AccessDeniedException")
        assert ask_as(unsigned, page) == (200, "")
        assert ask_as(signed, page)[1] == "IncompleteSignatureException"


NAMED_OTHERWISE = (
    "rebound.example:{port}",
    "127.0.0.1.example",
    "127.0.0.1:1",
    "127.0.0.2:{port}",
    "localhost:{port}0",
    "",
)


def test_only_names_of_this_machine_and_those_allowed_are_answered(start: Start) -> None:
    alone, behind_a_proxy, open_to_all = start(), start(hosts=frozenset({"vision.example"})), start(hosts=None)
    for port in (alone, behind_a_proxy, open_to_all):
        for name in ("127.0.0.1:{port}", "LocalHost:{port}", "[::1]", "localhost"):
            assert ask(port, LIST, Host=name.format(port=port)) == (200, "")
    for name in NAMED_OTHERWISE:
        for port in (alone, behind_a_proxy):
            assert ask(port, LIST, Host=name.format(port=port)) == (403, "AccessDeniedException")
        assert ask(open_to_all, LIST, Host=name) == (200, "")
    for name in ("vision.example", "Vision.Example:8443"):
        assert ask(alone, LIST, Host=name) == (403, "AccessDeniedException")
        assert ask(behind_a_proxy, LIST, Host=name) == (200, "")


def test_a_load_balancer_asks_for_health_by_the_address(start: Start) -> None:
    by_address = b"GET /health HTTP/1.1\r\nHost: 10.0.3.7:4567\r\n\r\n"
    for port, status in (start(), b"403"), (start(hosts=frozenset({"vision.example"})), b"503"):
        with socket.create_connection(("127.0.0.1", port), timeout=5) as line:
            line.sendall(by_address)
            assert line.recv(65536).startswith(b"HTTP/1.1 " + status)


def test_a_request_without_a_name_is_refused(start: Start) -> None:
    with socket.create_connection(("127.0.0.1", start()), timeout=5) as line:
        line.sendall(b"GET /health HTTP/1.0\r\n\r\n")
        assert rest(line).startswith(b"HTTP/1.1 403")


PATHS = (
    "/..",
    "/./",
    "/%2e%2e/health",
    "/%252e%252e/",
    "/x/../health",
    "/\\..\\health",
    "/%5c..",
    "/;../health",
    "/%c0%ae",
    "//../",
    "*",
)


def test_no_path_leads_elsewhere_than_it_seems(start: Start) -> None:
    port = start(hosts=None, unsigned=True)
    for path in PATHS:
        with socket.create_connection(("127.0.0.1", port), timeout=5) as line:
            line.sendall(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
            answer = rest(line)
        assert answer.startswith(b"HTTP/1.1 400"), (path, answer)
        assert b"ValidationException" in answer


def test_a_body_is_as_long_as_its_operation_needs(start: Start) -> None:
    port = start()
    allowed = b"{}".ljust(MAX_WITHOUT_PICTURE)
    assert ask(port, LIST, allowed) == (200, "")
    assert ask(port, LIST, allowed + b" ") == (400, "ImageTooLargeException")
    assert ask(port, DETECT, allowed + b" ") == (400, "ValidationException")  # read, and no Image in it


def test_one_peer_may_hold_half_and_this_machine_everything() -> None:
    bodies = Bodies(one=10, together=20)
    with bodies.receive(peer="192.0.2.1") as first, bodies.receive(peer="192.0.2.1") as second:
        first.add(bytes(10))
        with pytest.raises(ThrottlingException):
            second.add(b"1")
        with bodies.receive(peer="192.0.2.2") as other:
            other.add(bytes(10))
        with bodies.receive(peer="192.0.2.1") as third, pytest.raises(ThrottlingException):
            third.add(b"1")
    with bodies.receive() as one, bodies.receive() as two:
        one.add(bytes(10))
        two.add(bytes(10))
    with bodies.receive(peer="192.0.2.1") as again:
        again.add(bytes(10))


@pytest.mark.skipif(not hasattr(resource, "prlimit"), reason="changes a limit of another process")
def test_connections_use_half_of_the_files_and_no_more(server: Server) -> None:
    process = server.process.pid
    usual = resource.prlimit(process, resource.RLIMIT_NOFILE)
    resource.prlimit(process, resource.RLIMIT_NOFILE, (400, usual[1]))
    try:
        with contextlib.ExitStack() as stack:
            connect = partial(socket.create_connection, ("127.0.0.1", server.port), timeout=5)
            first, *_, last = [stack.enter_context(connect()) for _ in range(210)]
            with contextlib.suppress(ConnectionResetError):
                assert last.recv(1) == b""
            first.sendall(HEALTH)
            assert first.recv(65536).startswith(b"HTTP/1.1 200")
    finally:
        resource.prlimit(process, resource.RLIMIT_NOFILE, usual)


def test_that_no_connection_can_be_taken_is_said_once_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    loop = asyncio.new_event_loop()
    loop.set_exception_handler(SeldomSaid())
    no_files = OSError(errno.EMFILE, "Too many open files")
    with caplog.at_level(logging.ERROR), contextlib.closing(loop):
        for _ in range(100):
            loop.call_exception_handler({"message": "socket.accept() out of system resource", "exception": no_files})
        for _ in range(2):
            loop.call_exception_handler({"message": "something else", "exception": ValueError()})
    assert [record.name for record in caplog.records] == ["vision", "asyncio", "asyncio"]


def test_the_server_may_open_as_many_files_as_the_system_lets_it() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
        raise_file_limit()
        most = connections.MAX_FILES if hard == resource.RLIM_INFINITY else min(hard, connections.MAX_FILES)
        assert resource.getrlimit(resource.RLIMIT_NOFILE) == (most, hard)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
