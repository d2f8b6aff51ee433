"""The API's declarations: an interface class in a stage's `questions.py`, of which each method is a route.

    class SearchApi(Questions):
        @route("GET", "/races/{organizer_id}/{event_id}", who="anybody")
        @abstractmethod
        def race(self, asked: RaceAsked) -> RaceAnswer | UnknownRace:
            \"\"\"A race.\"\"\"

The method's name is the operation's, its argument what the route takes, its result what it answers, its docstring the
description. A result that is a Refusal is a way in which the route refuses: the function implements the interface, so
that a refusal that is not declared is a type error. Router, validation, OpenAPI, throttles and documents follow.

    class RaceAsked(msgspec.Struct, frozen=True, kw_only=True):
        event_id: Annotated[str, Meta(max_length=64), Otherwise(UnknownRace())]

Fields of the argument that the path names come from the path; the others of a GET or DELETE from the query string, of a
POST or PUT from the JSON body. What is empty counts as not given. A value that its type or its Meta does not take is
refused as `Otherwise` says. Fields are looked at in their order, and the first that is wrong decides. Numbers, true and
false are written as in JSON everywhere; in a body they are no text.
"""

from __future__ import annotations

import inspect
import re
import string
import typing
from abc import ABC
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Any, ClassVar, Literal, TypeVar

import msgspec

Method = Literal["GET", "POST", "PUT", "DELETE"]
HEAD = "HEAD"
Source = Literal["path", "query", "body", "header", "address"]
Who = Literal["anybody", "operator"]
"""Who may ask: anybody, or who signs requests with an identity of the AWS account that is allowed to."""


MAX_BODY = 5_700_000
"""Characters of a request's body. Lambda takes 6 MB of request (InvokeFunction), API Gateway's part of it included."""


@dataclass(frozen=True)
class BodyLimit:
    """The most bytes that the body of a route's requests may have, and how a larger one is refused."""

    most_bytes: int
    otherwise: Refusal


@dataclass(frozen=True, kw_only=True)
class Throttle:
    """Requests a second that API Gateway lets through to a route of everybody, and how many may come at once.

    `each_client` is how many a minute the firewall lets one client send (source of its limits: AWS WAF,
    RateBasedStatement).
    """

    rate: int
    burst: int
    each_client: int

    def __post_init__(self) -> None:
        if not 10 <= self.each_client <= 2_000_000_000:
            raise ValueError("The firewall bounds a client to between 10 and 2,000,000,000 requests a minute.")


# --- answers and refusals ---------------------------------------------------------------------------------


class Content(msgspec.Struct, frozen=True, kw_only=True):
    """An answer that is not JSON: a text of one of the media `TYPES`; `headers` are added to those of every answer."""

    TYPES: ClassVar[tuple[str, ...]] = ()

    body: str
    content_type: str
    headers: Mapping[str, str] = {}


class Revalidated(msgspec.Struct, frozen=True, kw_only=True):
    """Base of answers that a client may keep, and ask again whether they still hold.

    They have an ETag, the digest of their body; who names it in If-None-Match is answered 304, without the body, while
    the answer is the same (RFC 9110, 13.1.2). It is worked out each time all the same: what is saved is the sending.
    """


@dataclass(frozen=True)
class Refusal:
    """Why a request is not answered: `CODE` is for programs, the sentence for people says what to do.

    A subclass with a status has a code of its own, its name: UnknownRace refuses with `unknown_race`. Its docstring is
    the sentence. Several sentences can have one code: by a subclass of the subclass, or as argument.
    """

    CODE: ClassVar[str]
    STATUS: ClassVar[int]
    HEADERS: ClassVar[Mapping[str, str]] = {}

    sentence: str = ""

    def __init_subclass__(cls, status: int | None = None) -> None:
        if status is not None:
            cls.CODE, cls.STATUS = re.sub(r"(?<!^)(?=[A-Z])", "_", cls.__name__).lower(), status

    @property
    def message(self) -> str:
        """The sentence."""
        return self.sentence or inspect.cleandoc(self.__doc__ or "")


class UnknownRoute(Refusal, status=404):
    """There is no such address. See the API's description."""


class BadJson(Refusal, status=400):
    """Send a JSON object as the request's body."""


class TooLarge(Refusal, status=413):
    """The request is too large; at most 5 MB."""


class TooManyRequests(Refusal, status=429):
    """Too many requests. Wait a minute and try again."""

    HEADERS: ClassVar[Mapping[str, str]] = {"Retry-After": "60"}


class Refused(Refusal, status=403):
    """The request cannot be taken as it is. See the API's description."""


class NotLetThrough(Refusal, status=403):
    """The request was not let through: it looks like an attack, or does not say which program sends it."""


class MissingField(Refusal, status=400):
    """The body lacks a field."""


