"""A deployment as it stands: its stacks, and how every resource differs from the template that was deployed.

Expectations come from the templates that CloudFormation holds, not from this checkout: an older checkout finds no fault
with a newer deployment.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from deploy.place import Client, Place, Properties
from deploy.standing.examination import Findings, Resource, examine
from local.aws import limits
from ops.reach.cards import in_order
from ops.reach.target import Target
from shared.contracts import naming

KEEPS = "prod"
"""The environment whose data is kept and whose runners wait: what is a notice elsewhere is a fault there."""

_AT_ONCE = 16  # requests, below the connections that a target's clients hold

# A layer's version can never be changed, and its archive is many megabytes to compare.
_NOT_COMPARED = frozenset({"AWS::Lambda::LayerVersion.Content"})


@dataclass(frozen=True, kw_only=True)
class Stack:
    """A stack that stands: its status in CloudFormation's words, and what an examination found."""

    name: str
    status: str
    protected: bool
    findings: Findings


@dataclass(frozen=True, kw_only=True)
class Deployed:
    """What all subjects are checked against; `client` gives clients to any thread, `pool` makes requests at once."""

    target: Target
    client: Client
    pool: Executor
    stacks: tuple[Stack, ...]

    @property
    def is_kept(self) -> bool:
        """Whether runners and data depend on it."""
        return self.target.env == KEEPS

    def resources(self, *kinds: str) -> Iterator[Resource]:
        """The resources of these types, of all stacks."""
        for stack in self.stacks:
            yield from (each for each in stack.findings.resources if each.kind in kinds)


@contextmanager
def looked_at(target: Target) -> Iterator[Deployed]:
    """Look at what stands: all resources of all stacks of the target's environment, and what the account shares."""
    client = _for_threads(target.client)
    place = Place(target.account, target.region, target.session.get_partition_for_region(target.region))
    not_expected = _NOT_COMPARED | (limits.PROPERTIES if target.local else frozenset())
    with ThreadPoolExecutor(_AT_ONCE) as pool, ThreadPoolExecutor(_AT_ONCE) as over_stacks:

        def look(described: Mapping[str, Any]) -> Stack:
            name = described["StackName"]
            return Stack(
                name=name,
                status=described["StackStatus"],
                protected=bool(described.get("EnableTerminationProtection")),
                findings=examine(name, _template(client, name), client, place, not_expected, pool),
            )

        stacks = tuple(over_stacks.map(look, _described(client, target.env)))
        yield Deployed(target=target, client=client, pool=pool, stacks=stacks)


def expected_stacks(env: str) -> list[str]:
    """The stacks that an environment has at the least."""
    stages = (naming.stack(env, card.name) for card in in_order())
    return [naming.ACCOUNT_STACK, *(naming.stack(env, name) for name in naming.SHARED_STACKS), *stages]


def _described(client: Client, env: str) -> list[Mapping[str, Any]]:
    """The environment's stacks and the account's, as CloudFormation describes them; deleted ones are not among them."""
    pages = client("cloudformation").get_paginator("describe_stacks").paginate()
    ours = (each for page in pages for each in page["Stacks"])
    return [
        each
        for each in ours
        if each["StackName"] == naming.ACCOUNT_STACK or each["StackName"].startswith(naming.stack(env, ""))
    ]


def _template(client: Client, stack: str) -> Properties:
    """The template that was deployed. boto3 has parsed it where it is JSON, as those of the CDK are."""
    body = client("cloudformation").get_template(StackName=stack)["TemplateBody"]
    template: Properties = json.loads(body) if isinstance(body, str) else dict(body)
    return template


def _for_threads(client: Callable[[str], Any]) -> Client:
    """Clients may be shared by threads, but are made by one at a time (source: boto3's guide, "Clients", Caveats)."""
    making = threading.Lock()

    def client_of(service: str) -> Any:
        with making:
            return client(service)

    return client_of
