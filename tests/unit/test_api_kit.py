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
    Busy,
    Content,
    Header,
    Otherwise,
    Questions,
    Reads,
    Refusal,
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


class Books(Questions):
    """Books."""

    BUSY: ClassVar[Busy] = Busy("Books are busy.")

    @route("GET", "/books/{book}", who="anybody")
    @abstractmethod
    def look(self, asked: BookAsked) -> Told | NoSuchBook:
        """A book."""

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
        ("x" * (MAX_BODY + 1), 413, _refused("too_large", "The request is too large; at most 5 MB.")),
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


def test_pages_of_other_origins_may_ask_with_the_declared_methods() -> None:
    response = Router(Books.routes(), Library()).respond(request("/books/{book}", method="OPTIONS"))
    assert (response["statusCode"], response["body"]) == (204, "")
    assert response["headers"]["Access-Control-Allow-Methods"] == "GET, HEAD, PUT, OPTIONS"


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


def test_a_function_imports_neither_the_description_nor_a_framework() -> None:
    """Each costs a cold start 50 ms and more, and serves nobody who waits for an answer."""
    imports = "import sys, services.search.functions.api; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", imports], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert "shared.kit.api.routes" in loaded
    assert loaded & {"shared.kit.api.openapi", "pydantic", "aws_lambda_powertools.event_handler", "catalogue"} == set()
