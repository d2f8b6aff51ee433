"""Who may ask: a server that wants signatures, real boto3 clients, and somebody in between who changes requests."""

from __future__ import annotations

import hashlib
import json
import socket
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import botocore.auth
import pytest
from botocore import UNSIGNED
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

from tests.vision.drawing import jpeg, nobody
from tests.vision.running import Server
from vision.errors import ServiceError
from vision.front.signatures import FRESH_SECONDS, Signatures, keys_in

KEY, SECRET = "AKRACEOFFICE", "a+secret/of=40characters"


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("guarded")
    keys = folder / "keys"
    keys.write_text(f"# the race office\n{KEY} {SECRET}\n\nAKTIMING another-secret\n")
    keys.chmod(0o600)
    running = Server(folder / "data", "--workers", "1", "--keys", str(keys))
    yield running
    running.process.kill()
    running.process.wait()


@pytest.fixture
def client(guarded: Server) -> Any:
    return guarded.client(KEY, SECRET)


def refusal(call: Callable[[], Any]) -> str:
    with pytest.raises(ClientError) as refused:
        call()
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400
    return str(refused.value.response["Error"]["Code"])


def before_sending(client: Any, change: Callable[[Any], None]) -> None:
    """Let `change` see each request after it was signed."""
    client.meta.events.register("before-send.rekognition.*", lambda request, **_: change(request))


def before_signing(client: Any, change: Callable[[Any], None]) -> None:
    client.meta.events.register("before-sign.rekognition.*", lambda request, **_: change(request))


def test_a_signed_client_is_answered(guarded: Server, client: Any) -> None:
    assert client.list_collections()["CollectionIds"] == []
    assert client.detect_faces(Image={"Bytes": jpeg(nobody())})["FaceDetails"] == []
    assert guarded.client("AKTIMING", "another-secret").list_collections()["CollectionIds"] == []


def test_another_region_is_as_good(guarded: Server) -> None:
    elsewhere = boto3.client(
        "rekognition",
        region_name="eu-west-1",
        endpoint_url=guarded.url,
        aws_access_key_id=KEY,
        aws_secret_access_key=SECRET,
    )
    assert elsewhere.list_collections()["CollectionIds"] == []


def test_the_wrong_secret(guarded: Server) -> None:
    assert refusal(guarded.client(KEY, "a guess").list_collections) == "InvalidSignatureException"


def test_the_secret_of_another_key(guarded: Server) -> None:
    assert refusal(guarded.client("AKTIMING", SECRET).list_collections) == "InvalidSignatureException"


def test_an_unknown_key(guarded: Server) -> None:
    assert refusal(guarded.client("AKNOBODY", SECRET).list_collections) == "UnrecognizedClientException"


def test_a_session_token(guarded: Server) -> None:
    assert refusal(guarded.client(KEY, SECRET, "token").list_collections) == "UnrecognizedClientException"


def test_no_signature(guarded: Server) -> None:
    unsigned = guarded.client(signature_version=UNSIGNED)
    assert refusal(unsigned.list_collections) == "MissingAuthenticationTokenException"


@pytest.mark.parametrize("off", [-FRESH_SECONDS - 60, FRESH_SECONDS + 60])
def test_a_stale_signature(monkeypatch: pytest.MonkeyPatch, client: Any, off: int) -> None:
    now = botocore.auth.get_current_datetime
    monkeypatch.setattr(botocore.auth, "get_current_datetime", lambda: now() + timedelta(seconds=off))
    assert refusal(client.list_collections) == "InvalidSignatureException"


def test_a_clock_that_is_a_little_off(monkeypatch: pytest.MonkeyPatch, client: Any) -> None:
    now = botocore.auth.get_current_datetime
    monkeypatch.setattr(botocore.auth, "get_current_datetime", lambda: now() - timedelta(seconds=FRESH_SECONDS - 60))
    client.list_collections()


def test_a_body_changed_on_the_way(client: Any) -> None:
    def change(request: Any) -> None:
        request.body = request.body.replace(b"mine", b"his.")

    before_sending(client, change)
    assert refusal(lambda: client.create_collection(CollectionId="mine")) == "InvalidSignatureException"


def test_a_signature_put_on_another_body(guarded: Server, client: Any) -> None:
    seen: list[dict[str, str]] = []
    before_sending(client, lambda request: seen.append(dict(request.headers)))
    client.create_collection(CollectionId="first")

    other = guarded.client("AKNOBODY", "none")
    before_sending(other, lambda request: request.headers.update(seen[0]))
    assert refusal(lambda: other.create_collection(CollectionId="again")) == "InvalidSignatureException"
    assert client.list_collections()["CollectionIds"] == ["first"]


def test_another_operation_put_on_a_signed_body(client: Any) -> None:
    """ListFaces and DeleteCollection may have the same body: what tells them apart is a header."""
    client.create_collection(CollectionId="kept")

    def change(request: Any) -> None:
        if request.headers["X-Amz-Target"].endswith(b"ListFaces"):
            request.headers["X-Amz-Target"] = "RekognitionService.DeleteCollection"

    before_sending(client, change)
    assert refusal(lambda: client.list_faces(CollectionId="kept")) == "InvalidSignatureException"
    assert "kept" in client.list_collections()["CollectionIds"]


