"""What an account has once for its deployments: who may deploy from where, and what a deployment may make.

GitHub's workflows sign in with a token that GitHub makes for each job (OpenID Connect), so no key is kept anywhere.
An administrator deploys this stack, with credentials of her own; no workflow can, so none can widen its own rights.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import aws_cdk as cdk
import msgspec
from aws_cdk import aws_iam as iam
from constructs import Construct
from msgspec import Meta

from services import cards
from shared.contracts import naming
from shared.contracts.metrics import NAMESPACE
from stacks import bounds
from stacks.environment import Environment, neighbours
from stacks.nag import acknowledge, action, wildcard

_GITHUB = "token.actions.githubusercontent.com"
_AUDIENCE = "sts.amazonaws.com"
# Source: AWS CloudFormation User Guide, quotas: a template that is not in a bucket has at most 51,200 bytes.
TEMPLATE_BYTES = 51_200
# A deployment waits for the canaries of its stages. Source: IAM User Guide, a role's session lasts at most 12 hours.
_DEPLOYS_AT_MOST = cdk.Duration.hours(2)

_PART = r"[\w.-]+(@\d+)?"
Repository = Annotated[str, Meta(pattern=rf"^{_PART}/{_PART}$")]
"""A repository as GitHub writes it into the subject of its tokens: owner/name, or owner@id/name@id.

