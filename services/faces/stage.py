"""The card of the faces stage."""

from shared.contracts.card import Call, Function, Stage
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
    says=(FacesIndexed, PhotoMatched),
    functions=(
        Function(
            name="index",
            purpose="Puts a photo's faces into the race's collection.",
            hears=(PhotoIngested, PhotoWithdrawn, RaceConfigured),
            calls=(
                Call(
                    actions=(
                        "rekognition:CreateCollection",
                        "rekognition:IndexFaces",
                        "rekognition:DeleteFaces",
                        "rekognition:ListFaces",
                    ),
                    on="collections",
                ),
                Call(actions=("s3:GetObject",), on="derived"),
                Call(
                    actions=(
                        "dynamodb:BatchGetItem",
                        "dynamodb:GetItem",
                        "dynamodb:PutItem",
                        "dynamodb:Query",
                    ),
                    on="table",
                ),
                Call(actions=("events:PutEvents",), on="bus"),
                Call(actions=("sqs:SendMessage",), on="queue"),
            ),
            timeout_s=120,
            batch=1,
            concurrency=10,
        ),
        Function(
            name="identity",
            purpose="Weighs all evidence about photos and those that match them, and says who is in them.",
            hears=(BibsRead, FacesIndexed, PhotoWithdrawn, BibCorrected, MatchCut),
            calls=(
                Call(actions=("rekognition:SearchFaces",), on="collections"),
                Call(
                    actions=(
                        "dynamodb:BatchGetItem",
                        "dynamodb:BatchWriteItem",
                        "dynamodb:PutItem",
                        "dynamodb:Query",
                    ),
                    on="table",
                ),
                Call(actions=("events:PutEvents",), on="bus"),
                Call(actions=("sqs:SendMessage",), on="queue"),
            ),
            timeout_s=120,
            batch=25,
            window_s=10,
            concurrency=10,
        ),
    ),
)
