"""Deploys a synthesized cloud assembly (cdk.out) with CloudFormation alone, as `cdk deploy --all` would.

    deploy(cdk_out, client)               # assets, then each stack after those it depends on, each examined
    examine(cdk_out, client)              # only compares what stands with what the templates ask for

Everything is done with the credentials, region and endpoint of the boto3 clients that `client` gives.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import Any, NamedTuple

from deploy import assets, emptying, versions
from deploy.cloudformation import deploy_stack
from deploy.place import Client, DeploymentFailed, Place
from deploy.standing import examination
from deploy.standing.examination import Difference, Findings


class Stack(NamedTuple):
    """A stack of the assembly; `template_object` is the s3:// address of its template, with tokens."""

    name: str
    template: dict[str, Any]
    template_object: str
    tags: dict[str, str]
    protected: bool


def deploy(
    assembly: Path,
    client: Client,
    *,
    bootstraps: bool = False,
    stack_seconds: float = 3600.0,
    not_expected: AbstractSet[str] = frozenset(),
    verify: bool = True,
) -> list[str]:
    """Deploy every stack of the assembly and return their names in order.

    The defaults are for an account and region of AWS that `cdk bootstrap` has prepared.
    `bootstraps`: make the assets' bucket and the bootstrap's version parameter first.
    `stack_seconds`: how long one stack may take.
    `not_expected`: what need not stand, as "AWS::Type.Property" or a whole "AWS::Type".
    `verify`: examine each stack.
    Raises DeploymentFailed, also where a stack does not stand as asked.
    """
    client = functools.cache(client)
    place = Place.of(client)
    if bootstraps:
        assets.bootstrap(_assets(assembly), client, place)
    assets.publish(assembly, _assets(assembly), client, place)
    deployed = []
    for stack in stacks_of(assembly):
        bucket_and_key = place.filled_in(stack.template_object).removeprefix("s3://")
        # CloudFormation takes the bucket in the path at every endpoint of S3.
        url = f"{client('s3').meta.endpoint_url}/{bucket_and_key}"
        deploy_stack(client("cloudformation"), stack.name, url, stack.tags, stack_seconds)
        if verify:
            found = examination.examine(stack.name, stack.template, client, place, not_expected)
            _require_no_difference(stack.name, found.differences)
        deployed.append(stack.name)
    return deployed


def examine(
    assembly: Path, client: Client, not_expected: AbstractSet[str] = frozenset()
) -> Iterator[tuple[str, Findings]]:
    """Each stack's name, and how what stands differs from what its template asks for."""
    client = functools.cache(client)
    place = Place.of(client)
    for stack in stacks_of(assembly):
        yield stack.name, examination.examine(stack.name, stack.template, client, place, not_expected)


def empty(assembly: Path, client: Client) -> Iterator[str]:
    """Empty the buckets and face collections of the assembly's environment, as deploy.emptying does."""
    stacks = list(stacks_of(assembly))
    (env,) = {stack.tags["environment"] for stack in stacks if "environment" in stack.tags}
    return emptying.empty(((stack.name, stack.template) for stack in stacks), env, functools.cache(client))


def forget_versions(assembly: Path, keep: int, client: Client) -> Iterator[str]:
    """Delete old versions of the assembly's functions, as deploy.versions does."""
    made = ((stack.name, stack.template) for stack in stacks_of(assembly))
    return versions.forget(made, keep, functools.cache(client))


def _require_no_difference(stack: str, differences: Sequence[Difference]) -> None:
    if differences:
        more = f" (and {len(differences) - 1} more)" if len(differences) > 1 else ""
        raise DeploymentFailed(f"Stack {stack} does not stand as its template asked: {differences[0]}{more}")


# --- what a cdk.out holds -----------------------------------------------------------------------------------------


def _assets(assembly: Path) -> list[assets.Asset]:
    manifests = [
        _read(assembly / artifact["properties"]["file"])
        for artifact in _artifacts(assembly).values()
        if artifact["type"] == "cdk:asset-manifest"
    ]
    return [asset for manifest in manifests for asset in manifest.get("files", {}).values()]


def stacks_of(assembly: Path) -> Iterator[Stack]:
    """Each stack after those it depends on."""
    artifacts = _artifacts(assembly)
    done: set[str] = set()

    def visit(artifact_id: str) -> Iterator[Stack]:
        if artifact_id in done or artifact_id not in artifacts:
            return
        done.add(artifact_id)
        for dependency in artifacts[artifact_id].get("dependencies", []):
            yield from visit(dependency)
        if artifacts[artifact_id]["type"] == "aws:cloudformation:stack":
            properties = artifacts[artifact_id]["properties"]
            yield Stack(
                name=properties.get("stackName", artifact_id),
                template=_read(assembly / properties["templateFile"]),
                template_object=properties["stackTemplateAssetObjectUrl"],
                tags=properties.get("tags", {}),
                protected=properties.get("terminationProtection", False),
            )

    for artifact_id in artifacts:
        yield from visit(artifact_id)


def _artifacts(assembly: Path) -> dict[str, Any]:
    artifacts: dict[str, Any] = _read(assembly / "manifest.json")["artifacts"]
    return artifacts


def _read(file: Path) -> Any:
    try:
        return json.loads(file.read_bytes())
    except FileNotFoundError:
        raise DeploymentFailed(f"{file} is missing: is that folder a synthesized cdk.out?") from None
