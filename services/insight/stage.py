"""The card of the insight stage."""

from services.insight.questions import CollectApi, LiveApi
from services.insight.records import (
    EVENTS,
    SESSIONS,
    Active,
    BibPhotos,
    Chunk,
    Coverage,
    CoveragePending,
    DayVisits,
    FlowCounts,
    FlowMinute,
    MinuteVisits,
    Pending,
    Photo,
    QuarterVisits,
    Race,
    Roster,
    Secret,
    Unsettled,
    Upload,
)
from shared.contracts.api import Api
from shared.contracts.card import Call, Function, Schedule, Stage, Stream, Uploads
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
from shared.contracts.metrics import OVERDUE

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
                Unsettled,
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
                Call(("dynamodb:BatchWriteItem",), on=EVENTS),
            ),
        ),
        Function(
            name="roll",
            purpose="Works out the numbers that follow from facts, once a minute is over.",
            fed_by=Schedule(minutes=1),
            keeps=(Active, MinuteVisits, QuarterVisits, DayVisits, Coverage),
            calls=(
                Call(
                    (
                        "dynamodb:BatchWriteItem",
                        "dynamodb:DeleteItem",
                        "dynamodb:GetItem",
                        "dynamodb:PutItem",
                        "dynamodb:Query",
                    ),
                    on="table",
                ),
                Call(("dynamodb:Query",), on=EVENTS),
                Call(("dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:Query"), on=SESSIONS),
                Call(("s3:GetObject",), on="rosters"),
            ),
            measures=(OVERDUE,),
            timeout_s=120,
        ),
        Function(
            name="collect",
            purpose="Takes what visitors do, and puts it into the stream.",
            fed_by=Api(CollectApi),
            keeps=(Secret,),
            calls=(
                Call(("dynamodb:GetItem",), on="table"),
                Call(("dynamodb:BatchWriteItem", "dynamodb:GetItem", "dynamodb:PutItem"), on=SESSIONS),
                Call(("kinesis:PutRecords",), on="stream"),
            ),
            timeout_s=25,
            reserved_concurrency=100,
        ),
        Function(
            name="api",
            purpose="Tells how a race goes, and serves the page that shows it.",
            fed_by=Api(LiveApi),
            calls=(
                Call(("dynamodb:BatchGetItem", "dynamodb:GetItem", "dynamodb:Query"), on="table"),
                Call(("dynamodb:Query",), on=EVENTS),
            ),
            timeout_s=25,
            memory_mb=1024,
            reserved_concurrency=20,
        ),
    ),
)
