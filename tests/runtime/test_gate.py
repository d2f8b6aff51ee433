"""The gate before each port, over a table of requests: who is let in, and what the others are told.

A request is given as it comes: a line like "GET /path", then headers.
"""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

import boto3
import pytest
from botocore.config import Config

from local import gate
from local.aws.kept.requests import OWN_ADDRESSES

AWS, DOOR = 4566, 8080
PAGE = f"http://127.0.0.1:{DOOR}"
MOST = 1000
KEY = "/snaprace-dev-derived-000000000000/seoul/marathon/preview/1.jpg"


@dataclass
class Answered:
    """What came back, and whether the application behind the gate was asked."""

    status: int = 0
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: bytes = b""
    reached: bool = False

    def header(self, name: str) -> list[str]:
        return [value for each, value in self.headers if each == name]


def behind(port: int, **asked: Any) -> Answered:
    """Send a request through the gate of this port to an application that answers as the emulator does."""
    rules = gate.front_door(DOOR) if port == DOOR else gate.embedded_aws(AWS, DOOR, OWN_ADDRESSES)
    return asyncio.run(_sent(rules, **asked))


async def _sent(rules: Any, line: str, headers: list[tuple[str, str]], chunks: tuple[bytes, ...] = (b"",)) -> Answered:
    answered = Answered()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        try:
            while (await receive()).get("more_body"):
                pass
        except Exception:  # as frameworks do: an answer of their own for any error
            await send({"type": "http.response.start", "status": 500, "headers": []})
            await send({"type": "http.response.body", "body": b""})
            raise
        answered.reached = True
        cors = [(b"Access-Control-Allow-Origin", b"*"), (b"Access-Control-Allow-Headers", b"*"), (b"X-Own", b"1")]
        await send({"type": "http.response.start", "status": 200, "headers": cors})
        await send({"type": "http.response.body", "body": b"fine"})

    async def send(message: Mapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            assert answered.status == 0, "answered twice"
            answered.status = message["status"]
            answered.headers = [(name.decode().lower(), value.decode()) for name, value in message["headers"]]
        else:
            answered.body += message["body"]

    parts: Iterator[tuple[int, bytes]] = iter(list(enumerate(chunks, 1)))

    async def receive() -> Any:
        number, chunk = next(parts)
        return {"type": "http.request", "body": chunk, "more_body": number < len(chunks)}

    method, _, target = line.partition(" ")
    path, _, query = target.partition("?")
    raw = [(name.encode(), value.encode()) for name, value in headers]
    scope = {"type": "http", "method": method, "raw_path": path.encode("latin-1"), "query_string": query.encode()}
    await gate.Gate(app, rules, gate.origins(DOOR), MOST)({**scope, "headers": raw}, receive, send)
    return answered


def asked(port: int, line: str, *, host: str | None = None, **headers: str) -> Answered:
    """The answer to such a request, to 127.0.0.1 at the port; `sec_fetch_site="none"` is the header Sec-Fetch-Site."""
    named = [(name.replace("_", "-"), value) for name, value in headers.items()]
    return behind(port, line=line, headers=[("host", host or f"127.0.0.1:{port}"), *named])


def refusal(answered: Answered) -> tuple[int, str]:
    """Status and reason; checks that the application was not reached and that a person is told why in a sentence."""
    assert not answered.reached
    said = json.loads(answered.body)
    assert said["message"].endswith(".")
    assert answered.header("connection") == ["close"]
    assert answered.header("access-control-allow-origin") == []
    return answered.status, said["reason"]


def untimed(value: object) -> str | None:
    """A test's name for a request, without the signature and time of a link: all workers must name it the same."""
    return value.partition("X-Amz-Date")[0] if isinstance(value, str) else None


def signed(method: str = "get_object", service: str = "s3", key: str = KEY) -> str:
    """Path and query of a link, as the search stage signs it."""
    client = boto3.client(
        "s3", endpoint_url=f"http://127.0.0.1:{AWS}", region_name="us-east-1", config=Config(signature_version="v4")
    )
    bucket, _, name = key[1:].partition("/")
    link: str = client.generate_presigned_url(method, Params={"Bucket": bucket, "Key": name})
    return link.removeprefix(f"http://127.0.0.1:{AWS}").replace("%2Fs3%2F", f"%2F{service}%2F")


IMG = {"sec_fetch_site": "same-site", "sec_fetch_mode": "no-cors", "sec_fetch_dest": "image"}
CLICK = {"sec_fetch_site": "cross-site", "sec_fetch_mode": "navigate", "sec_fetch_dest": "document"}
FETCH = {"sec_fetch_site": "cross-site", "sec_fetch_mode": "no-cors", "sec_fetch_dest": "empty"}
FRAME = {"sec_fetch_site": "cross-site", "sec_fetch_mode": "navigate", "sec_fetch_dest": "iframe"}
OWN = {"sec_fetch_site": "same-origin", "sec_fetch_mode": "cors", "sec_fetch_dest": "empty"}
FORM = {"content_type": "multipart/form-data; boundary=x"}
FOREIGN_HOSTS = (
    "evil.example",
    "evil.example:{port}",
    "127.0.0.1.evil.example:{port}",
    "localhost.evil.example",
    "127.0.0.1:1",
    "localhost:{port}0",
    "127.0.0.2:{port}",
    "2130706433:{port}",
    "0.0.0.0:{port}",
    "[::]:{port}",
    "user@127.0.0.1:{port}",
    "127.0.0.1:{port},evil.example",
    "",
)
FOREIGN_ORIGINS = (
    "null",
    "http://evil.example",
    "https://127.0.0.1:8080",
    "http://127.0.0.1:4566",
    "http://127.0.0.1:4567",
    "http://localhost",
    "http://127.0.0.1:80800",
    "http://127.0.0.1.evil.example:8080",
    "http://localhost:8080.evil.example",
    "http://127.0.0.1:8080, http://evil.example",
    "chrome-extension://abcdefghijklmnop",
    "file://",
    "",
)


@pytest.mark.parametrize("port", [AWS, DOOR])
@pytest.mark.parametrize(
    "host", ["127.0.0.1:{port}", "localhost:{port}", "LOCALHOST:{port}", "[::1]:{port}", "localhost"]
)
def test_this_machine_is_called_by_its_names(port: int, host: str) -> None:
    assert asked(port, "GET /", host=host.format(port=port)).status == 200


@pytest.mark.parametrize("port", [AWS, DOOR])
@pytest.mark.parametrize("host", FOREIGN_HOSTS)
def test_any_other_name_is_refused(port: int, host: str) -> None:
    headers = [("host", host.format(port=port))]
    assert refusal(behind(port, line="GET /", headers=headers)) == (403, "foreign_host")


@pytest.mark.parametrize("port", [AWS, DOOR])
def test_no_name_and_two_names_are_refused(port: int) -> None:
    twice = [("host", f"127.0.0.1:{port}"), ("host", "evil.example")]
    for headers in ([], twice, twice[::-1]):
        assert refusal(behind(port, line="GET /", headers=headers)) == (403, "foreign_host")


@pytest.mark.parametrize("name", ["abcd1234.execute-api", "pictures.s3", "pictures", "s3.us-east-1"])
def test_services_of_the_embedded_aws_have_names_below_those_of_this_machine(name: str) -> None:
    for host in ("127.0.0.1:4566", "localhost:4566", "localhost"):
        assert asked(AWS, "GET /live/", host=f"{name}.{host}").status == 200
        assert refusal(asked(DOOR, "GET /live/", host=f"{name}.{host}")) == (403, "foreign_host")
    for host in ("127.0.0.1:1", "evil.example:4566", "127.0.0.1.evil.example", "localhost.evil.example"):
        assert refusal(asked(AWS, "GET /live/", host=f"{name}.{host}")) == (403, "foreign_host")


@pytest.mark.parametrize("port", [AWS, DOOR])
@pytest.mark.parametrize("origin", FOREIGN_ORIGINS)
def test_pages_of_any_other_origin_are_refused_whatever_they_ask(port: int, origin: str) -> None:
    for line in ("GET /", "POST /api/search/selfie", "POST /2015-03-31/functions", "OPTIONS /", f"GET {signed()}"):
        assert refusal(asked(port, line, origin=origin)) == (403, "foreign_origin")
    assert refusal(asked(port, "GET /", origin=PAGE, Origin=origin)) == (403, "foreign_origin")


def test_a_page_cannot_reach_an_api_by_a_name_below_this_machines() -> None:
    host = f"abcd1234.execute-api.127.0.0.1:{AWS}"
    assert refusal(asked(AWS, "GET /live/", host=host, origin="http://evil.example")) == (403, "foreign_origin")
    host = f"abcd1234.execute-api.localhost:{AWS}"
    assert refusal(asked(AWS, "GET /live/", host=host, **CLICK)) == (403, "browser")


@pytest.mark.parametrize("origin", [PAGE, "http://localhost:8080", "http://[::1]:8080"])
def test_the_doors_own_pages_are_let_in_and_may_read_the_answer(origin: str) -> None:
    for answered in (
        asked(DOOR, "POST /api/search/selfie", origin=origin, **OWN),
        asked(AWS, "GET " + signed(), origin=origin, **FETCH),
        asked(AWS, "PUT " + signed("put_object"), origin=origin, **FETCH),
        asked(AWS, "OPTIONS " + signed("put_object"), origin=origin, access_control_request_method="PUT"),
        asked(AWS, "POST /snaprace-dev-photos-000000000000", origin=origin, **FORM),
    ):
        assert answered.status == 200
        assert answered.header("access-control-allow-origin") == [origin]
        assert answered.header("access-control-allow-headers") == ["*"]
        assert answered.header("vary") == ["Origin"]


@pytest.mark.parametrize("port", [AWS, DOOR])
def test_no_answer_allows_everybody_to_read_it(port: int) -> None:
    answered = asked(port, "GET /")
    assert answered.headers == [("vary", "Origin"), ("x-own", "1")]


@pytest.mark.parametrize(
    "line",
    [
        "POST /2015-03-31/functions",
        "POST /snaprace-dev-photos-0",
        "POST /",
        "GET /?Action=CreateQueue&QueueName=x",
        "GET /snaprace-dev-photos-0?list-type=2",
        "GET " + signed() + "&Action=ListQueues",
        "GET " + signed(service="lambda"),
        "GET " + signed(key="/others/key"),
        "DELETE " + signed("delete_object"),
        "PUT /snaprace-dev-photos-0/key",
    ],
    ids=untimed,
)
def test_even_the_doors_pages_get_nothing_but_objects_from_the_embedded_aws(line: str) -> None:
    plain = {"content_type": "text/plain"}
    assert refusal(asked(AWS, line, origin=PAGE, **FETCH, **plain)) == (403, "browser")
    target = {"x_amz_target": "AWSLambda.CreateFunction"}
    assert refusal(asked(AWS, "GET " + signed(), origin=PAGE, **target)) == (403, "browser")


@pytest.mark.parametrize(
    "how", [IMG, {**IMG, "sec_fetch_site": "cross-site"}, CLICK, {**CLICK, "sec_fetch_site": "none"}]
)
def test_a_browser_shows_and_saves_pictures_by_signed_links(how: dict[str, str]) -> None:
    assert asked(AWS, "GET " + signed(), **how).status == 200


@pytest.mark.parametrize(
    ("line", "how"),
    [
        ("GET " + KEY, IMG),
        ("GET /?Action=CreateQueue&QueueName=x", IMG),
        ("GET /?Action=CreateQueue&QueueName=x", CLICK),
        ("GET /2015-03-31/functions", {**CLICK, "sec_fetch_site": "none"}),
        ("GET " + signed(service="sqs"), IMG),
        ("GET " + signed(key="/others/key"), IMG),
        ("GET " + signed(), FETCH),
        ("GET " + signed(), FRAME),
        ("GET " + signed(), {**IMG, "sec_fetch_dest": "script"}),
        ("GET " + signed(), {**OWN, "sec_fetch_mode": "no-cors"}),
        ("GET " + signed(), {**CLICK, "sec_fetch_site": "same-origin"}),
        ("POST " + signed(), CLICK),
        ("POST /", {"referer": "http://evil.example/"}),
        ("POST /", {"user_agent": "Mozilla/5.0 (Macintosh) AppleWebKit/605 Version/16.0 Safari/605"}),
        ("GET /?Action=ListQueues", {"user_agent": "Mozilla/5.0 (Macintosh)"}),
        ("GET /_ministack/health", CLICK),
    ],
    ids=untimed,
)
def test_a_browser_gets_nothing_else_from_the_embedded_aws(line: str, how: dict[str, str]) -> None:
    assert refusal(asked(AWS, line, **how)) == (403, "browser")


def test_an_old_browser_shows_pictures_too() -> None:
    assert asked(AWS, "GET " + signed(), user_agent="Mozilla/5.0 (Macintosh) Version/16.0 Safari/605").status == 200


def test_programs_use_every_service() -> None:
    for line in (
        "POST /",
        "POST /2015-03-31/functions",
        "PUT /pictures/key",
        "DELETE /pictures",
        "GET /_ministack/health",
    ):
        assert asked(AWS, line, user_agent="Boto3/1.40 md/Botocore").status == 200


@pytest.mark.parametrize(
    "how", [{}, CLICK, {**CLICK, "sec_fetch_site": "same-site"}, {**CLICK, "sec_fetch_site": "none"}, OWN]
)
def test_the_doors_pages_are_opened_by_links_by_hand_and_by_programs(how: dict[str, str]) -> None:
    assert asked(DOOR, "GET /?organizer=seoul&event=marathon", **how).status == 200


@pytest.mark.parametrize(
    ("line", "how"),
    [
        ("GET /api/search/races", FETCH),
        ("GET /api/search/races", {**FETCH, "sec_fetch_site": "same-site"}),
        ("GET /", FRAME),
        ("GET /page/app.js", {**FETCH, "sec_fetch_dest": "script"}),
        ("GET /page/icon.svg", {**IMG, "sec_fetch_site": "cross-site"}),
        ("POST /api/search/selfie", CLICK),
    ],
)
def test_no_other_page_takes_parts_of_the_doors(line: str, how: dict[str, str]) -> None:
    assert refusal(asked(DOOR, line, **how)) == (403, "foreign_page")


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
@pytest.mark.parametrize(
    "path",
    [
        "/_ministack/reset",
        "/_ministack/config",
        "/_ministack/lambda-code/snaprace-dev-search-find",
        "/_ministack/sqs/messages",
        "/%5Fministack/reset",
        "/_%6dinistack/reset",
        "/_localstack/health",
        "/_anything",
    ],
)
def test_the_emulators_own_addresses_are_closed(method: str, path: str) -> None:
    for host in (f"127.0.0.1:{AWS}", f"abcd1234.execute-api.127.0.0.1:{AWS}"):
        assert refusal(asked(AWS, f"{method} {path}", host=host)) == (403, "closed")
    assert refusal(asked(AWS, "POST /_ministack/health")) == (403, "closed")


@pytest.mark.parametrize("how", [FETCH, CLICK, {"origin": PAGE}])
def test_those_that_the_runtime_needs_are_for_programs_alone(how: dict[str, str]) -> None:
    for method, path in OWN_ADDRESSES:
        assert asked(AWS, f"{method} {path}").status == 200
        assert refusal(asked(AWS, f"{method} {path}", **how)) == (403, "browser")


DOTS = ("..", ".", "%2e%2e", "%2E.", ".%2e", "%2e")
AROUND = ("/{}/r", "/{}", "\\{}\\r", "/{};x/r", "/;{}/r", "%2f{}/r", "/{}%2Fr", "%5c{}%5cr", "/x%3b{}/r")


@pytest.mark.parametrize("path", [f"/api/search{around.format(dots)}" for around in AROUND for dots in DOTS])
def test_dot_segments_in_any_encoding_are_refused_at_both_ports(path: str) -> None:
    for port, method, percent in itertools.product((AWS, DOOR), ("GET", "POST"), ("%", "%25", "%2525")):
        assert refusal(asked(port, f"{method} {path.replace('%', percent)}")) == (400, "bad_path")


@pytest.mark.parametrize("port", [AWS, DOOR])
@pytest.mark.parametrize(
    "path",
    [
        "/api/%c0%ae%c0%ae/x",
        "/api/%e0%80%ae%e0%80%ae/x",
        "/api%c0%afx",
        "/api/%ff",
        "http://evil.example/",
        "*",
        "//../x",
        "/api/search/../../_ministack/reset",
        "/api/%" + "25" * 20 + "2e%2e/x",
    ],
)
def test_overlong_forms_and_other_targets_are_refused(port: int, path: str) -> None:
    assert refusal(asked(port, f"GET {path}")) == (400, "bad_path")


@pytest.mark.parametrize("hidden", ["%2f", "%2F", "%5c", "%252f", "%25252F"])
def test_the_door_takes_no_hidden_slash(hidden: str) -> None:
    assert refusal(asked(DOOR, f"GET /api/search{hidden}races")) == (400, "bad_path")


def test_an_arn_may_stand_in_the_path_of_an_api_of_aws() -> None:
    assert asked(AWS, "GET /tags/arn%3Aaws%3Aapigateway%3Aus-east-1%3A%3A%2Frestapis%2Fabcd1234").status == 200


NAMES = (
    "한글 +%.jpg",
    "100%25.jpg",
    "%2e%2e",
    "a%2F..%2Fb",
    "🏃 a..b.jpg",
    "...",
    ".hidden.jpg",
    "x;y=z.jpg",
    "a\\b.jpg",
)


@pytest.mark.parametrize("name", NAMES)
def test_an_object_may_have_any_name_but_dots(name: str) -> None:
    path = "/pictures/" + quote(f"seoul/marathon/{name}", safe="/~")
    scope = "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0"
    assert asked(AWS, f"PUT {path}", authorization=scope).status == 200
    assert asked(AWS, "GET " + signed(key=KEY + name)).status == 200


@pytest.mark.parametrize("name", [".", "..", "../x", "a/../../b"])
def test_an_object_named_by_dot_segments_is_refused(name: str) -> None:
    scope = "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0"
    for path in (f"/pictures/{name}", "/pictures/" + name.replace(".", "%2e")):
        assert refusal(asked(AWS, f"PUT {path}", authorization=scope)) == (400, "bad_path")


@pytest.mark.parametrize("port", [AWS, DOOR])
def test_bodies_are_bounded_announced_or_not(port: int) -> None:
    host = ("host", f"127.0.0.1:{port}")
    for line in ("POST /", "PUT /pictures/key"):
        fits = behind(port, line=line, headers=[host], chunks=(b"x" * MOST,))
        assert (fits.status, fits.body) == (200, b"fine")
        announced = behind(port, line=line, headers=[host, ("content-length", str(MOST + 1))])
        assert refusal(announced) == (413, "too_large")
        assert refusal(behind(port, line=line, headers=[host], chunks=(b"x" * MOST, b"x"))) == (413, "too_large")


@pytest.mark.parametrize("port", [AWS, DOOR])
def test_web_sockets_are_refused(port: int) -> None:
    sent: list[Any] = []

    async def app(*_: Any) -> None:
        raise AssertionError("reached")

    async def receive() -> Any:
        return {"type": "websocket.connect"}

    async def send(message: Any) -> None:
        sent.append(message)

    rules = gate.front_door(DOOR) if port == DOOR else gate.embedded_aws(AWS, DOOR, OWN_ADDRESSES)
    scope = {"type": "websocket", "headers": [(b"host", b"127.0.0.1:4566")]}
    asyncio.run(gate.Gate(app, rules, (), MOST)(scope, receive, send))
    assert sent == [{"type": "websocket.close", "code": 1008}]
