"""A plain recount of a race: what its photos came to by what the archives hold, its visitors by what the stream holds.

Nothing of how the stage counts is used: everything is in memory at once and looked through in order.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from services.insight.domain.facts import Fact
from services.insight.domain.sessions import GAP_MS
from shared.contracts.events import Envelope, PhotoIngested, PhotoMatched, PhotoRejected, PhotoWithdrawn
from shared.contracts.keys import is_newer
from shared.contracts.messages import Message, ObjectCreated, ObjectDeleted

FIELDS = {
    "page_view": "page_views",
    "search": "searches",
    "photo_view": "photo_views",
    "download": "downloads",
    "share": "shares",
}


def photos(messages: Iterable[Message], roster: frozenset[str] | None) -> dict[str, Any]:
    """What the race's uploads and events come to, by what the live API calls it; `roster` are its runners' bibs."""
    created: dict[str, ObjectCreated] = {}
    deletions: list[ObjectDeleted] = []
    rejected: dict[str, PhotoRejected] = {}
    said: dict[str, list[Any]] = defaultdict(list)
    for message in messages:
        match message:
            case ObjectCreated(key=key):
                if key not in created or is_newer(message.sequencer, than=created[key].sequencer):
                    created[key] = message
            case ObjectDeleted():
                deletions.append(message)
            case Envelope(data=PhotoRejected() as event):
                if event.key not in rejected or is_newer(event.revision, than=rejected[event.key].revision):
                    rejected[event.key] = event
            case Envelope(data=PhotoIngested() | PhotoWithdrawn() | PhotoMatched() as event):
                said[event.photo_id].append(event)
    there = [_photo(events) for events in said.values()]
    here = [photo for photo in there if photo is not None]
    held = {key for photo in here for key in photo["keys"]}
    gone = _gone(created, deletions)
    lies = {key for key, upload in created.items() if is_newer(upload.sequencer, than=gone.get(key, ""))} - held
    refused = {
        key: event.reason
        for key, event in rejected.items()
        if key not in held
        and (key not in created or not is_newer(created[key].sequencer, than=event.revision))
        and is_newer(event.revision, than=gone.get(key, ""))
    }
    reasons, arriving = Counter(refused.values()), lies - refused.keys()
    searchable = [photo for photo in here if photo["searchable"]]
    found = {bib for photo in searchable for bib in photo["bibs"]}
    return {
        "uploaded": len(arriving) + sum(len(photo["keys"]) for photo in here) + reasons.total(),
        "searchable": len(searchable),
        "waiting": len(arriving) + len(here) - len(searchable),
        "rejected": reasons.total(),
        "duplicates": sum(len(photo["keys"]) - 1 for photo in here),
        "reasons": dict(sorted(reasons.items())),
        "covered": None if roster is None else len(roster & found),
    }


def _gone(created: Mapping[str, ObjectCreated], deletions: Iterable[ObjectDeleted]) -> dict[str, str]:
    """When each key was deleted last; of one version, only where that is the last that was uploaded."""
    gone: dict[str, str] = {}
    for each in deletions:
        last = created.get(each.key)
        of_the_last = last is None or each.erased_version == last.version_id
        if (each.erased_version is None or of_the_last) and is_newer(each.sequencer, than=gone.get(each.key, "")):
            gone[each.key] = each.sequencer
    return gone


def _photo(events: Iterable[Any]) -> dict[str, Any] | None:
    """A photo's keys, whether it is searchable and whose it is; None where it is not there, or was withdrawn."""
    newest: PhotoIngested | None = None
    matched: PhotoMatched | None = None
    withdrawn = 0
    complete: set[int] = set()
    for event in events:
        match event:
            case PhotoIngested() if newest is None or event.revision > newest.revision:
                newest = event
            case PhotoWithdrawn():
                withdrawn = max(withdrawn, event.revision)
            case PhotoMatched():
                if event.complete:
                    complete.add(event.photo_revision)
                if matched is None or event.revision > matched.revision:
                    matched = event
    if newest is None or newest.revision <= withdrawn:
        return None
    holds = matched is not None and matched.photo_revision > withdrawn
    runners = matched.runners if matched is not None and holds else ()
    return {
        "keys": newest.keys,
        "searchable": any(revision > withdrawn for revision in complete),
        "bibs": {runner.bib for runner in runners if runner.status != "doubtful"},
    }


def visitors(facts: Iterable[Fact], begin_ms: int, end_ms: int) -> dict[str, Any]:
    """What visitors did in a time, by what the API's statistics call it; earlier facts tell which sessions go on."""
    told: dict[tuple[int, bytes], Fact] = {}
    for fact in facts:
        told.setdefault((fact.minute, fact.id), fact)
    before_end = sorted((fact for fact in told.values() if fact.at_ms < end_ms), key=lambda fact: (fact.at_ms, fact.id))
    within = [fact for fact in before_end if fact.at_ms >= begin_ms]
    people = [fact for fact in within if not fact.robot]
    counts: dict[str, Any] = dict.fromkeys(FIELDS.values(), 0)
    counts |= {FIELDS[kind]: number for kind, number in Counter(fact.kind for fact in people).items()}
    return {
        **counts,
        "found": sum(bool(fact.found) for fact in people if fact.kind == "search"),
        "visitors": len({fact.visitor for fact in people}),
        "robots": len(within) - len(people),
        **_sessions([fact for fact in before_end if not fact.robot], begin_ms),
    }


def _sessions(people: Iterable[Fact], begin_ms: int) -> dict[str, Any]:
    """Sessions that began in the time, how many of them had one event only, and their mean duration in seconds."""
    last: dict[bytes, tuple[int, bool]] = {}
    started = engaged = duration_ms = 0
    for fact in people:
        seen = last.get(fact.visitor) or last.get(fact.earlier)
        goes_on = seen is not None and fact.at_ms - seen[0] < GAP_MS
        if fact.at_ms >= begin_ms:
            if seen is not None and goes_on:
                engaged += not seen[1]
                duration_ms += fact.at_ms - seen[0]
            else:
                started += 1
        last[fact.visitor] = fact.at_ms, goes_on
    return {
        "sessions": started,
        "engaged": engaged,
        "bounced": max(started - engaged, 0),
        "session_s": round(duration_ms / 1000 / engaged, 1) if engaged > 0 else None,
    }
