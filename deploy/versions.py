"""Deletes old versions of an assembly's functions, which deployments leave to be gone back to."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from deploy.place import Client, Properties

_LATEST = "$LATEST"


def forget(stacks: Iterable[tuple[str, Properties]], keep: int, client: Client) -> Iterator[str]:
    """Delete all but the `keep` newest versions of each function of the stacks' templates; tells what it does.

    A version that an alias points to stays, however old. Raises ClientError.
    """
    functions = client("lambda")
    for _stack, template in stacks:
        for resource in template["Resources"].values():
            if resource["Type"] == "AWS::Lambda::Function":
                yield from _forget(functions, resource["Properties"]["FunctionName"], keep)


def _forget(functions: Any, name: str, keep: int) -> Iterator[str]:
    pages = functions.get_paginator("list_versions_by_function").paginate(FunctionName=name)
    numbers = sorted(
        (int(each["Version"]) for page in pages for each in page["Versions"] if each["Version"] != _LATEST),
        reverse=True,
    )
    pointed_to = set(_pointed_to(functions, name))
    old = [number for number in numbers[keep:] if number not in pointed_to]
    for number in old:
        functions.delete_function(FunctionName=name, Qualifier=str(number))
    yield f"{name}: {len(old)} versions deleted, {len(numbers) - len(old)} kept."


def _pointed_to(functions: Any, name: str) -> Iterator[int]:
    """The versions that the function's aliases point to, also those that a release is moving one to."""
    for page in functions.get_paginator("list_aliases").paginate(FunctionName=name):
        for alias in page["Aliases"]:
            yield int(alias["FunctionVersion"])
            yield from map(int, alias.get("RoutingConfig", {}).get("AdditionalVersionWeights", {}))
