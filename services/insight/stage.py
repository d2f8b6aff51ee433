"""The card of the insight stage."""

from services.insight.records import (
    BibPhotos,
    Chunk,
    CoveragePending,
    FlowCounts,
    FlowMinute,
    Pending,
    Photo,
    Race,
    Roster,
    Upload,
)
from shared.contracts.card import Call, Function, Stage, Stream, Uploads
from shared.contracts.events import (
    BibsRead,
    FacesIndexed,
    PhotoIngested,
    PhotoMatched,
    PhotoRejected,
    PhotoWithdrawn,
    RaceConfigured,
    RosterImported,
)

STAGE = Stage(
    name="insight",
    purpose="Tells how a race goes, as it goes: what its visitors do, and where its photos are.",
    functions=(
        Function(
            name="aggregate",
            purpose="Keeps what visitors did as facts, and where photos are, and marks what follows from them.",
            fed_by=Stream(
                hears=(
                    RaceConfigured,
                    RosterImported,
                    PhotoIngested,
                    PhotoRejected,
                    PhotoWithdrawn,
                    BibsRead,
                    FacesIndexed,
                    PhotoMatched,
                ),
                uploads=Uploads(deleted=True),
                batch=500,
                window_s=1,
            ),
            keeps=(
                Chunk,
                Pending,
                Race,
                Roster,
                Upload,
                Photo,
                FlowCounts,
                FlowMinute,
                BibPhotos,
                CoveragePending,
            ),
            calls=(
                Call(
                    (
                        "dynamodb:BatchGetItem",
                        "dynamodb:BatchWriteItem",
                        "dynamodb:GetItem",
                        "dynamodb:PutItem",
                        "dynamodb:UpdateItem",
                    ),
                    on="table",
                ),
                Call(("dynamodb:BatchWriteItem",), on="short-lived"),
            ),
        ),
    ),
)
