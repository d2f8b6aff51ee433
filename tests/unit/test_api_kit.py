"""From a declaration to a router: what is taken from where, what is refused how, and what a function imports for it."""

from __future__ import annotations

import json
import subprocess
import sys
from abc import abstractmethod
from typing import Annotated, Any, ClassVar

import msgspec
import pytest
from botocore.exceptions import ClientError, ReadTimeoutError
from msgspec import Meta

from shared.contracts.api import (
    MAX_BODY,
    Api,
    BodyLimit,
    Busy,
    Content,
    Header,
    Otherwise,
    Questions,
    Reads,
    Refusal,
    Revalidated,
    SourceAddress,
    Throttle,
    route,
)
from shared.contracts.card import Function, Stage
from shared.contracts.errors import Conflict
from shared.kit.api.openapi import document
from shared.kit.api.routes import Router
from tests.kit.search_stage import request


class NoSuchBook(Refusal, status=404):
    """There is no such book."""


class BadNumber(Refusal, status=400):
    """Give a number from 1 to 9."""


def _upper(text: str) -> str | None:
    return text.upper() if text.isalpha() else None


class BookAsked(msgspec.Struct, frozen=True, kw_only=True):
    book: Annotated[str, Meta(max_length=3), Otherwise(NoSuchBook())]
    pages: Annotated[int | None, Meta(ge=1, le=9), Otherwise(BadNumber())] = None
    word: Annotated[str | None, Reads(_upper), Otherwise(BadNumber("Give a word."))] = None
    language: Annotated[str, Header("accept-language")] = "en"


class BookTold(msgspec.Struct, frozen=True, kw_only=True):
    book: Annotated[str, Otherwise(NoSuchBook())]
    title: str
    price: float
    sold: bool = msgspec.field(default=False, name="is_sold")


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """What was understood."""

    told: list[str | int | float | bool | None]


class Text(Content, frozen=True, kw_only=True):
    """A line."""

    TYPES: ClassVar[tuple[str, ...]] = ("text/plain",)


class ShelfAsked(msgspec.Struct, frozen=True, kw_only=True):
    row: int = 1
    origin: Annotated[str | None, Header("origin")] = None
    address: Annotated[str, SourceAddress()]


class Shelf(Revalidated, frozen=True, kw_only=True):
    """A row of books."""

    books: list[str]


class FullShelf(Refusal, status=413):
    """Send less."""


class Books(Questions):
    """Books."""

    BUSY: ClassVar[Busy] = Busy("Books are busy.")

    @route("GET", "/books/{book}", who="anybody")
    @abstractmethod
    def look(self, asked: BookAsked) -> Told | NoSuchBook:
        """A book."""

    @route("GET", "/shelf", who="anybody")
    @abstractmethod
    def shelf(self, asked: ShelfAsked) -> Shelf | NoSuchBook:
        """A shelf."""

    @route("POST", "/shelf", who="anybody", body_limit=BodyLimit(20, FullShelf()))
    @abstractmethod
    def fill(self, asked: ShelfAsked) -> Told:
        """Fill a shelf."""

    @route("PUT", "/books/{book}", who="operator", throttle=Throttle(rate=5, burst=10, each_client=30))
    @abstractmethod
    def tell(self, asked: BookTold) -> Text:
        """Tell of a book.

        Whoever tells
        must sign.
        """


class Library(Books):
    failure: Exception | None = None

    def look(self, asked: BookAsked) -> Told | NoSuchBook:
        if self.failure:
            raise self.failure
        return Told(told=list(msgspec.structs.astuple(asked))) if asked.book != "no" else NoSuchBook("Not here.")

    def shelf(self, asked: ShelfAsked) -> Shelf | NoSuchBook:
        return Shelf(books=[str(asked.row), str(asked.origin), asked.address]) if asked.row else NoSuchBook()

    def fill(self, asked: ShelfAsked) -> Told:
        return Told(told=[])

    def tell(self, asked: BookTold) -> Text:
        headers = {"Cache-Control": "no-cache"}
        return Text(body=repr(msgspec.structs.astuple(asked)), content_type="text/plain", headers=headers)


CARD = Stage(
    name="books",
    purpose="Knows books.",
    functions=(Function(name="api", purpose="Answers.", fed_by=Api(Books), timeout_s=25),),
)


def _asked(**event: Any) -> tuple[int, Any]:
    response = Router(Books.routes(), Library()).respond(request("/books/{book}", **event))
    return response["statusCode"], json.loads(response["body"])


def _refused(code: str, message: str) -> dict[str, Any]:
    return {"error": {"code": code, "message": message}}


