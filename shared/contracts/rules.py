"""Whether a rule brings an event: the one place that says so, for EventBridge, for a replay and for tests."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from shared.contracts.events import SOURCE_PREFIX, DomainEvent

S3 = "aws.s3"
OBJECT_CREATED, OBJECT_DELETED = "Object Created", "Object Deleted"


@dataclass(frozen=True, kw_only=True)
class Rule:
    """A rule on the bus of the domain events, or on the default bus, where S3 tells of the photo bucket.

    `suffixes` are ends of an object's key, any key if empty. With `news_only` no replay comes: neither an event that
    the archive sends again, nor one by which a stage only repeats what it said.
    """

    kind: Literal["Events", "Uploads"]
    sources: tuple[str, ...]
    detail_types: tuple[str, ...]
    suffixes: tuple[str, ...] = ()
    news_only: bool = False

    def pattern(self, photo_bucket: str) -> dict[str, Any]:
        """The rule's event pattern, as EventBridge writes one."""
        pattern: dict[str, Any] = {"source": list(self.sources), "detail-type": list(self.detail_types)}
        if self.kind == "Uploads":
            pattern["detail"] = {"bucket": {"name": [photo_bucket]}}
            if self.suffixes:
                pattern["detail"]["object"] = {"key": [{"suffix": suffix} for suffix in self.suffixes]}
        if self.news_only:
            pattern["replay-name"] = [{"exists": False}]
            if self.kind == "Events":
                pattern["detail"] = {"meta": {"replay": [{"exists": False}]}}
        return pattern

    def brings(self, event: Mapping[str, Any]) -> bool:
        """Whether it brings `event`, which is of its bus (and of the photo bucket)."""
        if event["source"] not in self.sources or event["detail-type"] not in self.detail_types:
            return False
        if self.news_only and ("replay-name" in event or "replay" in event["detail"].get("meta", {})):
            return False
        return not self.suffixes or event["detail"]["object"]["key"].endswith(self.suffixes)


def domain_rule(events: Iterable[type[DomainEvent]], *, news_only: bool = False) -> Rule:
    """The rule that brings domain events of these types."""
    heard = tuple(events)
    return Rule(
        kind="Events",
        sources=tuple(sorted({SOURCE_PREFIX + event.STAGE for event in heard})),
        detail_types=tuple(sorted(event.__name__ for event in heard)),
        news_only=news_only,
    )


def upload_rule(*, created: bool, deleted: bool, suffixes: tuple[str, ...], news_only: bool = False) -> Rule:
    """The rule that brings S3's notifications of objects made or deleted."""
    kinds = ((OBJECT_CREATED, created), (OBJECT_DELETED, deleted))
    return Rule(
        kind="Uploads",
        sources=(S3,),
        detail_types=tuple(kind for kind, wanted in kinds if wanted),
        suffixes=suffixes,
        news_only=news_only,
    )


UPLOADS = upload_rule(created=True, deleted=True, suffixes=())
"""All that any function can hear of the photo bucket.

A bucket that sends to EventBridge sends everything: also moves between storage classes and tiers, restores, tags and
access lists, of which a race of 200,000 photos has as many again after 90 and 180 days. Nobody hears these, so they are
neither archived nor replayed. Source: Amazon S3 User Guide, "Using EventBridge", event types.
"""