class BadField(Refusal, status=400):
    """A field of the body is not what it should be."""


class Busy(Refusal, status=503):
    """There is too much to do just now. Try again in a few seconds."""

    HEADERS: ClassVar[Mapping[str, str]] = {"Retry-After": "3"}


BEFORE_ANY_ROUTE: tuple[Refusal, ...] = (Refused(), NotLetThrough(), TooLarge(), TooManyRequests())
"""How API Gateway and the firewall refuse a request, whichever route it is for."""


def as_error(refusal: Refusal) -> bytes:
    """The JSON of an answer that refuses, whoever gives it."""
    return error(refusal.CODE, refusal.message)


def error(code: str, message: str) -> bytes:
    """The JSON of an answer that refuses, from a code for programs and a sentence for people."""
    return msgspec.json.encode({"error": {"code": code, "message": message}})


# --- what a route takes -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Otherwise:
    """Marks a field: how a value is refused that is not as its type, its Meta or its `Reads` want it."""

    refusal: Refusal


@dataclass(frozen=True)
class Reads:
    """Marks a field that holds what a pure function makes of the value that was sent, None if it cannot be read.

    The function's argument has the type that is sent, which the field's Meta constrains.
    """

    function: Callable[[Any], Any]


@dataclass(frozen=True)
class Described:
    """Marks a field whose parts the route looks at by itself: the type that a client should send."""

    kind: Any


@dataclass(frozen=True)
class Header:
    """Marks a field that comes from a header of this name (in lower case)."""

    name: str


@dataclass(frozen=True)
class SourceAddress:
    """Marks a field that holds the IP address from which the client asks.

    It tells clients apart and proves nothing: shared/kit/api/request.py says when a client can make it up.
    """


@dataclass(frozen=True, kw_only=True)
class Argument:
    """One of the things a route takes: field `name` of its argument, under `key` in a part of the request.

    `plain` is the type of what is sent, `sent` the same with its constraints, `described` what a client should send.
    `mistyped` refuses what is not even of the plain type. `refusals` are those of the three that can come.
    """

    name: str
    key: str
    source: Source
    plain: Any
    sent: Any
    described: Any
    reads: Callable[[Any], Any] | None
    required: bool
    default: Any
    missing: Refusal
    mistyped: Refusal
    otherwise: Refusal
    refusals: tuple[Refusal, ...]


_IN_WORDS: dict[Any, str] = {str: "text", int: "a whole number", float: "a number", bool: "true or false"}


def _argument(field: msgspec.structs.FieldInfo, method: Method, path: str) -> Argument:
    base, marks = _taken_apart(field.type)
    header = next((mark.name for mark in marks if isinstance(mark, Header)), None)
    reads = next((mark.function for mark in marks if isinstance(mark, Reads)), None)
    plain = base if reads is None else _argument_type(reads)
    asked_as = next((mark.kind for mark in marks if isinstance(mark, Described)), base if plain is Any else plain)
    constraints = [mark for mark in marks if isinstance(mark, msgspec.Meta)]
    key = header or field.encode_name
    source: Source = "header" if header else _source(key, method, path)
    if any(isinstance(mark, SourceAddress) for mark in marks):
        source = "address"
    bad_field = BadField(f"Send '{key}' as {_IN_WORDS.get(plain, 'described')}.")
    otherwise = next((mark.refusal for mark in marks if isinstance(mark, Otherwise)), bad_field)
    asked_for = field.required and source == "body"
    missing = MissingField(f"Send '{key}' in the request's JSON.") if asked_for else otherwise
    mistyped = bad_field if asked_for else otherwise
    possible = (
        (missing, field.required),
        (mistyped, plain is not Any and (plain is not str or source == "body")),
        (otherwise, otherwise is not bad_field or any(map(_limits, constraints))),
    )
    return Argument(
        name=field.name,
        key=key,
        source=source,
        plain=plain,
        sent=_constrained(plain, constraints),
        described=_constrained(asked_as, constraints),
        reads=reads,
        required=field.required,
        default=field.default,
        missing=missing,
        mistyped=mistyped,
        otherwise=otherwise,
        refusals=tuple(refusal for refusal, can_come in possible if can_come and source != "address"),
    )


def _constrained(kind: Any, constraints: list[msgspec.Meta]) -> Any:
    return Annotated[kind, *constraints] if constraints else kind


def _limits(meta: msgspec.Meta) -> bool:
    bounds = (meta.gt, meta.ge, meta.lt, meta.le, meta.multiple_of, meta.pattern, meta.min_length, meta.max_length)
    return any(bound is not None for bound in bounds)


def _source(key: str, method: Method, path: str) -> Source:
    if key in {name for _, name, _, _ in string.Formatter().parse(path)}:
        return "path"
    return "query" if method in ("GET", "DELETE") else "body"