@pytest.mark.parametrize(
    ("path", "query", "headers", "told"),
    [
        ("a", {}, {}, ["a", None, None, "en"]),
        ("a", {"pages": "", "word": ""}, {"Accept-Language": ""}, ["a", None, None, "en"]),
        ("a", {"pages": "9", "word": "b", "more": "x"}, {"Accept-Language": "ko"}, ["a", 9, "B", "ko"]),
        ("a", {}, {"Accept-Language": "한국어", "X-Client": "\xff"}, ["a", None, None, "한국어"]),
    ],
)
def test_each_field_is_taken_from_its_place(
    path: str, query: dict[str, str], headers: dict[str, str], told: list[Any]
) -> None:
    assert _asked(path={"book": path}, query=query, headers=headers) == (200, {"told": told})


NO_NUMBERS = ("1_0", "+5", " 5", "5 ", "5\n", "05", "5.0", "5e0", "٥", "５", "true", "null", "[5]", "9" * 5000)


@pytest.mark.parametrize(
    ("path", "query", "status", "error"),
    [
        ("abcd", {}, 404, _refused("no_such_book", "There is no such book.")),
        ("", {}, 404, _refused("no_such_book", "There is no such book.")),
        ("no", {}, 404, _refused("no_such_book", "Not here.")),
        ("a", {"pages": "10"}, 400, _refused("bad_number", "Give a number from 1 to 9.")),
        ("a", {"pages": "x"}, 400, _refused("bad_number", "Give a number from 1 to 9.")),
        *(("a", {"pages": sent}, 400, _refused("bad_number", "Give a number from 1 to 9.")) for sent in NO_NUMBERS),
        ("a", {"word": "1"}, 400, _refused("bad_number", "Give a word.")),
        ("a", {"word": "1", "pages": "0"}, 400, _refused("bad_number", "Give a number from 1 to 9.")),
    ],
)
def test_the_first_wrong_field_is_refused_in_its_own_words(
    path: str, query: dict[str, str], status: int, error: dict[str, Any]
) -> None:
    assert _asked(path={"book": path}, query=query) == (status, error)


@pytest.mark.parametrize(
    ("body", "status", "error"),
    [
        ("{", 400, _refused("bad_json", "Send a JSON object as the request's body.")),
        ("[]", 400, _refused("bad_json", "Send a JSON object as the request's body.")),
        pytest.param(
            "x" * (MAX_BODY + 1), 413, _refused("too_large", "The request is too large; at most 5 MB."), id="long"
        ),
        ("{}", 400, _refused("missing_field", "Send 'title' in the request's JSON.")),
        ('{"title": null}', 400, _refused("missing_field", "Send 'title' in the request's JSON.")),
        ('{"title": 1}', 400, _refused("bad_field", "Send 'title' as text.")),
        ('{"title": "t", "price": "much"}', 400, _refused("bad_field", "Send 'price' as a number.")),
        ('{"title": "t", "price": "2.5"}', 400, _refused("bad_field", "Send 'price' as a number.")),
        (
            '{"title": "t", "price": 1, "is_sold": "true"}',
            400,
            _refused("bad_field", "Send 'is_sold' as true or false."),
        ),
        ('{"title": "t", "price": 1, "is_sold": 2}', 400, _refused("bad_field", "Send 'is_sold' as true or false.")),
    ],
)
def test_a_body_that_is_not_as_declared_is_refused(body: str, status: int, error: dict[str, Any]) -> None:
    assert _asked(method="PUT", path={"book": "a"}, body=body) == (status, error)


def test_a_text_is_answered_as_it_is_with_its_own_headers() -> None:
    body = '{"title": "t", "price": 2.5, "is_sold": true}'
    response = Router(Books.routes(), Library()).respond(
        request("/books/{book}", method="PUT", path={"book": "a"}, body=body)
    )
    assert (response["statusCode"], response["body"]) == (200, "('a', 't', 2.5, True)")
    assert response["headers"]["Content-Type"] == "text/plain"
    assert response["headers"]["Cache-Control"] == "no-cache"


def _shelf(**asked: Any) -> dict[str, Any]:
    return Router(Books.routes(), Library()).respond(request("/shelf", **asked))