Repositories made, renamed or moved after 18 June 2026 have the ids. Source: GitHub Changelog of 23 April 2026,
"Immutable subject claims for GitHub Actions OIDC tokens".
"""


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """cdk.json, context `delivery`.

    `repository` is whose workflows deploy to the account; without one nobody but people does. `provider_exists` says
    that another stack of the account has GitHub's provider.
    """

    repository: Repository | None = None
    provider_exists: bool = False

    @classmethod
    def of(cls, scope: Construct) -> Settings:
        """Read the context. Raises ValueError with a sentence that says what to write there."""
        told: Any = scope.node.try_get_context("delivery") or {}
        try:
            return msgspec.convert(told, cls)
        except msgspec.ValidationError as error:
            raise ValueError(
                f"cdk.json, context.delivery cannot be used: {error}. Name the repository whose workflows may deploy "
                'to the account, as the subject of its tokens does: {"repository": "owner/name"}.'
            ) from None


class DeliveryStack(cdk.Stack):
    """GitHub's provider, a role that compares, a role for each environment of the account, and their bounds.

    It needs no bootstrap, since the bootstrap needs the policies that it makes.
    """

    def __init__(self, scope: Construct, *, environment: Environment) -> None:
        super().__init__(
            scope,
            naming.DELIVERY_STACK,
            description="SnapRace: who may deploy to this account, and what that may make",
            env=environment.place,
            tags={"project": naming.PREFIX},
            synthesizer=cdk.BootstraplessSynthesizer(),
            termination_protection=environment.protected,
        )
        environments = neighbours(scope, environment.name)
        settings = Settings.of(self)
        if settings.repository:
            self._repository = settings.repository
            self._provider = self._github(exists=settings.provider_exists)
            self._diff_role()
            for name in environments:
                self._deploy_role(name)
        self._execution_policies(environments)
        self._boundary()

    def _github(self, *, exists: bool) -> str:
        """The ARN of GitHub's provider, which an account has once."""
        if not exists:
            # AWS trusts GitHub's certificate by its authority; a thumbprint is not needed.
            # Source: IAM User Guide, "Create an OpenID Connect (OIDC) identity provider in IAM".
            made = iam.CfnOIDCProvider(self, "GitHub", url=f"https://{_GITHUB}", client_id_list=[_AUDIENCE])
            made.apply_removal_policy(cdk.RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE)
            return made.attr_arn
        return f"arn:{cdk.Aws.PARTITION}:iam::{cdk.Aws.ACCOUNT_ID}:oidc-provider/{_GITHUB}"

    def _role(self, construct_id: str, name: str, description: str, subject: str) -> iam.Role:
        """A role for jobs whose token has exactly this subject, behind the repository's name."""
        said = {f"{_GITHUB}:aud": _AUDIENCE, f"{_GITHUB}:sub": f"repo:{self._repository}:{subject}"}
        return iam.Role(
            self,
            construct_id,
            role_name=name,
            description=description,
            assumed_by=iam.WebIdentityPrincipal(self._provider, {"StringEquals": said}),
            max_session_duration=_DEPLOYS_AT_MOST,
        )

    def _diff_role(self) -> None:
        """Compares: reads templates, which hold no secrets, and nothing else."""
        role = self._role("Diff", naming.DIFF_ROLE, "Compares a pull request with what stands", "pull_request")
        self._grant(role, bounds.Making(_COMPARED_BY, (self._stacks(f"{naming.PREFIX}-*"),)))

    def _deploy_role(self, env: str) -> None:
        """Takes the roles of `cdk bootstrap`, looks what differs, announces, and takes the role that verifies."""
        role = self._role(
            f"Deploy{env.capitalize()}",
            naming.deploy_role(env),
            f"Deploys {env}; only jobs of GitHub's environment {env} have it",
            f"environment:{env}",
        )
        taken = [
            *(f"cdk-{_QUALIFIER}-{what}-role-{cdk.Aws.ACCOUNT_ID}-*" for what in _BOOTSTRAPPED),
            naming.verify_role(env, "*"),
        ]
        roles = tuple(f"arn:{cdk.Aws.PARTITION}:iam::{cdk.Aws.ACCOUNT_ID}:role/{name}" for name in taken)
        compared = (self._stacks(naming.stack(env, "*")), self._stacks(naming.ACCOUNT_STACK))
        self._grant(role, bounds.Making(("sts:AssumeRole",), roles))
        self._grant(role, bounds.Making(_COMPARED_BY, compared))
        ours = {"StringEquals": {"cloudwatch:namespace": NAMESPACE}}
        self._grant(role, bounds.Making(("cloudwatch:PutMetricData",), ("*",), ours))

    def _execution_policies(self, environments: Sequence[str]) -> None:
        """Two, as a policy has at most 6,144 characters. Source: IAM User Guide, IAM and AWS STS quotas."""
        unnamed = bounds.Making(tuple(sorted({each for known in bounds.UNNAMED.values() for each in known})), ("*",))
        things = [each for known in bounds.MAKING.values() for each in known]
        made = {"things": [*things, unnamed], "identities": bounds.identities(environments)}
        for part in naming.EXECUTION_PARTS:
            name = naming.execution_policy(part)
            self._policy(part.capitalize(), name, f"The {part} that a deployment may make", made[part])

    def _boundary(self) -> None:
        most = bounds.Making(tuple(bounds.bounded_actions(cards())), ("*",))
        self._policy("Boundary", naming.BOUNDARY, "The most that a role of ours may do", [most])

    # --- helpers --------------------------------------------------------------------------------------------

    def _stacks(self, name: str) -> str:
        return self.format_arn(service="cloudformation", region="*", resource="stack", resource_name=f"{name}/*")

    def _grant(self, role: iam.Role, making: bounds.Making) -> None:
        for statement in bounds.statements([making]):
            role.add_to_policy(statement)
        self._answer(role, [making])

    def _policy(self, construct_id: str, name: str, description: str, makings: Sequence[bounds.Making]) -> None:
        policy = iam.ManagedPolicy(
            self,
            construct_id,
            managed_policy_name=name,
            description=f"SnapRace: {description[0].lower()}{description[1:]}",
            statements=bounds.statements(makings),
        )
        self._answer(policy, makings)

    def _answer(self, construct: Construct, makings: Sequence[bounds.Making]) -> None:
        """Each wildcard, since cdk-nag asks for each."""
        of_names = "Stacks name what they make, or begin its name, in any region; so the policy names how names begin."
        for making in makings:
            for resource in making.resources:
                if "*" in resource:
                    acknowledge(construct, {wildcard(construct, resource): of_names})
            for each in making.actions:
                if "*" in each:
                    acknowledge(construct, {action(each): "A deployment makes, changes and deletes what it names."})


_QUALIFIER = cdk.DefaultStackSynthesizer.DEFAULT_QUALIFIER
_BOOTSTRAPPED = ("deploy", "file-publishing")
"""Roles of `cdk bootstrap` that a deployment takes. There are no images, and nothing is looked up."""
_COMPARED_BY = ("cloudformation:DescribeStacks", "cloudformation:GetTemplate")
