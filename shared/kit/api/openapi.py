"""The OpenAPI 3.1 document of a stage's API, whole, from its routes. For documents: no function imports it."""

from __future__ import annotations

import inspect
from collections.abc import Iterable
from http import HTTPStatus
from typing import Any

import msgspec

from shared.contracts.api import BEFORE_ANY_ROUTE, Api, Argument, Content, Questions, Refusal, Route, UnknownRoute
from shared.contracts.card import Stage

Json = dict[str, Any]
_REF = "#/components/schemas/{name}"
_GENERAL = (
    'Errors are JSON, `{"error": {"code", "message"}}`; the message says what to do. Behind the front door the API is '
    "at `%s`; each deployment also has its own API Gateway address. HEAD is answered like GET, without the body."
)
_ERROR_CONTENT: Json = {"application/json": {"schema": {"$ref": _REF.format(name="ErrorAnswer")}}}
_SIGNED: Json = {
    "sigv4": {
        "type": "apiKey",
        "name": "Authorization",
        "in": "header",
        "description": "AWS Signature Version 4, by an identity that is allowed to call the route.",
        "x-amazon-apigateway-authtype": "awsSigv4",
    }
}
_IF_NONE_MATCH: Json = {
    "name": "if-none-match",
    "in": "header",
    "description": "The `ETag` of an answer that the client has.",
    "schema": {"type": "string"},
}
_ETAG: Json = {"ETag": {"description": "Names this answer.", "schema": {"type": "string"}}}
_UNCHANGED: Json = {
    "description": "The answer is the one that `If-None-Match` names; it is not sent again.",
    "headers": _ETAG,
}


def interfaces(card: Stage) -> tuple[type[Questions], ...]:
    """What the stage answers, an interface for each function that serves one."""
    return tuple(function.fed_by.questions for function in card.serving if isinstance(function.fed_by, Api))


def document(card: Stage) -> Json:
    """The document, in plain JSON types."""
    routes = [route for questions in interfaces(card) for route in questions.routes()]
    schemas = _Schemas(routes)
    paths: dict[str, Json] = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route, schemas)
    about = [" ".join((inspect.getdoc(questions) or "").split()) for questions in interfaces(card)]
    door = f"/api/{card.name}"
    made: Json = {
        "openapi": "3.1.0",
        "info": {
            "title": f"SnapRace {card.name}",
            "version": "1",
            "description": " ".join([*about, _GENERAL % door]),
        },
        "servers": [{"url": door}],
        "paths": paths,
        "components": {
            **({"securitySchemes": _SIGNED} if any(route.who == "operator" for route in routes) else {}),
            "schemas": {**schemas.components, **_error(routes)},
        },
    }
    plain: Json = msgspec.json.decode(msgspec.json.encode(made))  # defaults, too, as they are in JSON
    return plain


class _Schemas:
    """The schemas of all types that the routes take and answer; structs are components."""

    def __init__(self, routes: Iterable[Route]) -> None:
        types = [argument.described for route in routes for argument in route.arguments]
        types += [route.answers for route in routes if not issubclass(route.answers, Content)]
        schemas, self.components = msgspec.json.schema_components(types, ref_template=_REF)
        for component in self.components.values():
            component["description"] = " ".join(component["description"].split())
        self._by_type = {repr(kind): schema for kind, schema in zip(types, schemas, strict=True)}

    def of(self, kind: Any) -> Json:
        """The schema of a type."""
        return dict(self._by_type[repr(kind)])


def _operation(route: Route, schemas: _Schemas) -> Json:
    summary, _, description = route.description.partition("\n")
    described: Json = {
        "operationId": route.name,
        "summary": summary.strip().removesuffix("."),
        "description": " ".join(description.split()),
        "parameters": [
            *(_parameter(each, schemas) for each in route.arguments if each.source not in ("body", "address")),
            *([_IF_NONE_MATCH] if route.is_revalidated else []),
        ],
        "requestBody": _body(route, schemas) if route.has_body else None,
        "responses": {
            "200": _answer(route, schemas),
            **({"304": _UNCHANGED} if route.is_revalidated else {}),
            **_refusals(route),
        },
        "security": [{"sigv4": []}] if route.who == "operator" else None,
    }
    return {name: value for name, value in described.items() if value}


