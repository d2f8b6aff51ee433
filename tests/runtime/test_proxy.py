"""The front door: what a browser sends to one port reaches the right API as it was sent, and the answer comes back."""

import asyncio
import contextlib
import http.client
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from botocore.exceptions import ClientError

from local.aws import deployment
from local.door import api_finder, application
from local.runtime import Ports, Running
from shared.contracts import naming
from tests.runtime import assemblies
from tests.runtime.conftest import launched, serving, until


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("door")
    with launched(folder / "aws") as running:
        template = assemblies.with_an_echoing_api(naming.api_url_parameter("dev", "search"))
        deployment.deploy(assemblies.write(folder / "cdk.out", template, "echo"), running.client)
        command = ["local.door", "--port", str(running.ports.web), "--aws", running.aws_url]
        with serving(command, running.environment(), f"{running.front_door}/health"):
            yield running


@pytest.fixture(scope="module")
def browser(door: Running) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=door.front_door, trust_env=False) as client:
        yield client


@pytest.mark.parametrize(
    ("sent", "path"),
    [
        ("/", "/"),
        ("/page/app.js", "/page/app.js"),
        ("/api/search", "/"),
        ("/api/search/", "/"),
        ("/api/search/races/seoul/marathon-2026/photos", "/races/seoul/marathon-2026/photos"),
        ("/api/search/races/%ED%95%9C%20%2B/%25", "/races/한 +/%"),
    ],
)
def test_each_path_reaches_the_api_of_its_stage(browser: httpx.Client, sent: str, path: str) -> None:
    answer = browser.get(sent)
    assert answer.status_code == 200
    assert answer.json()["path"] == path


def test_query_body_status_and_headers_go_through(browser: httpx.Client) -> None:
    answer = browser.post(
        "/api/search/selfie?bib=1&bib=2&name=%EA%B9%80+x",
        content=json.dumps({"image_b64": "eA=="}),
        headers={"content-type": "application/json", "x-client": "page", "x-answer": "418"},
    )
    assert answer.status_code == 418
    assert answer.headers["x-echo"] == "yes"
    echoed = answer.json()
    assert echoed["method"] == "POST"
    assert echoed["query"] == {"bib": ["1", "2"], "name": ["김 x"]}
    assert json.loads(echoed["body"]) == {"image_b64": "eA=="}
    assert echoed["client"] == "page"


def test_header_values_need_not_be_ascii(door: Running) -> None:
    url = httpx.URL(door.front_door)
    for value in ("김".encode(), "Königsforst".encode("latin-1"), b"\xff\xfe"):
        with contextlib.closing(http.client.HTTPConnection(url.netloc.decode(), timeout=30)) as connection:
            connection.putrequest("GET", "/api/search/races")
            connection.putheader("x-client", value)
            connection.endheaders()
            answer = connection.getresponse()
            assert answer.status == 200
            echoed = json.loads(answer.read())["client"]
            assert echoed in {value.decode(charset, "replace") for charset in ("utf-8", "latin-1")}


def test_head_is_passed_on_and_answered_without_a_body(browser: httpx.Client) -> None:
    answer = browser.head("/api/search/races")
    assert (answer.status_code, answer.content, answer.headers["x-echo"]) == (200, b"", "yes")


@pytest.mark.parametrize("sent", ["/", "/page/app.js", "/api/search/races"])
def test_the_stage_is_told_under_which_path_its_api_is_reached(browser: httpx.Client, sent: str) -> None:
    answer = browser.get(sent, headers={"x-forwarded-prefix": "/somewhere/else"})
    assert answer.json()["prefix"] == "/api/search"


@pytest.mark.parametrize(
    ("says", "told"), [({}, "127.0.0.1"), ({"x-forwarded-for": "10.0.0.1"}, "10.0.0.1, 127.0.0.1")]
)
def test_the_stage_is_told_who_asks_behind_what_the_client_says(
    browser: httpx.Client, says: dict[str, str], told: str
) -> None:
    assert browser.get("/api/search/races", headers=says).json()["clients"] == told


def test_a_stage_without_an_api_is_refused_in_a_sentence(browser: httpx.Client) -> None:
    answer = browser.get("/api/nothing/here")
    assert answer.status_code == 404
    assert answer.json() == {"error": {"code": "unknown_stage", "message": "No stage 'nothing' has an API here."}}


def test_a_link_signed_in_a_handler_opens_in_a_browser_of_this_machine(door: Running) -> None:
    # as in a handler: the endpoint from the environment, virtual addressing asked for
    key = "seoul/marathon/previews/한글 +%20 🏃.jpg"
    environment = {**os.environ, **door.environment()}
    script = (
        "import sys\nfrom shared.kit import aws\ns3 = aws.client('s3')\ns3.create_bucket(Bucket='pictures')\n"
        "s3.put_object(Bucket='pictures', Key=sys.argv[1], Body=b'picture')\n"
        "print(s3.generate_presigned_url('get_object', Params={'Bucket': 'pictures', 'Key': sys.argv[1]}))"
    )
    link = subprocess.run(
        [sys.executable, "-c", script, key], env=environment, capture_output=True, text=True, check=True
    ).stdout.strip()
    assert link.startswith(f"{door.aws_url}/pictures/")
    assert httpx.get(link, trust_env=False).content == b"picture"


def test_an_api_that_has_another_address_is_found_again(door: Running, browser: httpx.Client) -> None:
    """So it is after the embedded AWS was started again."""
    ssm, name = door.client("ssm"), naming.api_url_parameter("dev", "search")
    address = ssm.get_parameter(Name=name)["Parameter"]["Value"]
    assert browser.get("/api/search").is_success
    try:
        ssm.put_parameter(Name=name, Value="https://other.execute-api.us-east-1.amazonaws.com/api", Overwrite=True)
        until(lambda: not browser.get("/api/search").is_success)
    finally:
        ssm.put_parameter(Name=name, Value=address, Overwrite=True)
    until(lambda: browser.get("/api/search").is_success)


