"""The front door: what a browser sends to one port reaches the right API as it was sent, and the answer comes back."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator

import httpx
import pytest

from local.aws import deployment
from local.runtime import Ports, Running
from shared.contracts import naming
from tests.runtime import assemblies
from tests.runtime.conftest import launched, serving


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


@pytest.mark.parametrize("sent", ["/", "/page/app.js", "/api/search/races"])
def test_the_stage_is_told_under_which_path_its_api_is_reached(browser: httpx.Client, sent: str) -> None:
    answer = browser.get(sent, headers={"x-forwarded-prefix": "/somewhere/else"})
    assert answer.json()["prefix"] == "/api/search"


def test_a_stage_without_an_api_is_refused_in_a_sentence(browser: httpx.Client) -> None:
    answer = browser.get("/api/nothing/here")
    assert answer.status_code == 404
    assert answer.json() == {"reason": "unknown_stage", "message": "No stage 'nothing' has an API here."}


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


def test_when_the_embedded_aws_is_not_there_the_door_says_so() -> None:
    ports = Ports.free()
    command = ["local.door", "--port", str(ports.web), "--aws", f"http://127.0.0.1:{ports.aws}"]
    door = f"http://127.0.0.1:{ports.web}"
    with serving(command, {}, f"{door}/health"):
        answer = httpx.get(f"{door}/", trust_env=False)
    assert answer.status_code == 502
    assert answer.json()["message"] == "The embedded AWS does not answer; is it still running?"