def test_an_operation_that_was_left_out_of_the_signature(client: Any) -> None:
    def hide(request: Any) -> None:
        del request.headers["X-Amz-Target"]

    def show(request: Any) -> None:
        request.headers["X-Amz-Target"] = "RekognitionService.ListCollections"

    before_signing(client, hide)
    before_sending(client, show)
    assert refusal(client.list_collections) == "InvalidSignatureException"


def test_a_second_target_beside_the_signed_one(guarded: Server) -> None:
    headers = signed(b"{}", "RekognitionService.ListCollections", guarded.url)
    raw = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    for place in (raw, "x-amz-target: RekognitionService.DeleteCollection\r\n" + raw):
        with socket.create_connection(("127.0.0.1", guarded.port), timeout=10) as line:
            line.sendall(f"POST / HTTP/1.1\r\nConnection: close\r\nContent-Length: 2\r\n{place}\r\n{{}}".encode())
            answer = b"".join(iter(lambda: line.recv(65536), b""))
        assert (b"InvalidSignatureException" in answer) == (place != raw)


def test_a_body_that_is_left_out_of_the_signature(client: Any) -> None:
    before_signing(client, lambda request: request.headers.add_header("X-Amz-Content-SHA256", "UNSIGNED-PAYLOAD"))
    assert refusal(client.list_collections) == "InvalidSignatureException"


def test_a_body_whose_digest_is_a_header(client: Any) -> None:
    def add(request: Any) -> None:
        request.headers["X-Amz-Content-SHA256"] = hashlib.sha256(request.body).hexdigest()

    before_signing(client, add)
    client.list_collections()


@pytest.mark.parametrize(
    "header",
    [
        "Bearer token",
        "AWS4-HMAC-SHA256 Credential=AKRACEOFFICE",
        "AWS4-HMAC-SHA256 Credential=AKRACEOFFICE/20260101/us-east-1/rekognition/aws4_request, "
        "SignedHeaders=host, Signature=short",
        "AWS3-HTTPS AWSAccessKeyId=AKRACEOFFICE",
        "é" * 1000,
    ],
)
def test_an_authorization_that_is_none(guarded: Server, header: str) -> None:
    request = urllib.request.Request(
        guarded.url,
        b"{}",
        {"X-Amz-Target": "RekognitionService.ListCollections", "Authorization": header.encode().decode("latin-1")},
        method="POST",
    )
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(request, timeout=10)
    assert refused.value.code == 400
    assert json.load(refused.value)["__type"] == "IncompleteSignatureException"


def test_a_signature_for_another_service(guarded: Server) -> None:
    headers = signed(b"{}", "RekognitionService.ListCollections", guarded.url, service="dynamodb")
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(urllib.request.Request(guarded.url, b"{}", headers), timeout=10)
    assert json.load(refused.value)["__type"] == "InvalidSignatureException"


def test_who_is_unknown_is_refused_before_a_body_is_read(guarded: Server) -> None:
    headers = signed(b"{}", "RekognitionService.DetectText", guarded.url, key="AKNOBODY")
    raw = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    with socket.create_connection(("127.0.0.1", guarded.port), timeout=10) as line:
        line.sendall(f"POST / HTTP/1.1\r\nContent-Length: 5000000\r\n{raw}\r\n".encode())
        assert b"UnrecognizedClientException" in line.recv(65536)


def test_health_is_open(guarded: Server) -> None:
    assert guarded.health()["status"] == "ready"


def signed(
    body: bytes, target: str, url: str, *, key: str = KEY, secret: str = SECRET, service: str = "rekognition"
) -> dict[str, str]:
    """The headers that botocore's signer makes for such a request."""
    request = AWSRequest("POST", url, {"X-Amz-Target": target, "Host": url.removeprefix("http://")}, body)
    SigV4Auth(Credentials(key, secret), service, "us-east-1").add_auth(request)
    return dict(request.headers)


@pytest.mark.parametrize(("off", "fresh"), [(-900, True), (-901, False), (900, True), (901, False)])
def test_a_signature_is_fresh_for_15_minutes_to_the_second(off: int, fresh: bool) -> None:
    headers = [(name.lower(), value) for name, value in signed(b"{}", "t", "http://h").items()]
    made = datetime.strptime(dict(headers)["x-amz-date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC).timestamp()
    signatures = Signatures({KEY: SECRET}, clock=lambda: made - off)
    if fresh:
        signatures.check(signatures.claim(headers), "/", headers, b"{}")
    else:
        with pytest.raises(ServiceError, match="15 minutes"):
            signatures.claim(headers)


def test_keys_are_read_and_their_mistakes_named_without_showing_them() -> None:
    assert keys_in(["# office", "", "A one", "  B\ttwo  "]) == {"A": "one", "B": "two"}
    for lines, complaint in (
        (["A one", "secret-without-key"], "line 2 is not"),
        (["A one two"], "line 1 is not"),
        (["A one", "A two"], "line 2 has an access key id for the second time"),
        (["# nothing"], "no key"),
    ):
        with pytest.raises(ValueError, match=complaint) as refused:
            keys_in(lines)
        assert "secret" not in str(refused.value).replace("a secret with", "")
