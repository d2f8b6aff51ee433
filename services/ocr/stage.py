"""The card of the ocr stage."""

from services.ocr.notes import RereadPhoto, RereadRace
from services.ocr.records import ReadingProgress, ReadPhoto, RosterHeard, RulesHeard
from shared.contracts.card import Call, Function, Metered, Queue, Stage, Step
from shared.contracts.events import BibsRead, PhotoIngested, PhotoWithdrawn, RaceConfigured, RosterImported
from shared.contracts.metrics import READINGS

STAGE = Stage(
    name="ocr",
    purpose="Reads the bib numbers in a photo, and reads them anew when the race's rules or roster change.",
    functions=(
        Function(
            name="read",
            purpose="Keeps the words of a photo once, and says which of them are bibs by what holds now.",
            fed_by=Queue(
                hears=(PhotoIngested, PhotoWithdrawn, RaceConfigured, RosterImported),
                notes=(RereadRace, RereadPhoto),
                batch=1,
                concurrency=50,
            ),
            says=(BibsRead,),
            keeps=(RulesHeard, RosterHeard, ReadPhoto),
            step=Step(name="ocr", waits="bibs not read yet", progress=ReadingProgress),
            calls=(
                Call(("rekognition:DetectText",), on="any"),
                Call(("s3:GetObject",), on="processed"),
                # Without it S3 answers 403 for a picture that is gone, where 404 tells that it is.
                Call(("s3:ListBucket",), on="derived-bucket"),
                Call(("s3:GetObject",), on="rosters"),
                Call(("dynamodb:BatchGetItem", "dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:Query"), on="table"),
                Call(("events:PutEvents",), on="bus"),
                Call(("sqs:SendMessage",), on="queue"),
            ),
            measures=(READINGS,),
            metered=Metered(operation="DetectText", a_message=1, message_s=0.8),
            timeout_s=120,
        ),
    ),
)
