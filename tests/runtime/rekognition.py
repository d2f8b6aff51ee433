"""Rekognition's protocol in front of a FakeRekognition, for functions that run in the embedded AWS."""

from __future__ import annotations

import threading
from contextlib import AbstractContextManager
from typing import Any

from botocore import xform_name

from bench.rekognition import serving
from tests.kit.fake_aws import FakeRekognition


def answering(port: int, fake: FakeRekognition) -> AbstractContextManager[None]:
    """Answer at 127.0.0.1:`port` what `fake` says, one request after the other."""
    one_at_a_time = threading.Lock()

    def answer(operation: str, request: dict[str, Any]) -> Any:
        with one_at_a_time:
            return _ask(fake, xform_name(operation), request)

    return serving(port, answer)


def _ask(fake: FakeRekognition, operation: str, request: dict[str, Any]) -> Any:
    if operation == "list_faces":  # which the fake answers as boto3 pages it; one page is all there is
        pages = fake.get_paginator(operation).paginate(
            CollectionId=request["CollectionId"], PaginationConfig={"PageSize": request["MaxResults"]}
        )
        return next(iter(pages))
    return getattr(fake, operation)(**request) or {}