def test_an_answer_that_holds_still_is_not_sent_again() -> None:
    first = _shelf()
    tag = first["headers"]["ETag"]
    assert (first["statusCode"], first["headers"]["Cache-Control"]) == (200, "no-cache")
    again = _shelf(headers={"If-None-Match": tag})
    assert (again["statusCode"], again["body"], again["headers"]["ETag"]) == (304, "", tag)
    assert again["headers"]["Cache-Control"] == "no-cache"
    assert "Content-Type" not in again["headers"]
    other = _shelf(query={"row": "2"}, headers={"If-None-Match": tag})
    assert (other["statusCode"], other["headers"]["ETag"] == tag) == (200, False)


@pytest.mark.parametrize(
    ("named", "status"),
    [
        ("{}", 304),
        ("W/{}", 304),
        ('"a, b", W/{}', 304),
        ('{},W/"c"', 304),
        (" * ", 304),
        ("", 200),
        ('"a"', 200),
        ('"*"', 200),
    ],
)
def test_an_answer_is_named_as_http_has_it(named: str, status: int) -> None:
    tag = _shelf()["headers"]["ETag"]
    assert _shelf(headers={"If-None-Match": named.format(tag)})["statusCode"] == status
    assert _shelf(method="HEAD", headers={"If-None-Match": named.format(tag)})["statusCode"] == status


def test_what_is_refused_or_changes_something_is_never_answered_as_unchanged() -> None:
    any_of_them = {"If-None-Match": "*"}
    assert _shelf(query={"row": "0"}, headers=any_of_them)["statusCode"] == 404
    assert _shelf(method="POST", body="{}", headers=any_of_them)["statusCode"] == 200


def test_only_what_is_got_can_be_asked_again() -> None:
    class Wrong(Questions):
        @route("POST", "/shelf", who="anybody")
        def fill(self, asked: ShelfAsked) -> Shelf:
            raise NotImplementedError

    with pytest.raises(TypeError, match="fill: only the answer to GET"):
        Wrong.routes()


@pytest.mark.parametrize(
    ("headers", "address"),
    [
        ({}, "192.0.2.1"),
        ({"X-Forwarded-For": "198.51.100.7"}, "192.0.2.1"),  # not through the front door: the client made it up
        ({"X-Forwarded-Prefix": "/api/books"}, "192.0.2.1"),
        ({"X-Forwarded-Prefix": "/api/books", "X-Forwarded-For": "198.51.100.7"}, "198.51.100.7"),
        ({"X-Forwarded-Prefix": "/api/books", "X-Forwarded-For": "10.0.0.1, 2001:db8::7"}, "2001:db8::7"),
        ({"X-Forwarded-Prefix": "/api/books", "X-Forwarded-For": "10.0.0.1,198.51.100.7, 192.0.2.1"}, "198.51.100.7"),
        ({"X-Forwarded-Prefix": "/api/books", "X-Forwarded-For": "192.0.2.1"}, "192.0.2.1"),
    ],
)
def test_a_client_is_known_by_the_address_that_the_door_saw(headers: dict[str, str], address: str) -> None:
    assert json.loads(_shelf(headers=headers)["body"])["books"][2] == address


def test_a_header_that_is_not_there_is_told_from_one_that_is() -> None:
    told = [json.loads(_shelf(headers=headers)["body"])["books"][1] for headers in ({}, {"Origin": "null"})]
    assert told == ["None", "null"]


@pytest.mark.parametrize(
    ("body", "is_base64", "status"),
    [
        ('{"row": 123456789}  ', False, 200),
        ('{"row": 123456789}   ', False, 413),
        ('{"x": "가나다라마"}', False, 413),  # 17 characters, 27 bytes
        ("eyJyb3ciOiAxMjM0NTY3ODl9ICA=", True, 200),
        ("eyJyb3ciOiAxMjM0NTY3ODl9ICAg", True, 413),
    ],
)
def test_a_body_is_as_large_as_its_route_takes(body: str, is_base64: bool, status: int) -> None:
    response = _shelf(method="POST", body=body, is_base64=is_base64)
    assert response["statusCode"] == status
    if status == 413:
        assert json.loads(response["body"]) == _refused("full_shelf", "Send less.")


def test_pages_of_other_origins_may_ask_with_the_declared_methods() -> None:
    response = Router(Books.routes(), Library()).respond(request("/books/{book}", method="OPTIONS"))
    assert (response["statusCode"], response["body"]) == (204, "")
    assert response["headers"]["Access-Control-Allow-Methods"] == "GET, HEAD, POST, PUT, OPTIONS"


@pytest.mark.parametrize("book", ["a", "no"])
def test_head_is_answered_like_get_without_the_body(book: str) -> None:
    router = Router(Books.routes(), Library())
    head, get = (
        router.respond(request("/books/{book}", method=method, path={"book": book})) for method in ("HEAD", "GET")
    )
    assert (head, get["body"] != "") == ({**get, "body": ""}, True)


