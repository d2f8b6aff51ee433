"""Reads functions as they stand: their code, layers and event source mappings."""

from __future__ import annotations

import base64
import functools
import hashlib

from deploy.place import Client
from deploy.standing.reader import Properties, Reader


def _function(client: Client, name: str, asked: Properties) -> Properties:
    function = client("lambda").get_function_configuration(FunctionName=name)
    found = {"Description": "", **function, "Layers": [layer["Arn"] for layer in function.get("Layers", [])]}
    if "S3Key" in asked["Code"]:
        found["Code"] = _code_found(client, asked["Code"], function["CodeSha256"])
    return found


def _layer(client: Client, arn: str, asked: Properties) -> Properties:
    layer = client("lambda").get_layer_version_by_arn(Arn=arn)
    content = _code_found(client, asked["Content"], layer["Content"]["CodeSha256"])
    return {**layer, "LayerName": arn.split(":")[-2], "Content": content}


def _code_found(client: Client, asked: Properties, digest: str) -> Properties:
    """What was asked, if the code that stands is the very asset."""
    wanted = _digest(client, asked["S3Bucket"], asked["S3Key"])
    return asked if digest == wanted else {"S3Bucket": asked["S3Bucket"], "S3Key": f"code of SHA-256 {digest}"}


@functools.cache
def _digest(client: Client, bucket: str, key: str) -> str:
    """Lambda's digest of an asset; several stacks ship the same layer."""
    asset = client("s3").get_object(Bucket=bucket, Key=key)["Body"].read()
    return base64.b64encode(hashlib.sha256(asset).digest()).decode()


def _mapping(client: Client, uuid: str, asked: Properties) -> Properties:
    mapping = client("lambda").get_event_source_mapping(UUID=uuid)
    function = mapping["FunctionArn"]
    is_asked = function == asked["FunctionName"] or function.endswith(f":{asked['FunctionName']}")
    return {
        **mapping,
        "FunctionName": asked["FunctionName"] if is_asked else function,
        "Enabled": mapping["State"] in ("Enabled", "Enabling", "Creating", "Updating"),
    }


READERS: dict[str, Reader] = {
    "AWS::Lambda::EventSourceMapping": _mapping,
    "AWS::Lambda::Function": _function,
    "AWS::Lambda::LayerVersion": _layer,
}
