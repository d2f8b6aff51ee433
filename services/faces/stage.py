"""The card of the faces stage."""

from services.faces.notes import MatchRace, ResolvePhoto, ReviewPhoto, ReviewRace, SearchPhoto, TidyPhoto
from services.faces.records import (
    EarlyPhoto,
    FacesSwitch,
    HiddenPhoto,
    IdentifiedPhoto,
    IdentityProgress,
    IndexedPhoto,
    IndexingProgress,
    NewPhoto,
)
from shared.contracts.card import Call, Function, Queue, Stage, Step
from shared.contracts.events import (
    BibCorrected,
    BibsRead,
    FacesIndexed,
    MatchCut,
    PhotoIngested,
    PhotoMatched,
    PhotoWithdrawn,
    RaceConfigured,
)

STAGE = Stage(
    name="faces",
    purpose="Finds the faces in a photo and works out, from faces and bibs together, who is in it.",
    functions=(
        Function(
            name="index",
            purpose="Puts a photo's faces into the race's collection.",
            fed_by=Queue(
                hears=(PhotoIngested, PhotoWithdrawn, RaceConfigured), notes=(ReviewRace, ReviewPhoto), batch=1
            ),
            says=(FacesIndexed,),
            keeps=(FacesSwitch, IndexedPhoto),
            step=Step(name="faces", waits="faces not looked for yet", progress=IndexingProgress),
            calls=(
                Call(
                    (
                        "rekognition:CreateCollection",
                        "rekognition:IndexFaces",
                        "rekognition:DeleteFaces",
                        "rekognition:ListFaces",
                    ),
                    on="collections",
                ),
                Call(("s3:GetObject",), on="derived"),
                Call(("dynamodb:BatchGetItem", "dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:Query"), on="table"),
                Call(("events:PutEvents",), on="bus"),
                Call(("sqs:SendMessage",), on="queue"),
            ),
            timeout_s=120,
        ),
        Function(
            name="identity",
            purpose="Weighs all evidence about photos and those that match them, and says who is in them.",
            fed_by=Queue(
                hears=(BibsRead, FacesIndexed, PhotoWithdrawn, BibCorrected, MatchCut),
                notes=(ResolvePhoto, TidyPhoto, SearchPhoto, MatchRace),
                batch=25,
                window_s=10,
            ),
            says=(PhotoMatched,),
            keeps=(IdentifiedPhoto, NewPhoto, EarlyPhoto, HiddenPhoto),
            step=Step(
                name="identity",
                waits="bibs and faces looked for, but not yet worked out who is there",
                progress=IdentityProgress,
            ),
            calls=(
                Call(("rekognition:SearchFaces",), on="collections"),
                Call(
                    ("dynamodb:BatchGetItem", "dynamodb:BatchWriteItem", "dynamodb:PutItem", "dynamodb:Query"),
                    on="table",
                ),
                Call(("events:PutEvents",), on="bus"),
                Call(("sqs:SendMessage",), on="queue"),
            ),
            timeout_s=120,
        ),
    ),
)
