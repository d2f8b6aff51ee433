"""The API's declarations: an interface class in a stage's `questions.py`, of which each method is a route.

    class SearchApi(Questions):
        @route("GET", "/races/{organizer_id}/{event_id}", who="anybody")
        @abstractmethod
        def race(self, asked: RaceAsked) -> RaceAnswer | UnknownRace:
            \"\"\"A race.\"\"\"

The method's name is the operation's, its argument what the route takes, its result what it answers, its docstring the
description. A result that is a Refusal is a way in which the route refuses: the function implements the interface, so
that a refusal that is not declared is a type error. Router, validation, OpenAPI, throttles and documents follow.
"""

from __future__ import annotations

import inspect
import typing
from abc import ABC
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, TypeVar

import msgspec

Method = Literal["GET", "POST", "PUT", "DELETE"]
Who = Literal["anybody", "operator"]
"""Who may ask: anybody, or who signs requests with an identity of the AWS account that is allowed to."""


@dataclass(frozen=True, kw_only=True)
class Throttle:
    """Requests a second that API Gateway lets through to a route, and how many may come at once."""

    rate: int
    burst: int


class Refusal(msgspec.Struct, frozen=True):
    """Why a request is not answered: `CODE` is for programs, the sentence for people says what to do."""

    CODE: ClassVar[str]
    STATUS: ClassVar[int]

    message: str


@dataclass(frozen=True, kw_only=True)
class Route:
    """A route, as its declaration says it. `answers` and `refusals` are types."""

    name: str
    method: Method
    path: str
    who: Who
    throttle: Throttle | None
    takes: type[msgspec.Struct]
    answers: type
    refusals: tuple[type[Refusal], ...]
    description: str


class Questions(ABC):  # noqa: B024 - a subclass's routes are abstract
    """Base of a stage's API."""

    @classmethod
    def routes(cls) -> tuple[Route, ...]:
        """The routes, in the order of their declaration."""
        return tuple(_route_of(method) for method in vars(cls).values() if hasattr(method, "declared"))


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


def route(method: Method, path: str, *, who: Who, throttle: Throttle | None = None) -> Callable[[F], F]:
    """Declare a method of Questions as a route."""

    def declare(function: F) -> F:
        function.declared = (method, path, who, throttle)  # type: ignore[attr-defined]
        return function

    return declare


def _route_of(function: Any) -> Route:
    method, path, who, throttle = function.declared
    hints = typing.get_type_hints(function)
    result = hints.pop("return")
    (takes,) = hints.values()
    outcomes = typing.get_args(result) or (result,)
    (answers,) = (each for each in outcomes if not issubclass(each, Refusal))
    return Route(
        name=function.__name__,
        method=method,
        path=path,
        who=who,
        throttle=throttle,
        takes=takes,
        answers=answers,
        refusals=tuple(each for each in outcomes if issubclass(each, Refusal)),
        description=inspect.getdoc(function) or "",
    )
