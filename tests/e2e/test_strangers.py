"""A stranger's page in a real browser, open beside the running product: it can neither ask nor read anything.

It stands at another port of 127.0.0.1, which browsers take for the same site; at localhost, which is another; and at a
name of its own that leads to 127.0.0.1 (DNS rebinding).
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import boto3
import pytest
from botocore.config import Config
from PIL import Image
from playwright.sync_api import Browser, Error, Page

from local import runtime
from local.runtime import Ports, Running
from shared.contracts import naming
from tests.runtime import assemblies

REBOUND = "rebound.example"
BUCKET = naming.derived_bucket("dev", "000000000000", "us-east-1")
CREATE_FUNCTION = "/2015-03-31/functions"

# Each gives what its page can tell of the answer: a status and text that it may read, "opaque", or why not.
FETCH = """([url, options]) => fetch(url, options).then(
    async answer => answer.type === "opaque" ? "opaque" : [answer.status, await answer.text()], error => error.name)"""
SHOW = """url => new Promise(tell => {
    const img = Object.assign(new Image(), {onload: () => tell(img.naturalWidth), onerror: () => tell(0)});
    img.src = url;
})"""
SOCKET = """url => new Promise(tell => {
    const line = new WebSocket(url);
    line.onopen = () => tell("open");
    line.onerror = () => tell("refused");
})"""
POST = """([url, type, fields]) => {
    const target = "answer";
    const form = Object.assign(document.createElement("form"), {action: url, method: "POST", enctype: type, target});
    document.body.append(Object.assign(document.createElement("iframe"), {name: target}));
    for (const [name, value] of Object.entries(fields)) {
        form.append(Object.assign(document.createElement("input"), {name, value}));
    }
    document.body.append(form);
    form.submit();
}"""


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("strangers")
    template = assemblies.with_an_echoing_api(naming.api_url_parameter("dev", "search"))
    assembly = assemblies.write(folder / "cdk.out", template, "echo")
    try:
        started = runtime.start_detached(folder / "home", Ports.free(), keep=False, assembly=assembly)
        started.client("s3").create_bucket(Bucket=BUCKET)
        picture = io.BytesIO()
        Image.new("RGB", (30, 20), "tan").save(picture, "JPEG")
        started.client("s3").put_object(
            Bucket=BUCKET, Key="한글 +%25.jpg", Body=picture.getvalue(), ContentType="image/jpeg"
        )
        yield started
    finally:
        runtime.stop(folder / "home")


@pytest.fixture(scope="module")
def stranger() -> Iterator[int]:
    """The port of a server with one page, which holds nothing."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(b"<!doctype html><title>stranger</title><body></body>")

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server.server_port
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture(scope="module")
def browser_arguments() -> list[str]:
    return [f"--host-resolver-rules=MAP {REBOUND} 127.0.0.1"]


@pytest.fixture
def page(chromium: Browser) -> Iterator[Page]:
    with ExitStack() as stack:
        context = chromium.new_context()
        stack.callback(context.close)
        yield context.new_page()


@pytest.fixture(params=["127.0.0.1", "localhost", REBOUND])
def foreign(request: pytest.FixtureRequest, page: Page, stranger: int) -> Page:
    page.goto(f"http://{request.param}:{stranger}/")
    return page


