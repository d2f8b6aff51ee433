"""What an API of ours says when it refuses."""

from __future__ import annotations

import httpx


def sentence_of(response: httpx.Response, api: str) -> str:
    """The refusal's sentence; `api` begins one where the answer has none, as what a proxy says."""
    try:
        message = response.json()["error"]["message"]
    except (ValueError, KeyError, TypeError):
        message = None
    return str(message) if message else f"{api} answered {response.status_code} without saying why."