def _taken_apart(hint: Any) -> tuple[Any, list[Any]]:
    """The type of a value that is given, and its marks: of `Annotated[Annotated[str, 1] | None, 2]` str, 1 and 2."""
    inner, *marks = typing.get_args(hint) if typing.get_origin(hint) is Annotated else (hint,)
    options = typing.get_args(inner)
    if type(None) in options:
        (inner,) = (each for each in options if each is not type(None))
    if inner is hint:
        return hint, marks
    base, inner_marks = _taken_apart(inner)
    return base, inner_marks + marks


def _argument_type(function: Callable[[Any], Any]) -> Any:
    """The type that a function takes; what takes anything, as `str` does, says none."""
    if inspect.isclass(function):
        return Any
    hints = typing.get_type_hints(function)
    return next(hint for name, hint in hints.items() if name != "return")


# --- routes -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Route:
    """A route, as its declaration says it. `declared` are the refusals of its method, `busy` that of every route."""

    name: str
    method: Method
    path: str
    who: Who
    throttle: Throttle | None
    body_limit: BodyLimit
    takes: type[msgspec.Struct]
    answers: type[msgspec.Struct]
    declared: tuple[type[Refusal], ...]
    busy: Refusal
    description: str

    @cached_property
    def arguments(self) -> tuple[Argument, ...]:
        """What it takes, in the order in which it is looked at."""
        return tuple(_argument(field, self.method, self.path) for field in msgspec.structs.fields(self.takes))

    @property
    def methods(self) -> tuple[str, ...]:
        """The methods it is asked with: HEAD gets what GET gets, without the body (RFC 9110, 9.3.2)."""
        return (self.method, HEAD) if self.method == "GET" else (self.method,)

    @property
    def is_revalidated(self) -> bool:
        """Whether its answer has an ETag, and may be 304."""
        return issubclass(self.answers, Revalidated)

    @property
    def has_body(self) -> bool:
        """Whether it takes a JSON body."""
        return any(argument.source == "body" for argument in self.arguments)

    @property
    def refusals(self) -> tuple[Refusal, ...]:
        """All ways in which it refuses, each sentence once: by status, then by code."""
        body = (BadJson(), self.body_limit.otherwise) if self.has_body else ()
        arguments = (refusal for argument in self.arguments for refusal in argument.refusals)
        every = (*body, *arguments, *(refusal() for refusal in self.declared), self.busy)
        unique = {(refusal.STATUS, refusal.CODE, refusal.message): refusal for refusal in every}
        return tuple(unique[key] for key in sorted(unique))


class Questions(ABC):  # noqa: B024 - a subclass's routes are abstract
    """Base of a stage's API. Any route may be `BUSY`: an AWS service that it calls is throttled or does not answer."""

    BUSY: ClassVar[Busy] = Busy()

    @classmethod
    def routes(cls) -> tuple[Route, ...]:
        """The routes, in the order of their declaration."""
        return tuple(_route_of(method, cls.BUSY) for method in vars(cls).values() if hasattr(method, "declared"))


@dataclass(frozen=True)
class Api:
    """A feed: the stage's REST API, with the routes of an interface."""

    questions: type[Questions]

    @property
    def routes(self) -> tuple[Route, ...]:
        """What is answered."""
        return self.questions.routes()

    @property
    def rules(self) -> tuple[()]:
        """None: requests come, not events."""
        return ()


F = TypeVar("F", bound=Callable[..., Any])

_AS_LAMBDA_TAKES = BodyLimit(MAX_BODY, TooLarge())


def route(
    method: Method, path: str, *, who: Who, throttle: Throttle | None = None, body_limit: BodyLimit = _AS_LAMBDA_TAKES
) -> Callable[[F], F]:
    """Declare a method of Questions as a route."""

    def declare(function: F) -> F:
        function.declared = (method, path, who, throttle, body_limit)  # type: ignore[attr-defined]
        return function

    return declare


def _route_of(function: Any, busy: Busy) -> Route:
    method, path, who, throttle, body_limit = function.declared
    hints = typing.get_type_hints(function)
    result = hints.pop("return")
    (takes,) = hints.values()
    outcomes = typing.get_args(result) or (result,)
    (answers,) = (each for each in outcomes if not issubclass(each, Refusal))
    if issubclass(answers, Revalidated) and method != "GET":
        raise TypeError(f"{function.__name__}: only the answer to GET can be kept and asked again.")
    return Route(
        name=function.__name__,
        method=method,
        path=path,
        who=who,
        throttle=throttle,
        body_limit=body_limit,
        takes=takes,
        answers=answers,
        declared=tuple(each for each in outcomes if issubclass(each, Refusal)),
        busy=busy,
        description=inspect.getdoc(function) or "",
    )
