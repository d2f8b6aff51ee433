"""Every route of every stage's API is answered by its function, under the address that clients use."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from typing import NamedTuple

import httpx

from ops.reach.cards import in_order
from ops.verify.check import Check
from ops.verify.deployed import Deployed
from shared.contracts.api import BadJson, Route
from shared.contracts.card import Stage
from shared.contracts.keys import PROBE

_SECONDS = 30.0  # a function may have to be started first


class _Question(NamedTuple):
    """A request for one method of a route, with which nothing is asked for in earnest."""

    stage: str
    route: Route
    method: str
    url: str


def routes(deployed: Deployed) -> Iterator[Check]:
    """A check for each problem that a stage's routes have."""
    questions = [each for card in in_order() if card.serving for each in _questions(deployed, card)]
    problems: dict[tuple[str, str], list[_Question]] = defaultdict(list)
    with httpx.Client(timeout=_SECONDS, trust_env=deployed.target.local is None) as client:
        answers = deployed.pool.map(lambda question: _problem(client, question), questions)
        for question, problem in zip(questions, answers, strict=True):
            if problem:
                problems[question.stage, problem].append(question)
    for (stage, problem), met in problems.items():
        named = ", ".join(f"{question.method} {question.route.path}" for question in met)
        yield Check(
            name=f"apis: {stage}",
            ok=False,
            seen=f"{named}: {problem}",
            expected="an answer of the stage's function",
            advice=f"curl -i -X {met[0].method} '{met[0].url}'",
        )
    if questions and not problems:
        yield Check(name="apis", ok=True, seen=f"{len(questions)} routes are answered")


def _questions(deployed: Deployed, card: Stage) -> Iterator[_Question]:
    """For every method of every route of a stage. Raises Failed where it has no address."""
    base = deployed.target.api_url(card.name)
    for function in card.serving:
        for route in function.routes:
            for method in route.methods:
                yield _Question(card.name, route, method, base + _path(route))


def _path(route: Route) -> str:
    """The route's path for a race that there is not."""
    return re.sub(r"\{[^}]+\}", PROBE, route.path)


def _problem(client: httpx.Client, question: _Question) -> str | None:
    """What is wrong with the answer to a request without a body, or parameters; None for nothing."""
    try:
        answer = client.request(question.method, question.url)
    except httpx.HTTPError as error:
        return f"no answer: {error or type(error).__name__}"
    route, status = question.route, answer.status_code
    if route.who == "operator" and status == httpx.codes.FORBIDDEN:
        return None  # API Gateway refuses whoever does not sign
    if answer.is_success:
        return None
    foreseen = {(refusal.STATUS, refusal.CODE) for refusal in (*route.refusals, BadJson())}
    code = _code(answer)
    if status < httpx.codes.INTERNAL_SERVER_ERROR and (
        (status, code) in foreseen or (question.method == "HEAD" and status in {each for each, _ in foreseen})
    ):
        return None
    return f"{status} {code or answer.text[:100]}".strip()


def _code(answer: httpx.Response) -> str:
    """The code of a refusal of ours; "" where it is none."""
    try:
        return str(answer.json()["error"]["code"])
    except (ValueError, KeyError, TypeError):
        return ""