def test_while_the_embedded_aws_is_started_no_stage_is_said_to_be_missing(tmp_path: Path) -> None:
    with launched(tmp_path, "--deploying") as running, pytest.raises(ClientError, match="being started"):
        api_finder(running.aws_url, "dev")("search")


OUT = (
    "../../",
    "../../../",
    "%2e%2e/%2e%2e/",
    ".%2E/../",
    "%252e%252e/%252e%252e/",
    "..%2f..%2f",
    "..\\..\\",
    "..;/..;/",
    "%c0%ae./../",
)


def sent_as_it_is(url: str, method: str, path: str) -> tuple[int, bytes]:
    """Status and body; httpx would follow dot segments itself."""
    with contextlib.closing(http.client.HTTPConnection(httpx.URL(url).netloc.decode(), timeout=30)) as connection:
        connection.request(method, path)
        answer = connection.getresponse()
        return answer.status, answer.read()


@pytest.mark.parametrize("out", OUT)
def test_no_path_leads_to_the_emulators_own_addresses(door: Running, out: str) -> None:
    door.client("s3").create_bucket(Bucket="there")
    for within in ("/api/search/", "/page/", "/", "/api/", "/api/search/races/x/"):
        for method, to in (
            ("POST", "_ministack/reset"),
            ("GET", "_ministack/health"),
            ("GET", "restapis/x/api/_user_request_/"),
        ):
            status, said = sent_as_it_is(door.front_door, method, f"{within}{out}{to}")
            assert (status, json.loads(said)["error"]["code"]) == (400, "bad_path")
    for path in ("/_ministack/reset", f"/live/{out}_ministack/reset", "/%5fministack/reset"):
        assert sent_as_it_is(door.aws_url, "POST", path)[0] in (400, 403)
    assert [bucket["Name"] for bucket in door.client("s3").list_buckets()["Buckets"] if bucket["Name"] == "there"]


def through_the_door(method: str, path: str) -> tuple[int, dict[str, str], list[httpx.Request]]:
    """Status and headers without the gate before it, and what stages were asked: the API of each has its name."""
    asked: list[httpx.Request] = []

    def upstream(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(200)

    app = application("http://127.0.0.1:1", lambda stage: f"https://{stage}.execute-api.us-east-1.amazonaws.com/live/")
    app.state.client = httpx.AsyncClient(transport=httpx.MockTransport(upstream))
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "http.request", "body": b""}

    async def send(message: Any) -> None:
        sent.append(message)

    plain, _, query = path.partition("?")
    scope = {
        "type": "http",
        "method": method,
        "path": plain,
        "raw_path": plain.encode(),
        "query_string": query.encode(),
    }
    asyncio.run(app({**scope, "headers": [], "server": ("127.0.0.1", 1), "scheme": "http"}, receive, send))
    return sent[0]["status"], {name.decode(): value.decode() for name, value in sent[0]["headers"]}, asked


@pytest.mark.parametrize("out", ["../x", "../../_ministack/reset", "./../../x", "races/../../x"])
def test_the_door_asks_nobody_outside_the_stages_api_even_without_its_gate(out: str) -> None:
    assert through_the_door("POST", f"/api/search/{out}")[::2] == (400, [])
    assert through_the_door("GET", f"/page/../{out}")[::2] == (400, [])
    assert through_the_door("GET", f"/live/page/../{out}")[::2] == (400, [])


@pytest.mark.parametrize(
    ("sent", "stage", "path"),
    [
        ("/?event=x", "search", "/live/?event=x"),
        ("/page/app.js?v=1", "search", "/live/page/app.js?v=1"),
        ("/live/?organizer=seoul&event=x", "insight", "/live/?organizer=seoul&event=x"),
        ("/live/page/app.js?v=1", "insight", "/live/page/app.js?v=1"),
    ],
)
def test_each_page_and_what_it_loads_come_from_its_stage(sent: str, stage: str, path: str) -> None:
    status, _, [asked] = through_the_door("GET", sent)
    assert status == 200
    assert asked.headers["host"].split(".")[0] == stage
    assert asked.headers["x-forwarded-prefix"] == f"/api/{stage}"
    assert asked.url.raw_path.decode() == path


def test_a_page_without_its_last_slash_is_found() -> None:
    status, headers, asked = through_the_door("GET", "/live?event=x")
    assert (status, headers["location"], asked) == (307, "http://127.0.0.1:1/live/?event=x", [])


@pytest.mark.parametrize("nowhere", ["/live/other", "/live/seoul/x/realtime", "/other/", "/livepage/app.js"])
def test_what_is_no_page_asks_no_stage(nowhere: str) -> None:
    assert through_the_door("GET", nowhere)[::2] == (404, [])


def test_a_body_that_no_api_would_take_is_refused_at_the_door(browser: httpx.Client) -> None:
    answer = browser.post("/api/search/selfie", content=(b"x" * 1024**2 for _ in range(11)))
    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "too_large")


def test_when_the_embedded_aws_is_not_there_the_door_says_so() -> None:
    ports = Ports.free()
    command = ["local.door", "--port", str(ports.web), "--aws", f"http://127.0.0.1:{ports.aws}"]
    door = f"http://127.0.0.1:{ports.web}"
    with serving(command, {}, f"{door}/health"):
        answer = httpx.get(f"{door}/", trust_env=False)
    assert answer.status_code == 502
    assert answer.json()["error"]["message"] == "The embedded AWS does not answer; is it still running?"