def link(running: Running) -> str:
    """A link to the picture, signed as shared/kit/aws.py signs."""
    environment = running.environment()
    s3 = boto3.client(
        "s3",
        endpoint_url=running.aws_url,
        region_name=environment["AWS_REGION"],
        aws_access_key_id=environment["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=environment["AWS_SECRET_ACCESS_KEY"],
        config=Config(signature_version="v4"),
    )
    return str(s3.generate_presigned_url("get_object", Params={"Bucket": BUCKET, "Key": "한글 +%25.jpg"}))


def addresses(running: Running) -> tuple[str, str, str]:
    return running.aws_url, running.vision_url, running.front_door


def made(running: Running) -> tuple[list[str], list[str]]:
    """The functions and queues that stand."""
    functions = running.client("lambda").list_functions()["Functions"]
    queues = running.client("sqs").list_queues().get("QueueUrls", [])
    return [function["FunctionName"] for function in functions], queues


def test_it_can_create_nothing(running: Running, foreign: Page) -> None:
    before = made(running)
    url = running.aws_url + CREATE_FUNCTION
    body = '{"FunctionName": "stolen", "Runtime": "python3.11", "Handler": "x.x", "Role": "arn:aws:iam::0:role/x"}'
    assert foreign.evaluate(FETCH, [url, {"method": "POST", "body": body}]) == "TypeError"
    assert foreign.evaluate(FETCH, [url, {"method": "POST", "body": body, "mode": "no-cors"}]) == "opaque"
    signed = {"Content-Type": "application/json", "Authorization": "AWS4-HMAC-SHA256 Credential=test"}
    assert foreign.evaluate(FETCH, [url, {"method": "POST", "body": body, "headers": signed}]) == "TypeError"
    action = f"{running.aws_url}/?Action=CreateQueue&QueueName=stolen"
    assert foreign.evaluate(SHOW, action) == 0
    assert foreign.evaluate(FETCH, [action, {"mode": "no-cors"}]) == "opaque"
    assert made(running) == before


@pytest.mark.parametrize("kind", ["application/x-www-form-urlencoded", "text/plain", "multipart/form-data"])
def test_its_forms_are_refused(running: Running, foreign: Page, kind: str) -> None:
    before = made(running)
    fields = {"Action": "CreateQueue", "QueueName": "stolen"}
    for url in (f"{running.aws_url}/", f"{running.front_door}/api/search/selfie", f"{running.vision_url}/"):
        with foreign.expect_response(url) as answer:
            foreign.evaluate(POST, [url, kind, fields])
        assert answer.value.status == 403
        foreign.reload()
    assert made(running) == before


def test_it_can_read_nothing(running: Running, foreign: Page) -> None:
    for url in (
        link(running),
        f"{running.aws_url}/{BUCKET}?list-type=2",
        f"{running.aws_url}/_ministack/health",
        f"{running.front_door}/",
        f"{running.front_door}/api/search/races",
        f"{running.vision_url}/health",
    ):
        assert foreign.evaluate(FETCH, [url, {}]) == "TypeError"
        assert foreign.evaluate(FETCH, [url, {"method": "OPTIONS"}]) == "TypeError"


def test_no_port_takes_its_web_sockets(running: Running, foreign: Page) -> None:
    for url in addresses(running):
        assert foreign.evaluate(SOCKET, url.replace("http", "ws", 1) + "/") == "refused"


def test_a_name_that_leads_here_opens_nothing(running: Running, page: Page) -> None:
    for url in addresses(running):
        for path in ("/", "/health", "/_ministack/health"):
            address = url.replace("127.0.0.1", REBOUND) + path
            with page.expect_response(address) as answer, suppress(Error):  # what cannot be shown is saved
                page.goto(address)
            assert answer.value.status == 403


def test_it_may_link_to_the_products_page_but_not_frame_it(running: Running, foreign: Page) -> None:
    frame = "url => document.body.append(Object.assign(document.createElement('iframe'), {src: url}))"
    with foreign.expect_response(f"{running.front_door}/") as framed:
        foreign.evaluate(frame, f"{running.front_door}/")
    assert framed.value.status == 403
    with foreign.expect_navigation() as opened:
        foreign.evaluate("url => { location.href = url }", f"{running.front_door}/")
    assert opened.value.status == 200


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost"])
def test_the_products_own_page_asks_its_api_and_shows_and_saves_pictures(
    running: Running, page: Page, name: str
) -> None:
    opened = page.goto(running.front_door.replace("127.0.0.1", name) + "/")
    assert opened is not None
    assert opened.status == 200
    status, _ = page.evaluate(FETCH, ["/api/search/selfie", {"method": "POST", "body": "{}"}])
    assert status == 200
    picture = link(running)
    assert page.evaluate(SHOW, picture) == 30
    assert page.evaluate(FETCH, [picture, {}])[0] == 200  # a cached answer to <img> must not stand for this one
    with page.expect_navigation() as shown:
        page.evaluate("url => { location.href = url }", picture)
    assert shown.value.status == 200
