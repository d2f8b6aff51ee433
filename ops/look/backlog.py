"""The stages' queues and dead-letter queues, as an operator looks at them: nothing is taken out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from ops.look.about import about_of
from ops.reach import queues
from ops.reach.target import Target
from shared.contracts import naming


def backlog(target: Target) -> int:
    """How many messages the stages have in work, waiting or delayed for them now, all races together."""
    return sum(depth for _, depth in _depths(target, lambda url: not _is_for_dead_letters(url)))


def dead_letters(target: Target) -> dict[str, int]:
    """The dead-letter queues that are not empty, of functions and of rules that could not deliver: name → messages."""
    return {queues.name_of(url): depth for url, depth in _depths(target, _is_for_dead_letters) if depth}


def _is_for_dead_letters(url: str) -> bool:
    return url.endswith("-dlq")


def _depths(target: Target, wanted: Callable[[str], bool]) -> Iterator[tuple[str, int]]:
    """The stages' queues that are wanted, by URL, with how many messages each holds; each is a call to ask."""
    client = target.client("sqs")
    pages = client.get_paginator("list_queues").paginate(QueueNamePrefix=naming.stack(target.env, ""))
    for url in sorted(url for page in pages for url in page.get("QueueUrls", ()) if wanted(url)):
        if queues.name_of(url) != naming.replay_queue(target.env):  # which no stage works off
            yield url, queues.depth(client, url)


def subjects(target: Target, names: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """The keys and photo_ids that dead letters are about → the queues these lie in."""
    client = target.client("sqs")
    found: dict[str, tuple[str, ...]] = {}
    for queue in names:
        letters = [about_of(letter["Body"]) for letter in queues.peek(client, queues.url_of(client, queue))]
        for subject in {subject for letter in letters for subject in (letter.key, letter.photo_id) if subject}:
            found[subject] = (*found.get(subject, ()), queue)
    return found
