"""docs/api.md: what each stage's API takes, answers and refuses, and who may call what; docs/openapi-<stage>.yaml.

The latter are for programs that read OpenAPI.
"""

from __future__ import annotations

import inspect
import typing
from collections.abc import Iterable, Iterator
from http import HTTPStatus
from typing import Annotated, Any

import msgspec
import yaml

from catalogue.markdown import code, in_one_line, table
from services import cards
from shared.contracts.api import BEFORE_ANY_ROUTE, Argument, Content, Refusal, Route
from shared.contracts.card import Stage
from shared.kit.api.openapi import document, interfaces

HEAD = """# The APIs

Made from the stages' `questions.py` by `python -m catalogue`; a test keeps it true. Behind the front door the API of a
stage is at `/api/<stage>`. What is refused is JSON, `{"error": {"code", "message"}}`. HEAD is answered like GET,
without the body.

"""
OPENAPI_HEAD = (
    "# The API of the {0} stage. Made from services/{0}/questions.py by `python -m catalogue`; a test keeps it true.\n"
)
KINDS = {str: "Text", int: "A whole number", float: "A number", bool: "true or false"}
WHO = {"anybody": "anybody", "operator": "who signs with an AWS identity that is allowed to"}


def pages() -> dict[str, str]:
    """The page, and the document of each stage that has an API."""
    serving = [card for card in cards() if card.serving]
    rows = [_who(card, route) for card in serving for route in _routes(card)]
    who = "## Who may call what\n\n" + table(("stage", "route", "who", "requests a second (at once)"), rows)
    before = "## What is refused whatever the route\n\n" + table(
        ("refuses", "status", "sentence"), _refused(BEFORE_ANY_ROUTE)
    )
    page = HEAD + "\n".join([who, before, *(part for card in serving for part in _stage(card))])
    return {"docs/api.md": page, **{f"docs/{_openapi(card)}": _document(card) for card in serving}}


def _openapi(card: Stage) -> str:
    return f"openapi-{card.name}.yaml"


def _document(card: Stage) -> str:
    text: str = yaml.safe_dump(document(card), sort_keys=False, width=118, allow_unicode=True)
    return OPENAPI_HEAD.format(card.name) + text


def _routes(card: Stage) -> Iterator[Route]:
    for function in card.serving:
        yield from function.routes


def _who(card: Stage, route: Route) -> tuple[str, str, str, str]:
    let_through = f"{route.throttle.rate:,} ({route.throttle.burst:,})" if route.throttle else "as the whole API"
    return card.name, code(f"{route.method} {route.path}"), WHO[route.who], let_through


def _stage(card: Stage) -> Iterator[str]:
    about = "\n\n".join(inspect.getdoc(questions) or "" for questions in interfaces(card))
    yield f"## {card.name}\n\n{about}\n\nFor programs: [{_openapi(card)}]({_openapi(card)}).\n"
    yield from map(_route, _routes(card))


def _route(route: Route) -> str:
    parts = (
        f"### {code(f'{route.method} {route.path}')}\n",
        f"{route.description}\n",
        table(("takes", "in", "as"), map(_taken, route.arguments)),
        f"Answers {_answer(route)}.\n",
        table(("refuses", "status", "sentence"), _refused(route.refusals)),
    )
    return "\n".join(parts)


def _taken(argument: Argument) -> tuple[str, str, str]:
    meaning = list(_meaning(argument))
    if not argument.required and argument.default not in (None, ""):
        default = msgspec.json.encode(argument.default).decode()
        meaning.append(f"By default {code(default)}.")
    return code(argument.key) + ("" if argument.required else " (optional)"), argument.source, " ".join(meaning)


def _meaning(argument: Argument) -> Iterator[str]:
    """Sentences on what a client should send."""
    hint = argument.described
    kind, *metas = (hint.__origin__, *hint.__metadata__) if typing.get_origin(hint) is Annotated else (hint,)
    options = typing.get_args(kind)
    if typing.get_origin(kind) is list:
        yield _list_of(options[0])
    else:
        yield f"{', '.join(options[:-1])} or {options[-1]}." if options else f"{KINDS[kind]}."
    for meta in metas:
        if meta.ge is not None:
            yield f"From {meta.ge} to {meta.le}."
        if meta.max_length is not None:
            yield f"At most {meta.max_length}{'' if typing.get_origin(kind) is list else ' characters'}."
        if meta.pattern is not None:
            yield f"Of the form {code(meta.pattern)}."
        if meta.description is not None:
            yield meta.description


def _list_of(structs: Any) -> str:
    """A sentence on the objects that a list may have: the text by which each is told from others, and its fields."""
    named = (
        f"{code(struct.__struct_config__.tag)} ({', '.join(map(code, struct.__struct_encode_fields__))})"
        for struct in typing.get_args(structs)
    )
    return f"A list of objects, by {code(typing.get_args(structs)[0].__struct_config__.tag_field)}: {', '.join(named)}."


def _answer(route: Route) -> str:
    if issubclass(route.answers, Content):
        return f"{' or '.join(route.answers.TYPES)}: {in_one_line(route.answers).removesuffix('.')}"
    fields = ", ".join(map(code, route.answers.__struct_encode_fields__))
    kept = ". It has an `ETag`; who sends that as `If-None-Match` is answered 304 while it holds"
    about = in_one_line(route.answers).removesuffix(".") + (kept if route.is_revalidated else "")
    return f"{code(route.answers.__name__)} ({fields}): {about}"


def _refused(refusals: Iterable[Refusal]) -> Iterator[tuple[str, str, str]]:
    for refusal in refusals:
        status = HTTPStatus(refusal.STATUS)
        yield code(refusal.CODE), f"{status.value} {status.phrase}", refusal.message
