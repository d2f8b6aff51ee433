"""The card of the ocr stage."""

from shared.contracts.card import Call, Function, Stage
from shared.contracts.events import BibsRead, PhotoIngested, PhotoWithdrawn, RaceConfigured, RosterImported

STAGE = Stage(
    name="ocr",
    purpose="Reads the bib numbers in a photo, and reads them anew when the race's rules or roster change.",
    says=(BibsRead,),
    functions=(
        Function(
            name="read",
            purpose="Keeps the words of a photo once, and says which of them are bibs by what holds now.",
            hears=(PhotoIngested, PhotoWithdrawn, RaceConfigured, RosterImported),
            calls=(
                Call(actions=("rekognition:DetectText",), on="any"),
                Call(actions=("s3:GetObject",), on="derived"),
                Call(
                    actions=("dynamodb:BatchGetItem", "dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:Query"),
                    on="table",
                ),
                Call(actions=("events:PutEvents",), on="bus"),
                Call(actions=("sqs:SendMessage",), on="queue"),
            ),
            timeout_s=120,
            batch=1,
            concurrency=10,
        ),
    ),
)
