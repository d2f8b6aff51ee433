"""The entry of a function behind a stage's REST API: each request goes to the method that the card's route names.

    handler = serves(STAGE, "api", lambda here: Search(Gallery(here.records)))

API Gateway has matched the route and taken the path apart already, so one look into a table is all the routing.
"""

from __future__ import annotations

from typing import Any

import msgspec
from botocore.exceptions import ClientError, HTTPClientError

from shared.contracts.api import HEAD, Questions, Refusal, Route, UnknownRoute
from shared.contracts.card import Stage
from shared.contracts.errors import TemporaryFailure
from shared.kit.api.arguments import arguments
from shared.kit.api.request import Request, Response
from shared.kit.entry import Build, Entry
from shared.kit.failures import Kind, kind_of

_PREFLIGHT = Response(body="", status=204)


class Router:
    """Answers requests by the methods of `api`, which implements the interface that declares `routes`."""

    def __init__(self, routes: tuple[Route, ...], api: Questions) -> None:
        self._routes: dict[tuple[str, str], Route] = {
            (method, route.path): route for route in routes for method in route.methods
        }
        self._api = api
        # Pages of other origins may ask too: nothing here depends on cookies.
        self._cors = {
            "Access-Control-Allow-Origin": "*",
            "Access-Control-Allow-Methods": ", ".join([*sorted({method for method, _ in self._routes}), "OPTIONS"]),
            "Access-Control-Allow-Headers": "Content-Type",
            "Access-Control-Max-Age": "86400",
        }

    def respond(self, event: dict[str, Any]) -> dict[str, Any]:
        """API Gateway's response to API Gateway's event."""
        request = Request.from_event(event)
        response = (
            _PREFLIGHT
            if request.method == "OPTIONS"
            else Response.to(self._outcome(request), request.headers.get("if-none-match", ""))
        )
        if request.method == HEAD:
            response = msgspec.structs.replace(response, body="")
        return response.to_event(self._cors)

    def _outcome(self, request: Request) -> msgspec.Struct | Refusal:
        """What the route comes to: what is refused or too much just now is an answer too."""
        route = self._routes.get((request.method, request.resource))
        if route is None:
            return UnknownRoute()
        asked = arguments(route, request)
        if isinstance(asked, Refusal):
            return asked
        try:
            answer: msgspec.Struct | Refusal = getattr(self._api, route.name)(asked)
        except (TemporaryFailure, HTTPClientError):
            return route.busy
        except ClientError as error:
            if kind_of(error) not in (Kind.THROTTLED, Kind.TEMPORARY):
                raise
            return route.busy
        return answer


def serves(stage: Stage, function: str, build: Build[Questions]) -> Entry[Router]:
    """The entry of a function that answers its card's routes; `build` makes what implements their interface."""
    routes = stage.function(function).routes
    return Entry(stage, function, lambda here: Router(routes, build(here)), _respond)


def _respond(router: Router, event: dict[str, Any], context: Any, entry: Entry[Router]) -> dict[str, Any]:
    entry.deadline.begin(context)
    with entry.telemetry.request(f"{event['httpMethod']} {event['resource']}"):
        return router.respond(event)
