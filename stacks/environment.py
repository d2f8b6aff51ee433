"""The environment (dev, prod) that stacks are made for, and what differs between them.

What an organization decides (accounts, who hears alarms, who owns it) stands in cdk.json, context `environments`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any, get_args

import aws_cdk as cdk
import msgspec
from aws_cdk import aws_iam as iam
from aws_cdk import aws_logs as logs
from constructs import Construct
from msgspec import Meta

from dashboards.alarms import Severity
from shared.contracts import naming
from shared.contracts.card import Stage

Address = Annotated[str, Meta(pattern=r"^(https://\S+|[^@\s:/]+@[^@\s]+)$")]
"""Who hears alarms: an e-mail address, or an https:// address that takes Amazon SNS's messages."""


Region = Annotated[str, Meta(pattern=r"^[a-z]{2}(-[a-z]+)+-\d$")]


@dataclass(frozen=True, kw_only=True)
class Environment:
    """`name` comes from the CDK context `env`. Where data is retained it outlives its stack.

    `place` is the one account and region that the stacks may be deployed to, None for whichever the credentials name.
    `protected` stacks and tables refuse to be deleted. `owner` is whom the tag of that name tells.
    `alarms` are the addresses that hear the alarms of each severity. `generations` are those of the stages' tables that
    were restored: they are the environment's own, since a table is restored in one environment alone.
    """

    name: str
    retains_data: bool
    log_retention: logs.RetentionDays
    past_days: int
    place: cdk.Environment | None
    protected: bool
    owner: str | None
    alarms: dict[Severity, tuple[Address, ...]]
    generations: dict[str, int]
    backup_region: str | None

    @classmethod
    def of(cls, scope: Construct) -> Environment:
        """Read the context. Raises ValueError for an environment there is not, or whose settings do not do."""
        name = scope.node.try_get_context("env") or "dev"
        if name not in _KINDS:
            raise ValueError(f"There is no environment '{name}'. Use -c env={' or -c env='.join(_KINDS)}.")
        settings = _settings(name, (scope.node.try_get_context("environments") or {}).get(name, {}))
        # What is made for this machine goes to the embedded AWS, which has an account and a region of its own.
        for_aws = scope.node.try_get_context("layers") == "aws"
        return cls(
            name=name,
            place=settings.place if for_aws else None,
            protected=settings.protected,
            owner=settings.owner,
            alarms=settings.alarms,
            generations=settings.generations if for_aws else {},
            backup_region=settings.backup_region if for_aws else None,
            **_KINDS[name],
        )

    def of_its_generation(self, cards: Sequence[Stage]) -> tuple[Stage, ...]:
        """The cards, each with the generation of its table here. Raises ValueError for a stage that there is not."""
        names = {card.name for card in cards}
        for stage in self.generations.keys() - names:
            raise ValueError(
                f"cdk.json, context.environments.{self.name}.generations names '{stage}', which is no stage. "
                f"There are: {', '.join(sorted(names))}."
            )
        return tuple(replace(card, generation=self.generations.get(card.name, 1)) for card in cards)

    @property
    def removal_policy(self) -> cdk.RemovalPolicy:
        """What becomes of data when its stack is destroyed.

        Retained is what once stood: what a first deployment made before it failed goes again, or its fixed names would
        be taken and the deployment could not be repeated (CloudFormation's DeletionPolicy RetainExceptOnCreate).
        """
        return cdk.RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE if self.retains_data else cdk.RemovalPolicy.DESTROY


class EnvironmentStack(cdk.Stack):
    """A stack of an environment: where it belongs, protected as the environment is, and tagged with what it is part of.

    CloudFormation passes a stack's tags on to every resource that takes tags.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        environment: Environment,
        part: str,
        description: str,
        place: cdk.Environment | None = None,
    ) -> None:
        """`place` is where the stack belongs if not where the environment does."""
        tags = {"project": naming.PREFIX, "environment": environment.name, "stage": part}
        super().__init__(
            scope,
            construct_id,
            description=description,
            env=place or environment.place,
            termination_protection=environment.protected,
            tags=tags | ({"owner": environment.owner} if environment.owner else {}),
        )
        bound(self)


def bound(scope: Construct) -> None:
    """Give every role of a stack the boundary, without which a deployment may make none (stacks/bounds.py)."""
    boundary = iam.ManagedPolicy.from_managed_policy_name(scope, "Boundary", naming.BOUNDARY)
    iam.PermissionsBoundary.of(scope).apply(boundary)


# --- what cdk.json says -------------------------------------------------------------------------------------


class _Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The settings of one environment. An account is pinned together with a region."""

    account: Annotated[str, Meta(pattern=r"^\d{12}$")] | None = None
    region: Region | None = None
    protected: bool = False
    owner: Annotated[str, Meta(min_length=1, max_length=256)] | None = None
    alarms: dict[Severity, tuple[Address, ...]] = {}
    generations: dict[str, Annotated[int, Meta(ge=1)]] = {}
    backup_region: Region | None = None

    @property
    def place(self) -> cdk.Environment | None:
        """The account and region."""
        return cdk.Environment(account=self.account, region=self.region) if self.account and self.region else None


def neighbours(scope: Construct, name: str) -> list[str]:
    """The environments that are in the same account as this one, itself included."""
    told = scope.node.try_get_context("environments") or {}
    accounts = {kind: told.get(kind, {}).get("account") for kind in _KINDS}
    return [kind for kind, account in accounts.items() if account == accounts[name]]


def _settings(name: str, told: Any) -> _Settings:
    """Read them. Raises ValueError with a sentence that says what to write into cdk.json."""
    where = f"cdk.json, context.environments.{name}"
    try:
        settings = msgspec.convert(told, _Settings)
    except msgspec.ValidationError as error:
        raise ValueError(f"{where} cannot be used: {error}.") from None
    if (settings.account is None) != (settings.region is None):
        raise ValueError(f"{where} names an account or a region alone. Name both, or neither.")
    if settings.backup_region is not None and settings.backup_region == settings.region:
        raise ValueError(f"{where}.backup_region is the region itself. Name another one, for the day this one is lost.")
    deaf = [severity for severity in get_args(Severity) if not settings.alarms.get(severity)]
    if _KINDS[name]["retains_data"] and deaf:
        raise ValueError(
            f"Nobody hears {name}'s alarms of severity {', '.join(deaf)}. Name an e-mail or https:// address for each "
            f"of them in {where}.alarms."
        )
    return settings


_KINDS: dict[str, dict[str, Any]] = {
    # The archives hold keys and bibs, no pictures and no faces; they go well before a race's own data does. A table of
    # the past holds who asked to be forgotten since: none can be restored that is older than the archives, which know.
    "dev": {"retains_data": False, "log_retention": logs.RetentionDays.ONE_WEEK, "past_days": 7},
    "prod": {
        "retains_data": True,
        "log_retention": logs.RetentionDays.THREE_MONTHS,
        "past_days": 30,
    },
}