def _parameter(argument: Argument, schemas: _Schemas) -> Json:
    schema = _with_default(argument, schemas)
    description = schema.pop("description", None)
    return {
        "name": argument.key,
        "in": argument.source,
        **({"required": True} if argument.required else {}),
        **({"description": description} if description else {}),
        "schema": schema,
    }


def _body(route: Route, schemas: _Schemas) -> Json:
    fields = [argument for argument in route.arguments if argument.source == "body"]
    schema = {
        "type": "object",
        "required": [argument.key for argument in fields if argument.required],
        "properties": {argument.key: _with_default(argument, schemas) for argument in fields},
    }
    return {"required": True, "content": {"application/json": {"schema": schema}}}


def _with_default(argument: Argument, schemas: _Schemas) -> Json:
    given = argument.required or argument.default in (None, "")
    return schemas.of(argument.described) | ({} if given else {"default": argument.default})


def _answer(route: Route, schemas: _Schemas) -> Json:
    description = " ".join((inspect.getdoc(route.answers) or "").split())
    if issubclass(route.answers, Content):
        return {"description": description, "content": {kind: {} for kind in route.answers.TYPES}}
    return {
        "description": description,
        **({"headers": _ETAG} if route.is_revalidated else {}),
        "content": {"application/json": {"schema": schemas.of(route.answers)}},
    }


def _refusals(route: Route) -> Json:
    """A response for each status, with an example for each code; and one for what is not of the route's making.

    API Gateway keeps the status of what it refuses by itself (source: its response types DEFAULT_4XX and DEFAULT_5XX).
    """
    by_status: dict[int, list[Refusal]] = {}
    for refusal in (*route.refusals, *BEFORE_ANY_ROUTE):
        by_status.setdefault(refusal.STATUS, []).append(refusal)
    responses = {str(status): _refused(status, by_status[status]) for status in sorted(by_status)}
    return {**responses, "default": {"description": "Refused on the way to the API.", "content": _ERROR_CONTENT}}


def _refused(status: int, refusals: list[Refusal]) -> Json:
    headers = sorted({name for refusal in refusals for name in refusal.HEADERS})
    messages = {refusal.CODE: refusal.message for refusal in reversed(refusals)}  # of several the first
    examples = {
        code: {"value": {"error": {"code": code, "message": message}}} for code, message in sorted(messages.items())
    }
    return {
        "description": f"{HTTPStatus(status).phrase}: {', '.join(examples)}.",
        **({"headers": {name: {"schema": {"type": "string"}} for name in headers}} if headers else {}),
        "content": {"application/json": {**_ERROR_CONTENT["application/json"], "examples": examples}},
    }


def _error(routes: Iterable[Route]) -> Json:
    """The body of all refusals. The codes are examples, since who stands between may refuse with others."""
    refusals = [*BEFORE_ANY_ROUTE, UnknownRoute(), *(refusal for route in routes for refusal in route.refusals)]
    codes = {refusal.CODE for refusal in refusals}
    return {
        "ErrorAnswer": {
            "title": "ErrorAnswer",
            "description": "The body of every answer that is not 2xx.",
            "type": "object",
            "properties": {"error": {"$ref": _REF.format(name="Error")}},
            "required": ["error"],
        },
        "Error": {
            "title": "Error",
            "description": "Why a request was refused: a code for programs, and a sentence for people that says what "
            "to do.",
            "type": "object",
            "properties": {"code": {"type": "string", "examples": sorted(codes)}, "message": {"type": "string"}},
            "required": ["code", "message"],
        },
    }
