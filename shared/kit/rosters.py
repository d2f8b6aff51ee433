"""A race's roster, which travels as a claim check: a key and a digest."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, NamedTuple

from shared.contracts.errors import TemporaryFailure
from shared.contracts.events import ObjectRef
from shared.contracts.roster.names import Names, names_of
from shared.contracts.roster.runners import bibs_of_roster, digest, from_json

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


class Roster(NamedTuple):
    """Canonical bibs, and what of their runners' names may be compared with what is printed in a photo."""

    bibs: frozenset[str]
    names: Names


class Rosters:
    """Rosters by claim check; the last few stay in memory, since every photo of a race asks for the same."""

    def __init__(self, client: S3Client) -> None:
        self._client = client
        self.bibs = functools.lru_cache(maxsize=4)(self._bibs)
        """The canonical bibs of a roster."""
        self.with_names = functools.lru_cache(maxsize=4)(self._with_names)
        """The same with names, for whoever compares them."""

    def _bibs(self, roster: ObjectRef) -> frozenset[str]:
        return bibs_of_roster(self._body(roster))

    def _with_names(self, roster: ObjectRef) -> Roster:
        runners = from_json(self._body(roster))
        return Roster(frozenset(runner.bib for runner in runners), names_of(runners))

    def _body(self, roster: ObjectRef) -> bytes:
        body = self._client.get_object(Bucket=roster.bucket, Key=roster.key)["Body"].read()
        if digest(body) != roster.sha256:
            raise TemporaryFailure(f"The roster at {roster.key} is not the one that was announced.")
        return body
