"""What all of a deployment knows: the clients, where they lead, and how it fails."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from shared.contracts.errors import SnapRaceError

Client = Callable[[str], Any]
"""Gives the boto3 client of a service, e.g. `client("s3")`."""
Properties = dict[str, Any]
"""Of a resource, in CloudFormation's words."""


class DeploymentFailed(SnapRaceError):
    """A stack could not be deployed, or what stands is not what its template asked for."""


class Place(NamedTuple):
    """An account in a region."""

    account: str
    region: str
    partition: str = "aws"

    @classmethod
    def of(cls, client: Client) -> Place:
        """Where the clients' credentials and region lead."""
        identity = client("sts").get_caller_identity()
        partition = identity["Arn"].split(":")[1]
        return cls(identity["Account"], client("cloudformation").meta.region_name, partition)

    def filled_in(self, text: str) -> str:
        """The text of a cloud assembly, with the tokens that stand for the place replaced."""
        for token, value in (("AccountId", self.account), ("Region", self.region), ("Partition", self.partition)):
            text = text.replace(f"${{AWS::{token}}}", value)
        return text
