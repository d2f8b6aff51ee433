"""Where the races stage touches AWS: its table, the uploaded files, and the rosters it hands on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from botocore.exceptions import ClientError

from services.races.domain import Accepted, Known, Said, check_size
from shared.contracts.events import RaceConfigured, RaceRejected, RosterImported, RosterRejected
from shared.contracts.keys import RACE_FILE, RaceRef
from shared.contracts.messages import ObjectCreated
from shared.kit.table import ABSENT, Condition, Item, Table

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_GONE = {"NoSuchKey", "NoSuchVersion", "404"}


class Races:
    """The stage's table: PK = race; SK = RACE, ROSTER (what holds), OUTCOME#{file} (the newest upload's outcome)."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def load(self, race: RaceRef, filename: str) -> Known:
        """What is known about a file of the race."""
        holds = self._table.get(race.partition, _holding(filename))
        outcome = self._table.get(race.partition, _outcome(filename))
        accepted = _accepted(race, filename, holds) if holds else None
        return Known(holds=accepted, newest=_newest(race, filename, outcome, accepted) if outcome else None)

    def save(self, race: RaceRef, filename: str, event: Said, known: Known) -> bool:
        """Keep `event` if the table still says `known`; False when somebody else was first.

        One transaction, so that an outcome that is good always is the outcome of what holds.
        """
        puts: list[tuple[Item, Condition]] = []
        if isinstance(event, Accepted):
            item = {"PK": race.partition, "SK": _holding(filename), **_holding_attributes(event)}
            puts.append((item, _unchanged("revision", known.holds)))
        if known.counts(event):
            item = {"PK": race.partition, "SK": _outcome(filename), **_outcome_attributes(event)}
            puts.append((item, _unchanged("sequencer", known.newest)))
        return not puts or self._table.write_guarded(puts)


def _holding(filename: str) -> str:
    return "RACE" if filename == RACE_FILE else "ROSTER"


def _outcome(filename: str) -> str:
    return f"OUTCOME#{filename}"


def _unchanged(attribute: str, before: Said | None) -> Condition:
    return ABSENT if before is None else Condition(f"{attribute} = :before", values={":before": before.revision})


def _holding_attributes(event: Accepted) -> Item:
    attributes: Item = msgspec.structs.asdict(event)
    return {name: value for name, value in attributes.items() if name not in ("organizer_id", "event_id")}


def _outcome_attributes(event: Said) -> Item:
    match event:
        case RaceRejected() | RosterRejected():
            return {"sequencer": event.revision, "ok": False, "reason": event.reason, "message": event.message}
        case RosterImported():
            return {"sequencer": event.revision, "ok": True, "problems": event.problems}
        case RaceConfigured():
            return {"sequencer": event.revision, "ok": True}


def _accepted(race: RaceRef, filename: str, item: Item) -> Accepted:
    fields = item | {"organizer_id": race.organizer_id, "event_id": race.event_id}
    if filename == RACE_FILE:
        return msgspec.convert(fields, RaceConfigured)
    return msgspec.convert(fields, RosterImported)


def _newest(race: RaceRef, filename: str, outcome: Item, accepted: Accepted | None) -> Said | None:
    if outcome["ok"]:
        return accepted
    fields: dict[str, Any] = {name: outcome[name] for name in ("reason", "message")}
    event_type = RaceRejected if filename == RACE_FILE else RosterRejected
    return event_type(organizer_id=race.organizer_id, event_id=race.event_id, revision=outcome["sequencer"], **fields)


class Files:
    """The uploaded files, and the clean rosters made of them."""

    def __init__(self, client: S3Client, derived_bucket: str) -> None:
        self._client = client
        self._derived_bucket = derived_bucket

    def read(self, upload: ObjectCreated, filename: str) -> bytes | None:
        """The upload's bytes; None when it is gone or overwritten meanwhile, which S3 tells in its own message.

        Raises InvalidRace or InvalidRoster when it is too large to be read.
        """
        version: Any = {"VersionId": upload.version_id} if upload.version_id else {}
        try:
            response: Any = self._client.get_object(Bucket=upload.bucket, Key=upload.key, **version)
        except ClientError as error:
            if error.response["Error"]["Code"] in _GONE:
                return None
            raise
        with response["Body"] as body:
            if upload.etag and response["ETag"].strip('"') != upload.etag:
                return None
            check_size(filename, response["ContentLength"])
            content: bytes = body.read()
        return content

    def write_roster(self, key: str, body: bytes) -> None:
        """Write a clean roster; its key is its content's digest, so writing it twice changes nothing."""
        self._client.put_object(
            Bucket=self._derived_bucket, Key=key, Body=body, ContentType="application/json; charset=utf-8"
        )
