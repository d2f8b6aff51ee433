"""A request as the rules see it, and the refusal that they raise."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any
from urllib.parse import parse_qs, unquote


class Refused(Exception):
    """Why a request is not let in: an HTTP status, a code for programs and a sentence for people."""

    def __init__(self, status: int, reason: str, message: str) -> None:
        super().__init__(message)
        self.status, self.reason, self.message = status, reason, message


class Asked:
    """A request's line and headers, read from an ASGI scope of type "http"."""

    def __init__(self, scope: Mapping[str, Any]) -> None:
        self.method = str(scope["method"])
        self.raw_path = bytes(scope["raw_path"])
        self._query = bytes(scope["query_string"])
        self._headers = [(name.lower(), value.decode("latin-1")) for name, value in scope["headers"]]

    def values(self, name: str) -> list[str]:
        """Every value of a header, in their order."""
        return [value for each, value in self._headers if each == name.encode()]

    def value(self, name: str) -> str:
        """The header's value; "" when there is none."""
        return ", ".join(self.values(name))

    @cached_property
    def path(self) -> str:
        """The path, decoded once, as the servers behind the gate decode it."""
        return unquote(self.raw_path.decode("latin-1"))

    @cached_property
    def query(self) -> dict[str, list[str]]:
        """The query's parameters."""
        return parse_qs(self._query.decode("latin-1"), keep_blank_values=True)
