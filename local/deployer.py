"""Deploys a synthesized cloud assembly (cdk.out) with CloudFormation alone, as `cdk deploy --all` would.

Assets go, zipped the same way every time, into the bootstrap bucket; stacks follow in the order of their
dependencies, created or updated. After each stack, local.standing compares what stands with what its template
asked for.
"""

from __future__ import annotations

import contextlib
import functools
import io
import json
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from local import standing
from shared.contracts.errors import SnapRaceError

Client = Callable[[str], Any]
"""Gives the boto3 client of a service, e.g. `client("s3")`."""

_STACK_SECONDS = 60.0
_BOOTSTRAP_VERSION = "30"
_CAPABILITIES = ["CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"]
# The time stamp of every file in an asset: the oldest that zip knows.
_EPOCH = (1980, 1, 1, 0, 0, 0)


class DeploymentFailed(SnapRaceError):
    """A stack could not be deployed, or what stands is not what its template asked for."""


def deploy(assembly: Path, client: Client, *, verify: bool = True) -> list[str]:
    """Deploy every stack of the assembly and return their names in order. Raises DeploymentFailed."""
    client = functools.cache(client)
    artifacts = _read(assembly / "manifest.json")["artifacts"]
    account = client("sts").get_caller_identity()["Account"]
    region = client("sts").meta.region_name

    def in_place(text: str) -> str:
        for token, value in (("AccountId", account), ("Region", region), ("Partition", "aws")):
            text = text.replace(f"${{AWS::{token}}}", value)
        return text

    _publish_assets(assembly, artifacts, client("s3"), in_place)
    client("ssm").put_parameter(
        Name="/cdk-bootstrap/hnb659fds/version", Value=_BOOTSTRAP_VERSION, Type="String", Overwrite=True
    )
    deployed = []
    for artifact_id in _in_order(artifacts):
        properties = artifacts[artifact_id]["properties"]
        name = properties.get("stackName", artifact_id)
        template = _read(assembly / properties["templateFile"])
        bucket, key = in_place(properties["stackTemplateAssetObjectUrl"]).removeprefix("s3://").split("/", 1)
        url = f"{client('s3').meta.endpoint_url}/{bucket}/{key}"
        _deploy_stack(client("cloudformation"), name, url, properties.get("tags", {}))
        if verify:
            differences = standing.examine(name, template, client, account=account, region=region).differences
            if differences:
                more = f" (and {len(differences) - 1} more)" if len(differences) > 1 else ""
                raise DeploymentFailed(f"Stack {name} does not stand as its template asked: {differences[0]}{more}")
        deployed.append(name)
    return deployed


# --- assets -------------------------------------------------------------------------------------------------------


def _publish_assets(assembly: Path, artifacts: dict[str, Any], s3: Any, in_place: Callable[[str], str]) -> None:
    """Put each asset where its manifest says, unless it is there: its key is a hash of its content."""
    there: dict[str, set[str]] = {}
    for artifact in artifacts.values():
        if artifact["type"] != "cdk:asset-manifest":
            continue
        for asset in _read(assembly / artifact["properties"]["file"]).get("files", {}).values():
            for destination in asset["destinations"].values():
                bucket, key = in_place(destination["bucketName"]), destination["objectKey"]
                if bucket not in there:
                    there[bucket] = _keys(s3, bucket)
                if key not in there[bucket]:
                    source = assembly / asset["source"]["path"]
                    body = zipped(source) if asset["source"]["packaging"] == "zip" else source.read_bytes()
                    s3.put_object(Bucket=bucket, Key=key, Body=body)
                    there[bucket].add(key)


def _keys(s3: Any, bucket: str) -> set[str]:
    with contextlib.suppress(s3.exceptions.BucketAlreadyOwnedByYou):
        s3.create_bucket(Bucket=bucket)
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket)
    return {entry["Key"] for page in pages for entry in page.get("Contents", [])}


def zipped(folder: Path) -> bytes:
    """The folder as a zip that depends on nothing but the files' names, contents and executable bits."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for file in sorted(path for path in folder.rglob("*") if path.is_file()):
            entry = zipfile.ZipInfo(file.relative_to(folder).as_posix(), _EPOCH)
            entry.external_attr = (0o100755 if file.stat().st_mode & 0o100 else 0o100644) << 16
            # Stored, not deflated: it travels to the next process and is unpacked there for every worker.
            archive.writestr(entry, file.read_bytes(), zipfile.ZIP_STORED)
    return buffer.getvalue()


# --- stacks -------------------------------------------------------------------------------------------------------


def _in_order(artifacts: dict[str, Any]) -> Iterator[str]:
    """The ids of the stacks' artifacts, each after those it depends on."""
    done: set[str] = set()

    def visit(name: str) -> Iterator[str]:
        if name in done or name not in artifacts:
            return
        done.add(name)
        for dependency in artifacts[name].get("dependencies", []):
            yield from visit(dependency)
        if artifacts[name]["type"] == "aws:cloudformation:stack":
            yield name

    for name in artifacts:
        yield from visit(name)


def _deploy_stack(cloudformation: Any, name: str, template_url: str, tags: dict[str, str]) -> None:
    request = {
        "StackName": name,
        "TemplateURL": template_url,
        "Capabilities": _CAPABILITIES,
        "Tags": [{"Key": key, "Value": value} for key, value in tags.items()],
    }
    status = _status(cloudformation, name)
    try:
        if status in (None, "DELETE_COMPLETE"):
            cloudformation.create_stack(**request, OnFailure="DO_NOTHING")
        else:
            cloudformation.update_stack(**request)
    except ClientError as error:
        if "No updates are to be performed" in str(error):
            return
        raise DeploymentFailed(f"Stack {name} was refused: {error.response['Error']['Message']}") from error

    deadline = time.monotonic() + _STACK_SECONDS
    while (status := _status(cloudformation, name)) is None or status.endswith("_IN_PROGRESS"):
        if time.monotonic() > deadline:
            raise DeploymentFailed(f"Stack {name} was still {status} after {_STACK_SECONDS:.0f} seconds.")
        time.sleep(0.02)
    if status not in ("CREATE_COMPLETE", "UPDATE_COMPLETE"):
        raise DeploymentFailed(f"Stack {name} ended as {status}: {_first_failure(cloudformation, name)}")


def _status(cloudformation: Any, name: str) -> str | None:
    try:
        return str(cloudformation.describe_stacks(StackName=name)["Stacks"][0]["StackStatus"])
    except ClientError as error:
        if "does not exist" in str(error):
            return None
        raise


def _first_failure(cloudformation: Any, name: str) -> str:
    events = cloudformation.describe_stack_events(StackName=name)["StackEvents"]
    for event in reversed(events):
        if event["ResourceStatus"].endswith("_FAILED"):
            return f"{event['LogicalResourceId']} ({event['ResourceType']}): {event.get('ResourceStatusReason', '')}"
    return "no reason given"


def _read(file: Path) -> Any:
    try:
        return json.loads(file.read_bytes())
    except FileNotFoundError:
        raise DeploymentFailed(f"{file} is missing: is that folder a synthesized cdk.out?") from None
