"""AWS clients that answer what a test says, for what the embedded AWS does not have: quotas, bills, certificates."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any

Answer = Mapping[str, Any] | Callable[..., Mapping[str, Any]]


class Stub:
    """A client; each operation answers as it is said, also through a paginator, as one page. All calls are noted."""

    exceptions = SimpleNamespace(NotFoundException=type("NotFoundException", (Exception,), {}))

    def __init__(self, **answers: Answer) -> None:
        self._answers = answers
        self.calls: list[tuple[str, dict[str, Any]]] = []

    def __getattr__(self, operation: str) -> Callable[..., Any]:
        if operation not in self._answers:
            raise AttributeError(operation)

        def call(**request: Any) -> Any:
            self.calls.append((operation, request))
            answer = self._answers[operation]
            return answer(**request) if callable(answer) else answer

        return call

    def get_paginator(self, operation: str) -> Any:
        return SimpleNamespace(paginate=lambda **request: [getattr(self, operation)(**request)])


def target(env: str = "prod", region: str = "us-east-1", local: object = None, **clients: Stub) -> Any:
    """A target with these clients, by their services' names with _ for -."""
    named = {name.replace("_", "-"): client for name, client in clients.items()}
    return SimpleNamespace(
        env=env, region=region, local=local, where="AWS account 1 in us-east-1", client=named.__getitem__
    )