def test_what_answers_put_alone_answers_no_head() -> None:
    tell = next(route for route in Books.routes() if route.name == "tell")
    assert Router((tell,), Library()).respond(request("/books/{book}", method="HEAD"))["statusCode"] == 404


def test_an_address_that_is_not_declared_is_refused() -> None:
    assert _asked(method="DELETE")[1]["error"]["code"] == "unknown_route"


@pytest.mark.parametrize(
    "failure",
    [
        Conflict("Others were first."),
        ReadTimeoutError(endpoint_url="https://nowhere"),
        ClientError({"Error": {"Code": "ThrottlingException", "Message": "slow down"}}, "Query"),
        ClientError({"Error": {"Code": "KMSThrottlingException", "Message": "slow down"}}, "PutRecords"),
        ClientError(
            {
                "Error": {"Code": "InternalFailureException", "Message": "broken"},
                "ResponseMetadata": {
                    "HTTPStatusCode": 500,
                    "RequestId": "1",
                    "HostId": "1",
                    "HTTPHeaders": {},
                    "RetryAttempts": 1,
                },
            },
            "PutRecords",
        ),
    ],
)
def test_what_may_work_later_is_busy_and_says_when_to_come_back(failure: Exception) -> None:
    library = Library()
    library.failure = failure
    response = Router(Books.routes(), library).respond(request("/books/{book}", path={"book": "a"}))
    assert (response["statusCode"], response["headers"]["Retry-After"]) == (503, "3")
    assert json.loads(response["body"]) == _refused("busy", "Books are busy.")


def test_a_failure_of_ours_is_raised() -> None:
    library = Library()
    library.failure = ClientError({"Error": {"Code": "AccessDeniedException", "Message": "no"}}, "Query")
    with pytest.raises(ClientError):
        Router(Books.routes(), library).respond(request("/books/{book}", path={"book": "a"}))


def test_the_document_says_who_may_ask_and_how_it_refuses() -> None:
    made = document(CARD)
    look, tell = made["paths"]["/books/{book}"]["get"], made["paths"]["/books/{book}"]["put"]
    assert "security" not in look
    assert tell["security"] == [{"sigv4": []}]
    assert made["components"]["securitySchemes"]["sigv4"]["x-amazon-apigateway-authtype"] == "awsSigv4"
    assert (tell["summary"], tell["description"]) == ("Tell of a book", "Whoever tells must sign.")
    assert [(each["name"], each["in"], each.get("required", False)) for each in look["parameters"]] == [
        ("book", "path", True),
        ("pages", "query", False),
        ("word", "query", False),
        ("accept-language", "header", False),
    ]
    schema = tell["requestBody"]["content"]["application/json"]["schema"]
    assert schema["required"] == ["title", "price"]
    assert schema["properties"]["is_sold"] == {"type": "boolean", "default": False}
    assert set(look["responses"]) == {"200", "400", "403", "404", "413", "429", "503", "default"}
    assert set(tell["responses"]) == {"200", "400", "403", "404", "413", "429", "503", "default"}
    assert set(tell["responses"]["400"]["content"]["application/json"]["examples"]) == {
        "bad_field",
        "bad_json",
        "missing_field",
    }
    assert "Retry-After" in look["responses"]["503"]["headers"]


def test_the_document_says_what_may_be_asked_again_and_nothing_of_addresses() -> None:
    made = document(CARD)["paths"]["/shelf"]
    get, post = made["get"], made["post"]
    assert [each["name"] for each in get["parameters"]] == ["row", "origin", "if-none-match"]
    assert [each["name"] for each in post["parameters"]] == ["origin"]
    assert set(post["requestBody"]["content"]["application/json"]["schema"]["properties"]) == {"row"}
    assert (set(get["responses"]["304"]), set(get["responses"]["200"]["headers"])) == (
        {"description", "headers"},
        {"ETag"},
    )
    assert not any("address" in refusal.message for route in Books.routes() for refusal in route.refusals)
    assert "full_shelf" in post["responses"]["413"]["content"]["application/json"]["examples"]


def test_a_function_imports_neither_the_description_nor_a_framework() -> None:
    """Each costs a cold start 50 ms and more, and serves nobody who waits for an answer."""
    imports = "import sys, services.search.functions.api; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", imports], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert "shared.kit.api.routes" in loaded
    assert loaded & {"shared.kit.api.openapi", "pydantic", "aws_lambda_powertools.event_handler", "catalogue"} == set()
