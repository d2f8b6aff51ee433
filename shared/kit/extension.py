"""What our vision server says beyond Rekognition: one field more in an answer, which a client of Rekognition ignores.

An answer of the vision server may have the field EXTENSION at its top (docs/vision.md says what is in it);
Rekognition's has none. A stage uses it where it is there, and works without. boto3 leaves out what its model of an
operation does not have, so a client has to be told to keep it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

EXTENSION = "SnapRace"
"""The field's name; no member of an answer of Rekognition's begins like it."""


def keep_extension(client: Any) -> None:
    """Let the answers of a client of Rekognition keep the field.

    The event is botocore's own way to add to a parsed answer (botocore.endpoint, before-parse); an older botocore that
    does not have it answers without the field.
    """
    client.meta.events.register("before-parse.rekognition.*", _keep)


def extension_of(response: Mapping[str, Any]) -> Mapping[str, Any]:
    """What the answer says beyond Rekognition; empty where it is Rekognition's."""
    said: Mapping[str, Any] = response.get(EXTENSION, {})
    return said


def _keep(response_dict: Mapping[str, Any], customized_response_dict: dict[str, Any], **_: Any) -> None:
    if response_dict["status_code"] == HTTPStatus.OK:
        said = json.loads(response_dict["body"] or b"{}").get(EXTENSION)
        if said is not None:
            customized_response_dict[EXTENSION] = said
