"""A race's roster, which travels as a claim check: a key and a digest."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from shared.contracts.errors import TemporaryFailure
from shared.contracts.events import ObjectRef
from shared.contracts.roster.runners import bibs_of_roster, digest

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


class Rosters:
    """Rosters by claim check; the last few stay in memory, since every photo of a race asks for the same."""

    def __init__(self, client: S3Client) -> None:
        self._client = client
        self.bibs = functools.lru_cache(maxsize=4)(self._fetch)
        """The canonical bibs of a roster."""

    def _fetch(self, roster: ObjectRef) -> frozenset[str]:
        body = self._client.get_object(Bucket=roster.bucket, Key=roster.key)["Body"].read()
        if digest(body) != roster.sha256:
            raise TemporaryFailure(f"The roster at {roster.key} is not the one that was announced.")
        return bibs_of_roster(body)
